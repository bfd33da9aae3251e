"""Asynchronous: aiosqlite and asyncpg, which reads options of its own and raises errors of its own."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from settings import parse_database_url, settings


def for_asyncio(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL with an asynchronous driver, and what that driver takes as an argument."""
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite"), {}
    options = " ".join(url.normalized_query.get("options", ()))
    arguments = {"server_settings": {"options": options}} if options else {}
    return url.set(drivername="postgresql+asyncpg").difference_update_query(["options"]), arguments


url, arguments = for_asyncio(parse_database_url(settings.database_url.get_secret_value()))
engine = create_async_engine(url, pool_pre_ping=True, connect_args=arguments)

if engine.dialect.name == "sqlite":

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()


class Base(DeclarativeBase):
    """What every model inherits from."""


SessionLocal = async_sessionmaker(engine, expire_on_commit=False)


async def get_db() -> AsyncIterator[AsyncSession]:
    async with SessionLocal() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_db)]
