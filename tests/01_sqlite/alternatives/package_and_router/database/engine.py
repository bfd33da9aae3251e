from pathlib import Path
from sqlite3 import Connection

from sqlalchemy import URL, Engine, create_engine, event

FOLDER = Path(__file__).resolve().parents[1]


@event.listens_for(Engine, "connect")  # of every engine that this program makes
def enforce_foreign_keys(connection: Connection, _: object) -> None:
    connection.execute("PRAGMA foreign_keys = 1")


engine = create_engine(
    URL.create("sqlite", database=str(FOLDER / "blog.db")),
    connect_args={"timeout": 10},  # seconds; becomes SQLite's busy_timeout
)
