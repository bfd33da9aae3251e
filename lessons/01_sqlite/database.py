"""The way to the database: one engine, one session factory, one session per request."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

# TODO 1.1: this database lives in memory and forgets. Keep it in blog.db, beside this file.
DATABASE_URL = "sqlite://"

engine = create_engine(DATABASE_URL)


# TODO 1.2: on every new connection, enforce foreign keys and wait 10 seconds for a lock.


# TODO 1.3: make Base SQLAlchemy's declarative base, and bind the sessions to the engine.
class Base:
    """What every model inherits from."""


SessionLocal = sessionmaker[Session]()


def get_db() -> Iterator[Session]:
    # TODO 1.5: this session is never closed. Close it after the request, whatever happened.
    yield SessionLocal()


SessionDep = Annotated[Session, Depends(get_db)]
