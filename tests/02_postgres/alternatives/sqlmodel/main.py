"""SQLModel for the models, a handler given to FastAPI() for 503, and a model for /health."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import Session, SQLModel, select, text

from database import engine
from models import Post, PostBase, User, UserBase


def get_db():  # type: ignore[no-untyped-def]
    with Session(engine) as session:
        yield session


Db = Annotated[Session, Depends(get_db)]


class Health(SQLModel):
    status: str = "ok"
    database: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    sys.stderr.write(f"Connecting to {engine.url.database}\n")
    try:
        SQLModel.metadata.create_all(engine)
    except OperationalError as error:
        error.add_note("This is the database that DATABASE_URL names.")
        sys.exit(f"DATABASE_URL names a database that can't be opened: {error.orig}")
    yield


async def away(_request: Request, _error: Exception) -> Response:
    return Response('{"detail": "away"}', 503, media_type="application/json")


app = FastAPI(lifespan=lifespan, exception_handlers={OperationalError: away})


@app.get("/")
def root() -> dict[str, str]:
    return {"message": "Database tables created!"}


@app.get("/health")
def health(db: Db) -> Health:
    db.exec(text("SELECT 1"))  # type: ignore[call-overload]
    return Health(database=engine.dialect.name)


@app.post("/users", status_code=201)
def create_user(data: UserBase, db: Db) -> User:
    user = User.model_validate(data)
    db.add(user)
    try:
        db.commit()
    except IntegrityError:
        raise HTTPException(409, "taken") from None
    db.refresh(user)
    return user


@app.get("/users")
def users(db: Db) -> list[User]:
    return list(db.exec(select(User)))


@app.get("/users/{user_id}")
def user(user_id: int, db: Db) -> User:
    found = db.get(User, user_id)
    if not found:
        raise HTTPException(404)
    return found


@app.post("/posts", status_code=201)
def create_post(data: PostBase, db: Db) -> Post:
    post = Post.model_validate(data)
    db.add(post)
    try:
        db.commit()
    except IntegrityError:
        raise HTTPException(409, "no owner") from None
    db.refresh(post)
    return post


@app.get("/posts")
def posts(db: Db) -> list[Post]:
    return list(db.exec(select(Post)))
