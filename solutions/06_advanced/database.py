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
    # region step 6.25: readers see the state before while one writes; and how long is a setting
    # starter: connection.execute("PRAGMA busy_timeout = 10000")  # milliseconds
    # starter: # TODO 6.25: the journal mode WAL, and the busy timeout of the settings.
    connection.execute(f"PRAGMA busy_timeout = {settings.sqlite_busy_timeout}")
    connection.execute("PRAGMA journal_mode = WAL")
    # endregion
    # region step 6.20: sqlite3 would begin one at the first change: too late for what was read before
    # starter: # TODO 6.20: leave transactions alone, for the event "begin" below begins them.
    connection.isolation_level = None
    # endregion


# region step 6.20: whoever is going to write takes SQLite's one write lock before reading anything
# starter: # TODO 6.20: a function for the event "begin": BEGIN IMMEDIATE for whoever is going to write, else BEGIN.
def begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


# endregion
def make_engine(to: URL) -> Engine:
    """An engine for SQLite or PostgreSQL, with what each of them needs."""
    engine = create_engine(to, pool_pre_ping=True, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", set_pragmas)
        # region step 6.20: for every transaction
        # starter: # TODO 6.20: listen to "begin", too.
        event.listen(engine, "begin", begin)
        # endregion
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
# region step 6.20: the same engine and the same pool, but each transaction says that it writes
# starter: # TODO 6.20: sessions that write.
writing_engine = engine.execution_options(writes=True)
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


# endregion
# region step 6.20: GET never waits for a writer, everything else waits for its turn
# starter:
# starter:
# starter: def get_db() -> Iterator[Session]:
# starter:     """Give a request its own session and transaction: what the route did is stored whole, or not at all."""
# starter:     with SessionLocal.begin() as session:  # TODO 6.20: which kind of session depends on the request.
# starter:         yield session
def get_db(request: Request) -> Iterator[Session]:
    """Give a request its own session and transaction: what the route did is stored whole, or not at all."""
    bind = engine if request.method in SAFE_METHODS else writing_engine
    with SessionLocal(bind=bind) as session, session.begin():
        yield session


# endregion
# scope="function" ends the block above before the answer is sent, so a commit that fails is never a success.
# max_concurrency: more requests wait for a session, and without a thread. If they waited for a lock with one,
# 40 of them would leave no thread to the one that they wait for. The pool has 15 connections.
SessionDep = Annotated[Session, Depends(get_db, scope="function", max_concurrency=10)]

# region step 6.25: what failed was the transaction, so the whole transaction is tried again
# starter: # TODO 6.25: in_transaction(work), which tries again where SQLite was locked, and only there.
Result = TypeVar("Result")


def is_locked(error: BaseException) -> bool:
    """Whether another connection kept SQLite's lock for too long, which may be over by now."""
    return isinstance(error, OperationalError) and "database is locked" in str(error.orig)


@retry(
    retry=retry_if_exception(is_locked),
    stop=stop_after_attempt(3),
    wait=wait_random_exponential(multiplier=0.05, max=1),
    reraise=True,
)
def in_transaction(work: Callable[[Session], Result]) -> Result:
    """Return what `work` returns, its changes committed; where SQLite is locked, try three times in all."""
    with SessionLocal(bind=writing_engine) as session, session.begin():
        return work(session)


# endregion
# region step 6.28: reports read much and write nothing, on a copy that may lag behind
# starter: # TODO 6.28: an engine, a session factory and a dependency for the reporting database.
reporting_engine = engine
if settings.reporting_database_url is not None:
    reporting_url = settings.reporting_database_url.get_secret_value()
    reporting_engine = make_engine(parse_database_url(reporting_url, "REPORTING_DATABASE_URL"))
ReportSessionLocal = sessionmaker(reporting_engine)


def get_report_db() -> Iterator[Session]:
    """Give a request a session on the reporting database, whose changes are never stored."""
    with ReportSessionLocal() as session:
        yield session


ReportSession = Annotated[Session, Depends(get_report_db)]

# endregion
# region step 6.29: a driver that waits without blocking; the pool is another one, too
# starter: # TODO 6.29: an async engine, a session factory and a dependency, for the same database.
ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
async_engine = create_async_engine(
    url.set(drivername=ASYNC_DRIVERS[engine.dialect.name]), pool_pre_ping=True, hide_parameters=True
)
AsyncSessionLocal = async_sessionmaker(async_engine)


async def get_async_db() -> AsyncIterator[AsyncSession]:
    """Give an async route a session that reads; it never blocks the event loop."""
    async with AsyncSessionLocal() as session:
        yield session


AsyncSessionDep = Annotated[AsyncSession, Depends(get_async_db)]
# endregion
