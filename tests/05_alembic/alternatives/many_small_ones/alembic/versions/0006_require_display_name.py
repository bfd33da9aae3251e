from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade():
    op.execute("UPDATE users SET display_name = COALESCE(display_name, username)")


def downgrade():
    pass
