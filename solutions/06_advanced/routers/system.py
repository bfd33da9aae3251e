"""Whether the app is well."""

from sqlalchemy import text

# region step 6.28: both databases
# starter: from database import SessionDep, engine
from database import ReportSession, SessionDep, engine

# endregion
from routers import Router

router = Router(tags=["system"])


# region step 6.28: the other database may be down while this one isn't
# starter: @router.get("/health")
# starter: def read_health(session: SessionDep) -> dict[str, str]:
# starter:     """Tell which kind of database answers, and ask it something, to show that it does."""
# starter:     # TODO 6.28: ask the reporting database, too.
# starter:     session.execute(text("SELECT 1"))
# starter:     return {"status": "ok", "database": engine.dialect.name}
@router.get("/health")
def read_health(session: SessionDep, reports: ReportSession) -> dict[str, str]:
    """Tell which kinds of databases answer, and ask them something, to show that they do."""
    session.execute(text("SELECT 1"))
    reports.execute(text("SELECT 1"))
    return {"status": "ok", "database": engine.dialect.name, "reporting": reports.get_bind().dialect.name}


# endregion
@router.get("/")
def read_root() -> dict[str, str]:
    return {"message": "The database is up to date"}
