"""The whole system, on SQLite or PostgreSQL, whichever DATABASE_URL names."""

import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

# region step 6.29: and the async engine, which is closed in the end
# starter: from database import engine
from database import async_engine, engine

# endregion
from errors import HANDLERS, Unavailable, Unreadable, problems
from migrations import require_newest_schema
from routers import nonblocking, orders, posts, projects, reports, system, tags, users

logger = logging.getLogger("uvicorn.error")  # the logger whose lines uvicorn shows


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Run once when the server starts (above the yield) and once when it stops (below)."""
    logger.info("Database: %s", engine.url.render_as_string(hide_password=True))
    try:
        require_newest_schema(engine)
    except OperationalError as error:
        raise RuntimeError(f"DATABASE_URL leads to {engine.url!r}, which fails: {error.orig}") from None
    gc.freeze()  # what was imported stays: the garbage collector need not look at it again
    yield
    # region step 6.29: its connections belong to the event loop, which ends now
    # starter: # TODO 6.29: close the async engine's connections.
    await async_engine.dispose()
    # endregion


app = FastAPI(
    title="Blog",
    lifespan=lifespan,
    exception_handlers=HANDLERS,
    responses=problems(Unreadable, Unavailable),
)
for subject in (system, users, posts, tags, orders, projects, reports, nonblocking):
    app.include_router(subject.router)
