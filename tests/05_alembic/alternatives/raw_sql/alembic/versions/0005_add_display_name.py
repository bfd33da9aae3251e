from alembic import op

revision = "0005a"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE users ADD COLUMN display_name VARCHAR(50)")


def downgrade() -> None:
    op.execute("ALTER TABLE users DROP COLUMN display_name")
