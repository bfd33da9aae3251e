from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass, Session

from .engine import engine


class Base(MappedAsDataclass, DeclarativeBase):
    pass


def SessionLocal() -> Session:  # noqa: N802
    return Session(engine)


def get_db() -> Iterator[Session]:
    session = SessionLocal()
    try:
        yield session
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()


Db = Annotated[Session, Depends(get_db)]
