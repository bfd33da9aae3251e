"""No pool: a connection is opened for each session and closed after it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from sqlalchemy import NullPool, create_engine
from sqlalchemy.orm import Session, registry, sessionmaker

FILE = Path(__file__).resolve().parent.joinpath("blog.db")


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(FILE, timeout=10, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = yes")
    return connection


engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
Base = registry().generate_base()
SessionLocal = sessionmaker(engine)


def get_db() -> Iterator[Session]:
    session = SessionLocal()
    try:
        yield session
    finally:
        session.close()


SessionDep = Annotated[Session, Depends(get_db)]
