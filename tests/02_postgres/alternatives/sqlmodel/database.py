from typing import Any

from sqlalchemy import event
from sqlmodel import create_engine

from settings import parse_database_url, settings

engine = create_engine(parse_database_url(settings.database_url.get_secret_value()), pool_pre_ping=True)


@event.listens_for(engine, "connect")
def set_pragmas(connection: Any, _record: Any) -> None:
    if engine.dialect.driver == "pysqlite":
        connection.executescript("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;")
