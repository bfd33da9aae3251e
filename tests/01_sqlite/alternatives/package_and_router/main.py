"""Packages and routers: database is a package, the models are dataclasses, the timeout is the driver's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import func, select

import models  # noqa: F401 - so that Base knows the tables
from database import Base, Db, engine
from routers import posts, users


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
    yield
    engine.dispose()


app = FastAPI(lifespan=lifespan)
app.include_router(users.router)
app.include_router(posts.router)


@app.get("/")
async def read_root() -> dict[str, str]:
    return {"message": "Database tables created!"}


@app.get("/health")
def read_health(db: Db) -> dict[str, str | None]:
    return {"sqlite": db.scalar(select(func.sqlite_version()))}
