"""Add display_name to users, which may be empty

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-22 14:00:00
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    op.add_column("users", sa.Column("display_name", sa.String(length=50), nullable=True))
    op.execute("UPDATE users SET display_name = username")


def downgrade() -> None:
    op.drop_column("users", "display_name")
