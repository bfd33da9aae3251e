"""Only known statuses

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-22 13:00:00
"""

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.create_check_constraint(op.f("ck_users_known_status"), "status IN ('active', 'banned')")


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_constraint(op.f("ck_users_known_status"), type_="check")
