"""Core in the place of the ORM: statements that return rows, and ON CONFLICT for a taken name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException
from sqlalchemy import text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import IntegrityError

from database import Base, SessionDep, engine
from models import Post, User
from schemas import PostCreate, PostOut, UserCreate, UserOut


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    Base.metadata.create_all(engine, checkfirst=True)
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
def read_root() -> dict[str, str]:
    return {"message": "Database tables created!"}


@app.get("/health")
def read_health(session: SessionDep) -> Any:
    return {"sqlite": session.execute(text("SELECT sqlite_version()")).scalar_one()}


@app.post("/users", response_model=UserOut, status_code=201)
def create_user(data: UserCreate, session: SessionDep) -> Any:
    statement = insert(User).values(username=data.username).on_conflict_do_nothing()
    row = session.execute(statement.returning(User.id, User.username)).mappings().one_or_none()
    if row is None:
        raise HTTPException(409, "taken")
    session.commit()
    return row


@app.get("/users", response_model=list[UserOut])
def read_users(session: SessionDep) -> Any:
    return session.execute(text("SELECT id, username FROM users")).mappings().all()


@app.get("/users/{user_id}", response_model=UserOut)
def read_user(user_id: int, session: SessionDep) -> Any:
    query = text("SELECT id, username FROM users WHERE id = :id")
    row = session.execute(query, {"id": user_id}).mappings().first()
    if row is None:
        raise HTTPException(404)
    return row


@app.post("/posts", response_model=PostOut, status_code=201)
def create_post(data: PostCreate, session: SessionDep) -> Any:
    statement = insert(Post).values(data.model_dump()).returning(Post.id, Post.title, Post.owner_id)
    try:
        row = session.execute(statement).mappings().one()
        session.commit()
    except IntegrityError as error:
        session.rollback()
        raise HTTPException(409, "no such owner") from error
    return row


@app.get("/posts", response_model=list[PostOut])
def read_posts(session: SessionDep) -> Any:
    return session.execute(text("SELECT id, title, owner_id FROM posts")).mappings().all()
