"""The way to the database: one engine for SQLite or PostgreSQL, one session per request."""

import sqlite3
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import MetaData, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from settings import parse_database_url, settings

url = parse_database_url(settings.database_url.get_secret_value())
# TODO 3.3: keep the values of a failing statement out of the error's text.
engine = create_engine(url, pool_pre_ping=True)


def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")  # milliseconds


if engine.dialect.name == "sqlite":
    event.listen(engine, "connect", set_pragmas)


# TODO 3.1: give every constraint a name by a convention.
class Base(DeclarativeBase):
    """What every model inherits from; its metadata knows all their tables."""


SessionLocal = sessionmaker(engine)


def get_db() -> Iterator[Session]:
    """Give a request its own session, and close it when the request is over."""
    with SessionLocal() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]
