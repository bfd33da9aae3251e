# region step 6.21: orders of before have none
"""Orders may have a key

Revision ID: 0016
Revises: 0015
Create Date: 2026-11-22 17:30:00
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"


def upgrade() -> None:
    with op.batch_alter_table("orders") as orders:
        orders.add_column(sa.Column("idempotency_key", sa.String(length=64), nullable=True))
        orders.create_unique_constraint(op.f("uq_orders_user_id"), ["user_id", "idempotency_key"])


def downgrade() -> None:
    with op.batch_alter_table("orders") as orders:
        orders.drop_constraint(op.f("uq_orders_user_id"), type_="unique")
        orders.drop_column("idempotency_key")


# endregion
