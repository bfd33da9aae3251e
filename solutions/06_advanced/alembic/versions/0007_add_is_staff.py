# region step 6.2: nobody belongs to the staff until somebody says so
"""Add is_staff to users

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-22 16:00:00
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"


def upgrade() -> None:
    op.add_column("users", sa.Column("is_staff", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("users", "is_staff")


# endregion
