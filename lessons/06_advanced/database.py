"""The way to the database: one engine for SQLite or PostgreSQL, one session per request."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from settings import parse_database_url, settings

url = parse_database_url(settings.database_url.get_secret_value())


def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")  # milliseconds
    # TODO 6.25: the journal mode WAL, and the busy timeout of the settings.
    # TODO 6.20: leave transactions alone, for the event "begin" below begins them.


# TODO 6.20: a function for the event "begin": BEGIN IMMEDIATE for whoever is going to write, else BEGIN.
def make_engine(to: URL) -> Engine:
    """An engine for SQLite or PostgreSQL, with what each of them needs."""
    engine = create_engine(to, pool_pre_ping=True, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", set_pragmas)
        # TODO 6.20: listen to "begin", too.
    return engine


engine = make_engine(url)

NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Base(DeclarativeBase):
    """What every model inherits from; its metadata knows all their tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


SessionLocal = sessionmaker(engine)
# TODO 6.20: sessions that write.


def get_db() -> Iterator[Session]:
    """Give a request its own session and transaction: what the route did is stored whole, or not at all."""
    with SessionLocal.begin() as session:  # TODO 6.20: which kind of session depends on the request.
        yield session


# scope="function" ends the block above before the answer is sent, so a commit that fails is never a success.
# max_concurrency: more requests wait for a session, and without a thread. If they waited for a lock with one,
# 40 of them would leave no thread to the one that they wait for. The pool has 15 connections.
SessionDep = Annotated[Session, Depends(get_db, scope="function", max_concurrency=10)]

# TODO 6.25: in_transaction(work), which tries again where SQLite was locked, and only there.
# TODO 6.28: an engine, a session factory and a dependency for the reporting database.
# TODO 6.29: an async engine, a session factory and a dependency, for the same database.
