"""Without pydantic-settings: python-dotenv fills os.environ, and this module makes the URL from it."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from dotenv import load_dotenv
from fastapi import Depends
from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

HERE = Path(__file__).resolve().parent
DRIVERS = {"sqlite": "sqlite", "postgres": "postgresql+psycopg2", "postgresql": "postgresql+psycopg2"}

load_dotenv(HERE / ".env")


def database_url() -> URL:
    text = os.environ.get("DATABASE_URL")
    if not text:
        return URL.create("sqlite", database=str(HERE / "blog.db"))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SystemExit("DATABASE_URL is not like postgresql://user:password@host/name") from None
    kind = url.get_backend_name() if url.drivername == "postgresql+psycopg2" else url.drivername
    if kind not in DRIVERS:
        raise SystemExit(f"DATABASE_URL: {kind} is not supported")
    return url.set(drivername=DRIVERS[kind])


engine = create_engine(database_url(), pool_pre_ping=True, pool_size=3, max_overflow=7)
if engine.name == "sqlite":

    @event.listens_for(engine, "connect")
    def prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in ("foreign_keys = ON", "busy_timeout = 10000"):
            connection.execute(f"PRAGMA {pragma}")


class Base(DeclarativeBase):
    pass


SessionLocal = sessionmaker(bind=engine, expire_on_commit=False)


def get_db() -> Iterator[Session]:
    session = SessionLocal()
    try:
        yield session
    finally:
        session.close()


SessionDep = Annotated[Session, Depends(get_db)]
