"""The revision is read with SQL; a missing table is no revision."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

CONFIG = Config(str(Path(__file__).parent / "alembic.ini"))


def require_newest_schema(engine: Engine) -> None:
    heads = set(ScriptDirectory.from_config(CONFIG).get_heads())
    with engine.connect() as connection:
        if inspect(connection).has_table("alembic_version"):
            found = set(connection.scalars(text("SELECT version_num FROM alembic_version")))
        else:
            found = set()
    if found != heads:
        raise SystemExit("The database doesn't fit. Please run: alembic upgrade head")
