"""The way to the database: one engine, one session factory, one session per request."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

# region step 1.1: the file lies beside this module, wherever the app is started from
# starter: # TODO 1.1: this database lives in memory and forgets. Keep it in blog.db, beside this file.
# starter: DATABASE_URL = "sqlite://"
DATABASE_URL = f"sqlite:///{Path(__file__).with_name('blog.db')}"
# endregion

engine = create_engine(DATABASE_URL)


# region step 1.2: SQLite forgets both settings when a connection closes, so each new one gets them
# starter: # TODO 1.2: on every new connection, enforce foreign keys and wait 10 seconds for a lock.
@event.listens_for(engine, "connect")
def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")  # milliseconds


# endregion


# region step 1.3: models inherit from Base, and sessions come from SessionLocal
# starter: # TODO 1.3: make Base SQLAlchemy's declarative base, and bind the sessions to the engine.
# starter: class Base:
# starter:     """What every model inherits from."""
# starter:
# starter:
# starter: SessionLocal = sessionmaker[Session]()
class Base(DeclarativeBase):
    """What every model inherits from; its metadata knows all their tables."""


SessionLocal = sessionmaker(engine)
# endregion


# region step 1.5: the with block closes the session on success, on an error and on a 404 alike
# starter: def get_db() -> Iterator[Session]:
# starter:     # TODO 1.5: this session is never closed. Close it after the request, whatever happened.
# starter:     yield SessionLocal()
def get_db() -> Iterator[Session]:
    """Give a request its own session, and close it when the request is over."""
    with SessionLocal() as session:
        yield session


# endregion


SessionDep = Annotated[Session, Depends(get_db)]
