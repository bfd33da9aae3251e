"""Asynchronous drivers and sessions: aiosqlite in development, asyncpg in production."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from settings import database_url

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
engine = create_async_engine(database_url.set(drivername=DRIVERS[database_url.get_backend_name()]))


@event.listens_for(engine.sync_engine, "connect")
def on_connect(connection: Any, _record: Any) -> None:
    if engine.name == "sqlite":
        connection.execute("PRAGMA foreign_keys = ON")


class Base(DeclarativeBase):
    pass


make_session = async_sessionmaker(engine, expire_on_commit=False)


async def get_db() -> AsyncIterator[AsyncSession]:
    async with make_session() as session:
        yield session


Db = Annotated[AsyncSession, Depends(get_db)]
