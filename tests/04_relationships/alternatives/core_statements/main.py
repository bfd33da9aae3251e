"""Statements in place of objects: rows are inserted, joined, grouped and deleted by SQL alone."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pwdlib import PasswordHash
from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from database import Base, SessionDep, engine
from models import Post, User
from schemas import PostCreate, PostOut, PostWithOwner, RowId, UserCreate, UserOut, UserWithPosts

Row = Mapping[Any, Any]
USER = (User.id, User.username, User.email, User.created_at)
POST = tuple(Post.__table__.columns)
hasher = PasswordHash.recommended()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    Base.metadata.create_all(engine)
    yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(RequestValidationError)
def refuse(_request: Request, _error: RequestValidationError) -> JSONResponse:
    return JSONResponse({"detail": "invalid"}, 422)


@app.post("/users", status_code=201, response_model=UserOut)
def create_user(data: UserCreate, session: SessionDep) -> Row:
    values = {
        "username": data.username,
        "email": data.email.lower(),
        "password_hash": hasher.hash(data.password.get_secret_value()),
    }
    try:
        return session.execute(insert(User).values(values).returning(*USER)).mappings().one()
    except IntegrityError:
        raise HTTPException(409) from None


@app.get("/users", response_model=list[UserOut])
def read_users(session: SessionDep) -> Sequence[Row]:
    return session.execute(select(*USER)).mappings().all()


@app.get("/users-with-posts", response_model=list[UserWithPosts])
def read_users_with_posts(session: SessionDep) -> list[Row]:
    posts_of: dict[int, list[Row]] = defaultdict(list)
    for post in session.execute(select(*POST)).mappings():
        posts_of[post["owner_id"]].append(post)
    users = session.execute(select(*USER)).mappings()
    return [{**user, "posts": posts_of[user["id"]]} for user in users]


@app.get("/users/{user_id}", response_model=UserOut)
def read_user(user_id: RowId, session: SessionDep) -> Row:
    user = session.execute(select(*USER).where(User.id == user_id)).mappings().first()
    if user is None:
        raise HTTPException(404)
    return user


@app.get("/users/{user_id}/posts", response_model=UserWithPosts)
def read_user_posts(user_id: RowId, session: SessionDep) -> Row:
    user = read_user(user_id, session)
    posts = session.execute(select(*POST).where(Post.owner_id == user_id)).mappings().all()
    return {**user, "posts": posts}


@app.delete("/users/{user_id}", status_code=204, response_class=Response)
def delete_user(user_id: RowId, session: SessionDep) -> None:
    if session.scalar(delete(User).where(User.id == user_id).returning(User.id)) is None:
        raise HTTPException(404)


@app.post("/posts", status_code=201, response_model=PostOut)
def create_post(data: PostCreate, session: SessionDep) -> Row:
    if not session.scalar(select(exists().where(User.id == data.owner_id))):
        raise HTTPException(409)
    return session.execute(insert(Post).values(data.model_dump()).returning(*POST)).mappings().one()


@app.get("/posts", response_model=list[PostWithOwner])
def read_posts(session: SessionDep) -> list[Row]:
    query = select(*POST, User.username).join(User, User.id == Post.owner_id).order_by(Post.id.desc())
    rows = session.execute(query).mappings()
    return [{**row, "owner": {"id": row["owner_id"], "username": row["username"]}} for row in rows]


@app.post("/posts/{post_id}/publish", response_model=PostOut)
def publish_post(post_id: RowId, session: SessionDep) -> Row:
    publish = update(Post).where(Post.id == post_id).values(published=True).returning(*POST)
    post = session.execute(publish).mappings().one_or_none()
    if post is None:
        raise HTTPException(404)
    return post
