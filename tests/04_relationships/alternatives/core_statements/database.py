"""A session inside of the engine's own transaction: the connection commits, the session only flushes."""

import sqlite3
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import MetaData, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from settings import parse_database_url, settings

engine = create_engine(
    parse_database_url(settings.database_url.get_secret_value()), pool_pre_ping=True, hide_parameters=True
)


def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")


if engine.dialect.name == "sqlite":
    event.listen(engine, "connect", set_pragmas)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


SessionLocal = sessionmaker(engine)


def get_db() -> Iterator[Session]:
    with engine.begin() as connection, Session(connection) as session:
        yield session
        session.flush()


SessionDep = Annotated[Session, Depends(get_db, scope="function")]
