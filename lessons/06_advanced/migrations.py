"""Whether the database has had all the migrations that the app was written for."""

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

SCRIPTS = ScriptDirectory(Path(__file__).with_name("alembic"))


def require_newest_schema(engine: Engine) -> None:
    """Raise RuntimeError, which says what to do, unless the database is at the newest migration."""
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision() or "nothing"
    needed = SCRIPTS.get_current_head() or "nothing"
    if found != needed:
        raise RuntimeError(
            f"The database is at migration {found}, the app needs {needed}. Run: alembic upgrade head"
        )
