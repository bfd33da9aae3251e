"""The URL comes through the environment, once more; batch mode is off."""

from alembic import context
from sqlalchemy import create_engine

from models import metadata
from settings import database_url

with create_engine(database_url).connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()
