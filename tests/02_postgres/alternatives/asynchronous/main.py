"""Asynchronous routes. asyncpg has no one error for an absent database, so its SQLSTATE decides."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg  # type: ignore[import-untyped]
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from database import Base, SessionDep, engine
from models import Post, User
from schemas import PostCreate, PostOut, UserCreate, UserOut

logger = logging.getLogger("uvicorn.error")


def is_away(error: Exception) -> bool:
    """Whether the way to the server is closed."""
    if isinstance(error, OSError | OperationalError | InterfaceError):
        return True
    state = getattr(getattr(error, "orig", error), "sqlstate", None) or ""
    return state[:2] in {"08", "3D", "57"} or state == "55000"


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    logger.info("Database: %s", engine.url.database)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
    except (OSError, DBAPIError, asyncpg.PostgresError) as error:
        raise RuntimeError(f"DATABASE_URL leads to {engine.url!r}: {type(error).__name__}") from None
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def report(_request: Request, error: Exception) -> JSONResponse:
    if not is_away(error):
        raise error
    logger.error("The database is not available: %s", type(error).__name__)
    return JSONResponse({"detail": "The database is not available"}, 503)


for kind in (DBAPIError, OSError, asyncpg.PostgresError):
    app.add_exception_handler(kind, report)


@app.get("/")
async def read_root() -> dict[str, str]:
    return {}


@app.get("/health")
async def read_health(session: SessionDep) -> dict[str, str]:
    await session.execute(text("SELECT 1"))
    return {"status": "ok", "database": engine.dialect.name}


@app.post("/users", response_model=UserOut, status_code=201)
async def create_user(data: UserCreate, session: SessionDep) -> User:
    user = User(username=data.username)
    session.add(user)
    try:
        await session.commit()
    except IntegrityError:
        raise HTTPException(409, "Username already taken") from None
    return user


@app.get("/users", response_model=list[UserOut])
async def read_users(session: SessionDep) -> Sequence[User]:
    return (await session.scalars(select(User))).all()


@app.get("/users/{user_id}", response_model=UserOut)
async def read_user(user_id: int, session: SessionDep) -> User:
    user = await session.get(User, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    return user


@app.post("/posts", response_model=PostOut, status_code=201)
async def create_post(data: PostCreate, session: SessionDep) -> Post:
    post = Post(title=data.title, owner_id=data.owner_id)
    session.add(post)
    try:
        await session.commit()
    except IntegrityError:
        raise HTTPException(409, "No such owner") from None
    return post


@app.get("/posts", response_model=list[PostOut])
async def read_posts(session: SessionDep) -> Sequence[Post]:
    return (await session.scalars(select(Post))).all()
