from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from settings import settings


def make_engine() -> Engine:
    """One function for each kind of database."""
    if settings.url.get_backend_name() == "sqlite":
        engine = create_engine(settings.url, connect_args={"timeout": 10})

        @event.listens_for(engine, "connect")
        def enforce_foreign_keys(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA foreign_keys = 1")

        return engine
    return create_engine(settings.url, pool_pre_ping=True, pool_recycle=1800)


engine = make_engine()
SessionLocal = sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


def get_db() -> Iterator[Session]:
    with SessionLocal() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]
