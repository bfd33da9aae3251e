"""Every `alembic` command runs this file: how it reaches the database, and which tables the app wants."""

import sqlite3
from logging.config import fileConfig
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, Engine, NullPool, create_engine, event

# region step 5.1: the app's own URL, and its tables: a model is known once its module is imported
# starter: from sqlalchemy import engine_from_config
# starter:
# starter: # TODO 5.1: the URL, the Base and the models of the app.
from database import Base, url
from models import UtcDateTime

# endregion

config = context.config
# region step 5.1: fileConfig silences every logger it doesn't know, unless told not to
# starter: # TODO 5.1: the app's own loggers must go on working.
# starter: if config.config_file_name is not None:
# starter:     fileConfig(config.config_file_name)
if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)
# endregion


# region step 5.2: a migration is history, so it must not depend on a class of today's app
# starter: # TODO 5.2: write a UtcDateTime into migrations as what it is in the database.
def render_item(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Say how autogenerate writes a thing down; False leaves it to Alembic."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


# endregion
# region step 5.8: sqlite3 begins a transaction for an INSERT, but not for a CREATE or an ALTER: we do
# starter: # TODO 5.8: on SQLite too, a migration happens whole or not at all.
def begin_before_everything(engine: Engine) -> None:
    """Make SQLite's transactions hold changes of the schema as well."""

    @event.listens_for(engine, "connect")
    def leave_transactions_alone(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")


# endregion
def run_migrations_online() -> None:
    """Run migrations on the database."""
    # region step 5.1: an engine of its own, without the app's listeners: the app's PRAGMA foreign_keys = ON
    # starter: # TODO 5.1: the app's URL and the app's tables.
    # starter: engine = engine_from_config(config.get_section(config.config_ini_section, {}), poolclass=NullPool)
    engine = create_engine(url, poolclass=NullPool)
    # endregion
    # region step 5.8: PostgreSQL does it by itself
    # starter: # TODO 5.8: make SQLite's transactions hold changes of the schema.
    if engine.dialect.name == "sqlite":
        begin_before_everything(engine)
    # endregion
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            # region step 5.1: what the models say; autogenerate compares the database with it
            # starter: target_metadata=None,
            target_metadata=Base.metadata,
            # endregion
            # region step 5.2: beyond tables and columns
            # starter: # TODO 5.2: notice a changed server default, and write types as above.
            compare_server_default=True,
            render_item=render_item,
            # endregion
            # region step 5.5: SQLite can't alter a table: batch mode makes a new one and copies the rows
            # starter: # TODO 5.5: batch mode.
            render_as_batch=True,
            # endregion
            # region step 5.6: beside what is compared by default, the checks, by their names
            # starter: # TODO 5.6: notice checks, too.
            autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
            # endregion
            # region step 5.8: one transaction for all, also on SQLite
            # starter: # TODO 5.8: and tell Alembic.
            transactional_ddl=True,
            # endregion
        )
        with context.begin_transaction():
            context.run_migrations()


def run_migrations_offline() -> None:
    """Print the migrations as SQL, for a review: `alembic upgrade head --sql`."""
    context.configure(
        # region step 5.7: the kind of SQL depends on the URL; nothing connects to it
        # starter: # TODO 5.7: the app's URL and the app's tables here, too.
        # starter: url=config.get_main_option("sqlalchemy.url"),
        url=url,
        target_metadata=Base.metadata,
        # endregion
        literal_binds=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
