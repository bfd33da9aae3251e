"""The way to the database: one engine for SQLite or PostgreSQL, one session per request."""

import sqlite3
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

# region step 2.1: the code is the same everywhere, the setting differs
# starter: from settings import SQLITE_URL, parse_database_url
# starter:
# starter: url = parse_database_url(SQLITE_URL)  # TODO 2.1: use the URL of the settings.
from settings import parse_database_url, settings

# region step 2.5: the one place that opens the secret
# starter: url = parse_database_url(settings.database_url)
url = parse_database_url(settings.database_url.get_secret_value())
# endregion
# endregion
# region step 2.4: ask a pooled connection whether it still lives before a request gets it
# starter: engine = create_engine(url)  # TODO 2.4: notice connections that have died in the pool.
engine = create_engine(url, pool_pre_ping=True)
# endregion


def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")  # milliseconds


# region step 2.2: a PRAGMA is SQLite's own word; PostgreSQL answers it with a syntax error
# starter: event.listen(engine, "connect", set_pragmas)  # TODO 2.2: only SQLite understands a PRAGMA.
if engine.dialect.name == "sqlite":
    event.listen(engine, "connect", set_pragmas)
# endregion


class Base(DeclarativeBase):
    """What every model inherits from; its metadata knows all their tables."""


SessionLocal = sessionmaker(engine)


def get_db() -> Iterator[Session]:
    """Give a request its own session, and close it when the request is over."""
    with SessionLocal() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]
