"""The dependency commits, before the response is sent, because its scope is the function."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

os.chdir(Path(__file__).parent)  # so that the relative path below begins here
engine = create_engine("sqlite:///./blog.db", echo=False)


def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA busy_timeout = 10000")


event.listen(engine, "connect", set_pragmas)


class Base(DeclarativeBase): ...


SessionLocal = sessionmaker(bind=engine, expire_on_commit=False)


def get_db() -> Iterator[Session]:
    with SessionLocal.begin() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db, scope="function")]
