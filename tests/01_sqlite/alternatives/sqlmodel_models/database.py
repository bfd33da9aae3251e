"""SQLModel in the place of SQLAlchemy's own classes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import event
from sqlalchemy.orm import sessionmaker
from sqlmodel import Session, SQLModel, create_engine

engine = create_engine(f"sqlite:///{Path(__file__).parent / 'blog.db'}")


@event.listens_for(engine, "connect")
def configure(connection: Any, _: object) -> None:
    connection.executescript("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;")


Base = SQLModel
SessionLocal = sessionmaker(engine, class_=Session)


def get_db() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]
