from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE posts RENAME COLUMN published TO is_published")


def downgrade() -> None:
    op.execute("ALTER TABLE posts RENAME COLUMN is_published TO published")
