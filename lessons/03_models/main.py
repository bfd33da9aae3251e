"""A small blog on SQLite or PostgreSQL, whichever DATABASE_URL names."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pwdlib import PasswordHash
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from database import Base, SessionDep, engine
from models import Post, User
from schemas import PostCreate, PostOut, UserCreate, UserOut

# TODO 3.3: something that turns a password into a hash.
logger = logging.getLogger("uvicorn.error")  # the logger whose lines uvicorn shows


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Run once when the server starts (above the yield) and once when it stops (below)."""
    logger.info("Database: %s", engine.url.render_as_string(hide_password=True))
    try:
        Base.metadata.create_all(engine)
    except OperationalError as error:
        raise RuntimeError(f"DATABASE_URL leads to {engine.url!r}, which fails: {error.orig}") from None
    yield


app = FastAPI(title="Blog", lifespan=lifespan)


@app.exception_handler(OperationalError)
def report_unavailable_database(_request: Request, error: OperationalError) -> JSONResponse:
    logger.error("The database is not available: %s", error.orig)
    return JSONResponse({"detail": "The database is not available"}, status.HTTP_503_SERVICE_UNAVAILABLE)


# TODO 3.3: a 422 that says what is wrong, and doesn't repeat what was sent.


@app.get("/")
def read_root() -> dict[str, str]:
    return {"message": "Database tables created!"}


@app.get("/health")
def read_health(session: SessionDep) -> dict[str, str]:
    """Tell which kind of database answers, and ask it something, to show that it does."""
    session.execute(text("SELECT 1"))
    return {"status": "ok", "database": engine.dialect.name}


@app.post("/users", response_model=UserOut, status_code=status.HTTP_201_CREATED)
def create_user(data: UserCreate, session: SessionDep) -> User:
    user = User(
        username=data.username,
        # TODO 3.2: store the email in lower case.
        # TODO 3.3: store the hash of the password.
    )
    session.add(user)
    try:
        session.commit()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "Username or email already taken") from error
    return user


@app.get("/users", response_model=list[UserOut])
def read_users(session: SessionDep) -> Sequence[User]:
    return session.scalars(select(User).order_by(User.id)).all()


@app.get("/users/{user_id}", response_model=UserOut)
def read_user(user_id: int, session: SessionDep) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    return user


@app.post("/posts", response_model=PostOut, status_code=status.HTTP_201_CREATED)
def create_post(data: PostCreate, session: SessionDep) -> Post:
    post = Post(title=data.title, owner_id=data.owner_id)  # TODO 3.5: and the content.
    session.add(post)
    try:
        session.commit()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "No such owner") from error
    return post


@app.get("/posts", response_model=list[PostOut])
def read_posts(session: SessionDep) -> Sequence[Post]:
    return session.scalars(select(Post).order_by(Post.id)).all()


# TODO 3.6: POST /posts/{post_id}/publish makes a draft public, or answers 404.
