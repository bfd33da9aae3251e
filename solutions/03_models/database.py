"""The way to the database: one engine for SQLite or PostgreSQL, one session per request."""

import sqlite3
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import MetaData, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from settings import parse_database_url, settings

url = parse_database_url(settings.database_url.get_secret_value())
# region step 3.3: the text of a database error repeats the values that were sent, and errors go to the log
# starter: # TODO 3.3: keep the values of a failing statement out of the error's text.
# starter: engine = create_engine(url, pool_pre_ping=True)
engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
# endregion


def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")  # milliseconds


if engine.dialect.name == "sqlite":
    event.listen(engine, "connect", set_pragmas)


# region step 3.1: a constraint with a name can be changed later; these are Alembic's recommended names
# starter: # TODO 3.1: give every constraint a name by a convention.
NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


# endregion
class Base(DeclarativeBase):
    """What every model inherits from; its metadata knows all their tables."""

    # region step 3.1: metadata is the catalogue of tables, and names what they declare
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    # endregion


SessionLocal = sessionmaker(engine)


def get_db() -> Iterator[Session]:
    """Give a request its own session, and close it when the request is over."""
    with SessionLocal() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]
