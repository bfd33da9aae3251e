import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "1975ea83b712"


def upgrade():
    op.add_column("users", sa.Column("status", sa.String(length=20), nullable=True))
    op.execute("UPDATE users SET status = 'active'")
    with op.batch_alter_table("users") as batch_op:
        batch_op.alter_column(
            "status", existing_type=sa.String(length=20), nullable=False, server_default="active"
        )


def downgrade():
    with op.batch_alter_table("users") as batch_op:
        batch_op.drop_column("status")
