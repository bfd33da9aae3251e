"""One revision for each table; this one makes the first.

Revision ID: 4f2a91c07b1d
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "4f2a91c07b1d"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "categories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )


def downgrade():
    op.drop_table("categories")
