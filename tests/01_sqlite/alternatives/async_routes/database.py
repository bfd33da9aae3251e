"""An async get_db, and the begin of each transaction written out."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

HERE = Path(__file__).absolute().parent
engine: Engine = create_engine("sqlite:///" + (HERE / "blog.db").as_posix() + "?timeout=10")


@event.listens_for(engine, "connect")
def prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the event below begins the transactions
    connection.execute("PRAGMA foreign_keys = ON")


@event.listens_for(engine, "begin")
def begin(connection) -> None:
    connection.exec_driver_sql("BEGIN")


class Base(DeclarativeBase):
    pass


SessionLocal = sessionmaker(engine)


async def get_db() -> AsyncIterator[Session]:
    with closing(SessionLocal()) as session:
        yield session
