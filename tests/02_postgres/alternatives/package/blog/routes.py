from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, StringConstraints
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from blog.storage import Database, Post, User, engine

router = APIRouter()


class UserIn(BaseModel):
    username: Annotated[str, StringConstraints(min_length=1, max_length=50)]


class PostIn(BaseModel):
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    owner_id: int


@router.get("/")
def home() -> dict[str, str]:
    return {"message": "Database tables created!"}


@router.get("/health")
def health(db: Database) -> dict[str, str]:
    db.execute(text("SELECT 1"))
    return {"status": "ok", "database": "sqlite" if engine.driver == "pysqlite" else "postgresql"}


def save(db: Database, row: User | Post, problem: str) -> None:
    db.add(row)
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        raise HTTPException(409, problem) from None
    db.refresh(row)


@router.post("/users", status_code=201)
def add_user(body: UserIn, db: Database) -> Any:
    user = User(username=body.username)
    save(db, user, "taken")
    return {"id": user.id, "username": user.username}


@router.get("/users")
def all_users(db: Database) -> Any:
    return [{"id": user.id, "username": user.username} for user in db.scalars(select(User))]


@router.get("/users/{user_id}")
def one_user(user_id: int, db: Database) -> Any:
    if (user := db.get(User, user_id)) is None:
        raise HTTPException(404, "nobody")
    return {"id": user.id, "username": user.username}


@router.post("/posts", status_code=201)
def add_post(body: PostIn, db: Database) -> Any:
    post = Post(title=body.title, owner_id=body.owner_id)
    save(db, post, "no owner")
    return {"id": post.id, "title": post.title, "owner_id": post.owner_id}


@router.get("/posts")
def all_posts(db: Database) -> Any:
    found = db.execute(select(Post.id, Post.title, Post.owner_id))
    return [dict(row) for row in found.mappings()]
