import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0005a"

users = sa.table("users", sa.column("username"), sa.column("display_name"))


def upgrade() -> None:
    op.execute(sa.update(users).values(display_name=users.c.username))


def downgrade() -> None:
    pass
