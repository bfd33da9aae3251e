"""A small blog on SQLite or PostgreSQL, whichever DATABASE_URL names."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, status
from fastapi.responses import JSONResponse
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from database import Base, SessionDep, engine
from models import Post, User
from schemas import PostCreate, PostOut, UserCreate, UserOut

logger = logging.getLogger("uvicorn.error")  # the logger whose lines uvicorn shows


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Run once when the server starts (above the yield) and once when it stops (below)."""
    # TODO 2.5: log which database the app uses, and not its password.
    Base.metadata.create_all(engine)  # TODO 2.6: a clear error if the database can't be reached.
    yield


app = FastAPI(title="Blog", lifespan=lifespan)


# TODO 2.7: while the database is away, every route that needs it answers 503.


@app.get("/")
def read_root() -> dict[str, str]:
    return {"message": "Database tables created!"}


@app.get("/health")
def read_health(session: SessionDep) -> dict[str, str]:
    """Tell which kind of database answers, and ask it something, to show that it does."""
    session.execute(text("SELECT 1"))
    return {"status": "ok"}  # TODO 2.5: and the kind of database, "sqlite" or "postgresql".


@app.post("/users", response_model=UserOut, status_code=status.HTTP_201_CREATED)
def create_user(data: UserCreate, session: SessionDep) -> User:
    user = User(username=data.username)
    session.add(user)
    try:
        session.commit()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "Username already taken") from error
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
    post = Post(title=data.title, owner_id=data.owner_id)
    session.add(post)
    try:
        session.commit()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "No such owner") from error
    return post


@app.get("/posts", response_model=list[PostOut])
def read_posts(session: SessionDep) -> Sequence[Post]:
    return session.scalars(select(Post).order_by(Post.id)).all()
