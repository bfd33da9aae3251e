"""Rename published to is_published

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-22 12:00:00
"""

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    with op.batch_alter_table("posts") as posts:
        posts.alter_column("published", new_column_name="is_published")


def downgrade() -> None:
    with op.batch_alter_table("posts") as posts:
        posts.alter_column("is_published", new_column_name="published")
