from collections.abc import Sequence

from fastapi import APIRouter, HTTPException
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from database import SessionDep
from models import Post
from schemas import PostCreate, PostOut

router = APIRouter(prefix="/posts", tags=["posts"])


@router.post("", status_code=201)
def create(data: PostCreate, session: SessionDep) -> PostOut:
    post = Post(**data.model_dump())
    session.add(post)
    try:
        session.commit()
    except IntegrityError:
        raise HTTPException(409, "no such owner") from None
    return PostOut.model_validate(post)


@router.get("", response_model=list[PostOut])
def read_all(session: SessionDep) -> Sequence[Post]:
    return session.scalars(select(Post)).all()


@router.post("/{post_id}/publish", response_model=PostOut)
def publish(post_id: int, session: SessionDep) -> Post:
    statement = update(Post).where(Post.id == post_id).values(published=True).returning(Post)
    post = session.scalars(statement).one_or_none()
    if post is None:
        raise HTTPException(404)
    session.commit()
    return post
