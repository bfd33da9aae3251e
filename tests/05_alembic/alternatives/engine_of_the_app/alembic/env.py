"""The app's engine, but with foreign keys off and a transaction that is begun before anything else."""

import logging
from typing import Any

from alembic import context
from sqlalchemy import DateTime, event

import models
from database import Base, engine

config = context.config
logging.basicConfig(level=logging.WARNING)


def render_item(kind, item, context_):
    if kind == "type" and isinstance(item, models.UtcDateTime):
        return f"sa.{DateTime(timezone=True)!r}"
    return False


options: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "compare_server_default": True,
    "render_item": render_item,
    "render_as_batch": True,
    "autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
}

if context.is_offline_mode():
    context.configure(dialect_name=engine.dialect.name, literal_binds=True, **options)
    with context.begin_transaction():
        context.run_migrations()
else:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.rollback()
            event.listen(connection, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
        context.configure(
            connection=connection, transactional_ddl=True, transaction_per_migration=True, **options
        )
        with context.begin_transaction():
            context.run_migrations()
