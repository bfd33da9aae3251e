# region step 6.5: everyone who is there is active, and of unknown age
"""Add age and is_active to users

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-22 16:10:00
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("age", sa.Integer(), nullable=True))
        users.add_column(sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False))
        users.create_check_constraint(op.f("ck_users_plausible_age"), "age BETWEEN 0 AND 150")


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_constraint(op.f("ck_users_plausible_age"), type_="check")
        users.drop_column("is_active")
        users.drop_column("age")


# endregion
