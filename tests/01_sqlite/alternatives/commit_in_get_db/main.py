"""One transaction for each request: routes flush, get_db commits."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from database import Base, SessionDep, engine
from models import Post, User
from schemas import PostCreate, PostOut, UserCreate, UserOut


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    Base.metadata.create_all(engine)
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
def read_root() -> dict[str, str]:
    return {"message": "Database tables created!"}


@app.get("/health")
def read_health(session: SessionDep) -> dict[str, str | None]:
    return {"sqlite": session.scalar(text("SELECT sqlite_version()"))}


@app.post("/users", status_code=201)
def create_user(data: UserCreate, session: SessionDep) -> UserOut:
    user = User(**data.model_dump())
    session.add(user)
    try:
        session.flush()
    except IntegrityError:
        raise HTTPException(409, "taken") from None
    return UserOut.model_validate(user)


@app.get("/users", response_model=list[UserOut])
def read_users(session: SessionDep) -> Sequence[User]:
    return session.scalars(select(User)).all()


@app.get("/users/{user_id}")
def read_user(user_id: int, session: SessionDep) -> UserOut:
    user = session.scalars(select(User).where(User.id == user_id)).one_or_none()
    if user is None:
        raise HTTPException(404)
    return UserOut.model_validate(user)


@app.post("/posts", status_code=201)
def create_post(data: PostCreate, session: SessionDep) -> PostOut:
    owner = session.get(User, data.owner_id)
    if owner is None:
        raise HTTPException(409, "There is no such owner.")
    post = Post(**data.model_dump())
    session.add(post)
    try:
        session.flush()
    except IntegrityError:
        raise HTTPException(409, "The owner has left.") from None
    return PostOut.model_validate(post)


@app.get("/posts", response_model=list[PostOut])
def read_posts(session: SessionDep) -> Sequence[Post]:
    return session.scalars(select(Post)).all()
