from collections.abc import Sequence

from fastapi import APIRouter, HTTPException
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from database import Db
from models import Post
from schemas import PostCreate, PostOut

router = APIRouter(prefix="/posts", tags=["posts"])


@router.post("", response_model=PostOut, status_code=201)
def write(body: PostCreate, db: Db) -> Post:
    post = Post(body.title, body.owner_id)
    try:
        with db.begin():
            db.add(post)
    except IntegrityError as error:
        raise HTTPException(409, "There is no such owner.") from error
    return post


@router.get("", response_model=list[PostOut])
def read_all(db: Db) -> Sequence[Post]:
    return db.scalars(select(Post)).all()
