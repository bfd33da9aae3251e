# region step 6.10: the rule before goes only when the new one is there
"""Usernames and emails are unique among the users who are there

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-22 16:30:00
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"


LIVE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    for column in ("username", "email"):
        name = op.f(f"uq_users_live_{column}")
        op.create_index(name, "users", [column], unique=True, postgresql_where=LIVE, sqlite_where=LIVE)
    with op.batch_alter_table("users") as users:
        users.drop_constraint(op.f("uq_users_username"), type_="unique")
        users.drop_constraint(op.f("uq_users_email"), type_="unique")


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.create_unique_constraint(op.f("uq_users_username"), ["username"])
        users.create_unique_constraint(op.f("uq_users_email"), ["email"])
    for column in ("username", "email"):
        op.drop_index(op.f(f"uq_users_live_{column}"), table_name="users")


# endregion
