"""SQLModel for the tables, and a session whose transaction has a block of its own."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import event
from sqlalchemy.orm import sessionmaker
from sqlmodel import Session, SQLModel, create_engine

from settings import parse_database_url, settings

SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
Base = SQLModel

engine = create_engine(
    parse_database_url(settings.database_url.get_secret_value()), pool_pre_ping=True, hide_parameters=True
)


@event.listens_for(engine, "connect")
def configure(connection: Any, _: object) -> None:
    if engine.dialect.name == "sqlite":
        connection.executescript("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;")


SessionLocal = sessionmaker(engine, class_=Session)


def get_db() -> Iterator[Session]:
    with SessionLocal() as session, session.begin():
        yield session


SessionDep = Annotated[Session, Depends(get_db, scope="function")]
