"""No pool on SQLite, BEGIN IMMEDIATE for writers, and a class as the dependency."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import NullPool, create_engine, event
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass, Session

from shop.config import Config

url = Config.read().url
on_sqlite = url.get_backend_name() == "sqlite"
engine = create_engine(url, poolclass=NullPool) if on_sqlite else create_engine(url, pool_size=3)

if on_sqlite:

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.executescript(
            "PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 8000; PRAGMA journal_mode = WAL"
        )

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


class Model(MappedAsDataclass, DeclarativeBase):
    pass


class Storage:
    """What routes ask for: each `with storage.unit()` is one transaction."""

    def __init__(self, request: Request) -> None:
        self.path = request.url.path

    @contextmanager
    def unit(self) -> Iterator[Session]:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session


Store = Annotated[Storage, Depends()]
