"""One function for both ways, and the tables by reflection of Base; sqlite3 is told by connect_args."""

import sqlite3
from logging.config import fileConfig
from pathlib import Path

from alembic import context
from sqlalchemy import create_engine, event, pool

from database import Base, url
from models import Post, User, UtcDateTime

assert {Post.__table__, User.__table__} <= set(Base.metadata.sorted_tables)

if context.config.config_file_name and Path(context.config.config_file_name).exists():
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)


def in_sql(kind, item, autogen_context):
    if isinstance(item, UtcDateTime):
        return "sa.TIMESTAMP(timezone=True)"
    return False


def migrate(**how):
    context.configure(
        target_metadata=Base.metadata,
        render_item=in_sql,
        compare_server_default=True,
        compare_type=True,
        render_as_batch=True,
        autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        transactional_ddl=True,
        **how,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    migrate(dialect_name=url.get_backend_name(), literal_binds=True)
else:
    lite = url.get_backend_name() == "sqlite"
    engine = create_engine(
        url, poolclass=pool.NullPool, connect_args={"isolation_level": None} if lite else {}
    )
    if lite:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN EXCLUSIVE"))
        print_version = f"-- SQLite {sqlite3.sqlite_version}"
    with engine.connect() as connection:
        migrate(connection=connection)
