"""Async routes where nothing waits, a dependency that finds the post, errors without a detail."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

import database
from database import SessionDep
from models import Post, User
from schemas import PostCreate, PostOut, UserCreate, UserOut


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    database.Base.metadata.create_all(database.engine, checkfirst=True)
    yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(RequestValidationError)
async def say_no(_request: Request, _error: RequestValidationError) -> Response:
    return Response(status_code=422)


@app.exception_handler(IntegrityError)
async def say_conflict(_request: Request, _error: IntegrityError) -> Response:
    return Response(status_code=409)


def find_post(post_id: int, session: SessionDep) -> Post:
    post = session.scalar(select(Post).filter_by(id=post_id))
    if not post:
        raise HTTPException(404)
    return post


@app.post("/users", response_model=UserOut, status_code=201)
def create_user(user: UserCreate, session: SessionDep) -> User:
    row = User(**user.model_dump())
    with session.begin():
        session.add(row)
    return row


@app.get("/users", response_model=list[UserOut])
def read_users(session: SessionDep) -> Iterable[User]:
    return session.scalars(select(User).order_by(User.username.desc()))


@app.get("/users/{user_id}", response_model=UserOut)
def read_user(user_id: int, session: SessionDep) -> User:
    user = session.get(User, user_id)
    if not user:
        raise HTTPException(404)
    return user


@app.post("/posts", response_model=PostOut, status_code=201)
def create_post(post: PostCreate, session: SessionDep) -> Post:
    row = Post(**post.model_dump())
    session.add(row)
    session.commit()
    return row


@app.get("/posts", response_model=list[PostOut])
def read_posts(session: SessionDep) -> Iterable[Post]:
    return session.scalars(select(Post))


@app.post("/posts/{post_id}/publish", response_model=PostOut)
def publish_post(post: Annotated[Post, Depends(find_post)], session: SessionDep) -> Post:
    post.published = True
    session.commit()
    return post
