"""A dependency that is an object of a class, and a session that never flushes by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import MetaData, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from settings import parse_database_url, settings

engine = create_engine(
    parse_database_url(settings.database_url.get_secret_value()), pool_pre_ping=True, hide_parameters=True
)


@event.listens_for(engine, "connect")
def configure(connection: Any, _: object) -> None:
    if engine.dialect.name == "sqlite":
        connection.executescript("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


SessionLocal = sessionmaker(engine, autoflush=False, expire_on_commit=False)


@dataclass(frozen=True)
class UnitOfWork:
    """All that a request does, in one transaction."""

    make: "sessionmaker[Session]"

    def __call__(self) -> Iterator[Session]:
        session = self.make()
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()


SessionDep = Annotated[Session, Depends(UnitOfWork(SessionLocal), scope="function")]
