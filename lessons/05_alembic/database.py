"""The way to the database: one engine for SQLite or PostgreSQL, one session per request."""

import sqlite3
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import MetaData, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from settings import parse_database_url, settings

url = parse_database_url(settings.database_url.get_secret_value())
engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)


def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")  # milliseconds


if engine.dialect.name == "sqlite":
    event.listen(engine, "connect", set_pragmas)


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


def get_db() -> Iterator[Session]:
    """Give a request its own session and transaction: what the route did is stored whole, or not at all."""
    with SessionLocal.begin() as session:
        yield session


# scope="function" ends the block above before the answer is sent, so a commit that fails is never a success.
SessionDep = Annotated[Session, Depends(get_db, scope="function")]
