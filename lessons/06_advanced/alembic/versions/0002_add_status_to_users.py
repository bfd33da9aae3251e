"""Add status to users

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-22 11:00:00
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    op.add_column("users", sa.Column("status", sa.String(length=20), server_default="active", nullable=False))


def downgrade() -> None:
    op.drop_column("users", "status")
