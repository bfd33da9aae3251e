"""The second table, with its rules and its index.

Revision ID: 9be0517d3a66
Revises: 4f2a91c07b1d
"""

import sqlalchemy as sa
from alembic import op

revision = "9be0517d3a66"
down_revision = "4f2a91c07b1d"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "products",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("price", sa.Numeric(precision=10, scale=2), nullable=False),
        sa.Column("stock", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.CheckConstraint("price >= 0 AND stock >= 0", name="ck_products_not_negative"),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("products_by_category", "products", ["category_id", "name"])


def downgrade():
    op.drop_index("products_by_category", table_name="products")
    op.drop_table("products")
