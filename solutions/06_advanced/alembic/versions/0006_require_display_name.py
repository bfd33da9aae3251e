"""Require display_name

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-22 15:00:00
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    op.execute("UPDATE users SET display_name = username WHERE display_name IS NULL")
    with op.batch_alter_table("users") as users:
        users.alter_column("display_name", existing_type=sa.String(length=50), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.alter_column("display_name", existing_type=sa.String(length=50), nullable=True)
