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
from sqlalchemy.orm import joinedload, selectinload

from database import Base, SessionDep, engine
from models import Post, User
from schemas import PostCreate, PostOut, PostWithOwner, RowId, UserCreate, UserOut, UserWithPosts

password_hasher = PasswordHash.recommended()
logger = logging.getLogger("uvicorn.error")  # the logger whose lines uvicorn shows


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Run once when the server starts (above the yield) and once when it stops (below)."""
    logger.info("Database: %s", engine.url.render_as_string(hide_password=True))
    try:
        Base.metadata.create_all(engine)  # TODO 5.3: migrations make the tables; only check that they did.
    except OperationalError as error:
        raise RuntimeError(f"DATABASE_URL leads to {engine.url!r}, which fails: {error.orig}") from None
    yield


app = FastAPI(title="Blog", lifespan=lifespan)


@app.exception_handler(OperationalError)
def report_unavailable_database(_request: Request, error: OperationalError) -> JSONResponse:
    logger.error("The database is not available: %s", error.orig)
    return JSONResponse({"detail": "The database is not available"}, status.HTTP_503_SERVICE_UNAVAILABLE)


@app.exception_handler(RequestValidationError)
def report_invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
    faults = [{key: fault[key] for key in ("type", "loc", "msg")} for fault in error.errors()]
    return JSONResponse({"detail": faults}, status.HTTP_422_UNPROCESSABLE_CONTENT)


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
        email=data.email.lower(),
        password_hash=password_hasher.hash(data.password.get_secret_value()),
        # TODO 5.10: the display name, or else the username.
    )
    session.add(user)
    try:
        session.flush()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "Username or email already taken") from error
    return user


@app.get("/users", response_model=list[UserOut])
def read_users(session: SessionDep) -> Sequence[User]:
    return session.scalars(select(User).order_by(User.id)).all()


@app.get("/users-with-posts", response_model=list[UserWithPosts])
def read_users_with_posts(session: SessionDep) -> Sequence[User]:
    return session.scalars(select(User).options(selectinload(User.posts)).order_by(User.id)).all()


@app.get("/users/{user_id}", response_model=UserOut)
def read_user(user_id: RowId, session: SessionDep) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    return user


@app.get("/users/{user_id}/posts", response_model=UserWithPosts)
def read_user_posts(user_id: RowId, session: SessionDep) -> User:
    user = session.get(User, user_id, options=[selectinload(User.posts)])
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    return user


@app.delete("/users/{user_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_user(user_id: RowId, session: SessionDep) -> None:
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    session.delete(user)


@app.post("/posts", response_model=PostOut, status_code=status.HTTP_201_CREATED)
def create_post(data: PostCreate, session: SessionDep) -> Post:
    post = Post(title=data.title, content=data.content, owner_id=data.owner_id)
    session.add(post)
    try:
        session.flush()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "No such owner") from error
    return post


@app.get("/posts", response_model=list[PostWithOwner])
def read_posts(session: SessionDep) -> Sequence[Post]:
    return session.scalars(select(Post).options(joinedload(Post.owner)).order_by(Post.id)).all()


@app.post("/posts/{post_id}/publish", response_model=PostOut)
def publish_post(post_id: RowId, session: SessionDep) -> Post:
    post = session.get(Post, post_id)
    if post is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "Post not found")
    post.published = True  # TODO 5.5: the attribute's new name.
    session.flush()
    return post
