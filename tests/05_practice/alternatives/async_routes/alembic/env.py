"""As `alembic init -t async` has it: migrations run inside an asynchronous connection."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from database import engine
from models import Category


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Category.metadata)
    with context.begin_transaction():
        context.run_migrations()


async def main() -> None:
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


asyncio.run(main())
