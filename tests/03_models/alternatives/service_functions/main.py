"""Thin routes over services.py; a middleware answers what fails."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import select

import services
from database import Base, SessionDep, engine
from models import Post, User
from schemas import PostCreate, PostOut, UserCreate, UserOut


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
    yield
    engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.exception_handler(services.Conflict)
@app.exception_handler(services.Missing)
@app.exception_handler(RequestValidationError)
def tell(_request: Request, error: Exception) -> JSONResponse:
    status = {services.Conflict: 409, services.Missing: 404}.get(type(error), 422)
    return JSONResponse({"detail": type(error).__name__}, status)


@app.post("/users", status_code=201, response_model=UserOut)
def create_user(data: UserCreate, session: SessionDep) -> User:
    return services.register(session, data)


@app.get("/users", response_model=list[UserOut])
def read_users(session: SessionDep) -> Sequence[User]:
    return session.scalars(select(User)).all()


@app.get("/users/{user_id}", response_model=UserOut)
def read_user(user_id: int, session: SessionDep) -> User:
    return services.find(session, User, user_id)


@app.post("/posts", status_code=201, response_model=PostOut)
def create_post(data: PostCreate, session: SessionDep) -> Post:
    return services.draft(session, data)


@app.get("/posts", response_model=list[PostOut])
def read_posts(session: SessionDep) -> Sequence[Post]:
    return session.scalars(select(Post)).all()


@app.post("/posts/{post_id}/publish", response_model=PostOut)
def publish_post(post_id: int, session: SessionDep) -> Post:
    return services.publish(session, post_id)
