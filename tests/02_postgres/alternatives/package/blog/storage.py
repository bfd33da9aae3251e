"""Engine, sessions and models. With NullPool no connection can die in a pool, for there is none."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from sqlalchemy import ForeignKey, NullPool, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from blog.config import read

engine = create_engine(read().url, poolclass=NullPool)


@event.listens_for(engine, "connect")
def configure(connection: Any, _record: Any) -> None:
    if engine.dialect.name == "sqlite":
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA busy_timeout = 10000")


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    owner_id: Mapped[int] = mapped_column(ForeignKey(User.id))


def get_db() -> Iterator[Session]:
    """A session; while the database is away, whatever used it answers 503."""
    with Session(engine) as session:
        try:
            yield session
        except OperationalError as error:
            raise HTTPException(503, "No database at the moment", {"Retry-After": "5"}) from error


Database = Annotated[Session, Depends(get_db)]
