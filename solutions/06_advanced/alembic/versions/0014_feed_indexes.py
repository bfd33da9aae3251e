# region step 6.15: for the feed of everyone, and for the feed of one owner
"""Indexes for the feed

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-22 17:10:00
"""

from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"


def upgrade() -> None:
    op.create_index("ix_posts_published", "posts", ["is_published", "id"])
    op.create_index("ix_posts_published_by_owner", "posts", ["owner_id", "is_published", "id"])


def downgrade() -> None:
    op.drop_index("ix_posts_published_by_owner", table_name="posts")
    op.drop_index("ix_posts_published", table_name="posts")


# endregion
