import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def copy(old, new):
    op.add_column("posts", sa.Column(new, sa.Boolean(), server_default=sa.false(), nullable=False))
    posts = sa.table("posts", sa.column(old), sa.column(new))
    op.execute(posts.update().values({new: posts.c[old]}))
    op.drop_column("posts", old)


def upgrade():
    copy("published", "is_published")


def downgrade():
    copy("is_published", "published")
