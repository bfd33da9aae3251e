"""Whether the app is well."""

from sqlalchemy import text

from database import SessionDep, engine
from routers import Router

router = Router(tags=["system"])


@router.get("/health")
def read_health(session: SessionDep) -> dict[str, str]:
    """Tell which kind of database answers, and ask it something, to show that it does."""
    # TODO 6.28: ask the reporting database, too.
    session.execute(text("SELECT 1"))
    return {"status": "ok", "database": engine.dialect.name}


@router.get("/")
def read_root() -> dict[str, str]:
    return {"message": "The database is up to date"}
