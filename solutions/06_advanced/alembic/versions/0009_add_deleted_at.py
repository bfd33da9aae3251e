# region step 6.9: empty for everyone who is there
"""Add deleted_at to users

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-22 16:20:00
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"


def upgrade() -> None:
    op.add_column("users", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "deleted_at")


# endregion
