"""Every `alembic` command runs this file: how it reaches the database, and which tables the app wants."""

import sqlite3
from logging.config import fileConfig
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, Engine, NullPool, create_engine, event

from sqlalchemy import engine_from_config

# TODO 5.1: the URL, the Base and the models of the app.

config = context.config
# TODO 5.1: the app's own loggers must go on working.
if config.config_file_name is not None:
    fileConfig(config.config_file_name)


# TODO 5.2: write a UtcDateTime into migrations as what it is in the database.
# TODO 5.8: on SQLite too, a migration happens whole or not at all.
def run_migrations_online() -> None:
    """Run migrations on the database."""
    # TODO 5.1: the app's URL and the app's tables.
    engine = engine_from_config(config.get_section(config.config_ini_section, {}), poolclass=NullPool)
    # TODO 5.8: make SQLite's transactions hold changes of the schema.
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=None,
            # TODO 5.2: notice a changed server default, and write types as above.
            # TODO 5.5: batch mode.
            # TODO 5.6: notice checks, too.
            # TODO 5.8: and tell Alembic.
        )
        with context.begin_transaction():
            context.run_migrations()


def run_migrations_offline() -> None:
    """Print the migrations as SQL, for a review: `alembic upgrade head --sql`."""
    context.configure(
        # TODO 5.7: the app's URL and the app's tables here, too.
        url=config.get_main_option("sqlalchemy.url"),
        literal_binds=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
