import sqlalchemy as sa
from alembic import op

revision = "c0ffee"
down_revision = "0006"


def upgrade():
    with op.batch_alter_table("users") as batch_op:
        batch_op.alter_column("display_name", nullable=False, existing_type=sa.String(50))
    op.create_index("ix_users_display_name", "users", ["display_name"])


def downgrade():
    op.drop_index("ix_users_display_name", table_name="users")
    with op.batch_alter_table("users") as batch_op:
        batch_op.alter_column("display_name", nullable=True, existing_type=sa.String(50))
