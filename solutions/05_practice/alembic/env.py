"""Every `alembic` command runs this file: how it reaches the database, and which tables the app wants."""

from logging.config import fileConfig

from alembic import context
from sqlalchemy import NullPool, create_engine

from models import Product
from settings import database_url

if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)

# An engine of its own: the app's would enforce SQLite's foreign keys while tables are rebuilt.
engine = create_engine(database_url, poolclass=NullPool)

with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Product.metadata,
        compare_server_default=True,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()
