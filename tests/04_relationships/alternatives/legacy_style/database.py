"""As most tutorials have it: declarative_base, Column and Query, and try, except, finally in get_db."""

# mypy: ignore-errors
from typing import Annotated

from fastapi import Depends
from sqlalchemy import MetaData, create_engine, event
from sqlalchemy.orm import Session, declarative_base, sessionmaker

from settings import parse_database_url, settings

convention = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

engine = create_engine(
    parse_database_url(settings.database_url.get_secret_value()), pool_pre_ping=True, hide_parameters=True
)
SessionLocal = sessionmaker(bind=engine)
Base = declarative_base(metadata=MetaData(naming_convention=convention))


def on_connect(dbapi_connection, connection_record):
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()


if engine.url.get_backend_name() == "sqlite":
    event.listen(engine, "connect", on_connect)


def get_db():
    db = SessionLocal()
    try:
        yield db
        db.commit()
    except Exception:
        db.rollback()
        raise
    finally:
        db.close()


get_transaction = Depends(get_db, scope="function")
SessionDep = Annotated[Session, get_transaction]
