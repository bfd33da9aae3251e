"""SQLModel: the tables are Pydantic models too, and one error handler answers every 409."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, select

from database import SessionDep, engine
from models import Post, User
from schemas import PostCreate, UserCreate


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    SQLModel.metadata.create_all(engine)
    yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(IntegrityError)
def answer_409(_request: Request, _error: IntegrityError) -> JSONResponse:
    return JSONResponse({"detail": "That doesn't fit what is stored."}, 409)


@app.get("/")
def read_root() -> dict[str, str]:
    return {"message": "Database tables created!"}


@app.get("/health")
def read_health(session: SessionDep) -> dict[str, str]:
    return {"sqlite": session.execute(text("SELECT sqlite_version()")).scalar_one()}


@app.post("/users", status_code=201)
def create_user(body: UserCreate, session: SessionDep) -> User:
    user = User.model_validate(body.model_dump())
    session.add(user)
    session.commit()
    session.refresh(user)
    return user


@app.get("/users")
def read_users(session: SessionDep) -> list[User]:
    return list(session.exec(select(User)))


@app.get("/users/{user_id}")
def read_user(user_id: int, session: SessionDep) -> User:
    if user := session.get(User, user_id):
        return user
    raise HTTPException(404)


@app.post("/posts", status_code=201)
def create_post(body: PostCreate, session: SessionDep) -> Post:
    post = Post(**body.model_dump())
    session.add(post)
    session.commit()
    session.refresh(post)
    return post


@app.get("/posts")
def read_posts(session: SessionDep) -> list[Post]:
    return list(session.exec(select(Post)))
