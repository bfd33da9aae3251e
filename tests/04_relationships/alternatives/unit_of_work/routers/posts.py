from collections.abc import Sequence

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from database import SessionDep
from models import Post
from routers.found import FoundPost
from schemas import PostCreate, PostOut, PostWithOwner

router = APIRouter(prefix="/posts", tags=["posts"])


@router.post("", status_code=201)
def create(data: PostCreate, session: SessionDep) -> PostOut:
    post = Post(**data.model_dump())
    session.add(post)
    session.flush()
    return PostOut.model_validate(post)


@router.get("", response_model=list[PostWithOwner])
def read_all(session: SessionDep) -> Sequence[Post]:
    return session.scalars(select(Post).options(selectinload(Post.owner))).all()


@router.post("/{post_id}/publish", response_model=PostOut)
def publish(post: FoundPost, session: SessionDep) -> Post:
    post.published = True
    session.flush()
    session.refresh(post)
    return post
