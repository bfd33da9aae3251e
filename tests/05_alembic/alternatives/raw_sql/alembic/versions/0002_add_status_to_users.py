"""Migrations in plain SQL wherever both databases understand it."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE users ADD COLUMN status VARCHAR(20) DEFAULT 'active' NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE users DROP COLUMN status")
