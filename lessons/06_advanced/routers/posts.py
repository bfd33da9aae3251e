"""Posts, their tags and their comments."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query, status

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, contains_eager, joinedload
from database import SessionDep
from errors import Conflict, NotAllowed, NotFound, NotLoggedIn, problems
from models import Post, User
from routers import Router
from schemas import (
    AuthorOut,
    CommentCreate,
    CommentOut,
    Feed,
    Message,
    PageQuery,
    PostCreate,
    PostOut,
    PostUpdate,
    PostWithComments,
    PostWithTags,
    RowId,
    TagName,
    text,
)

from schemas import PostWithOwner

router = Router(tags=["posts"])
OWN_POST = problems(NotLoggedIn, NotAllowed, NotFound)


# TODO 6.12: the post belongs to the caller, and has tags. GET /posts and GET /posts/{post_id} show them.
@router.post(
    "/posts", response_model=PostOut, status_code=status.HTTP_201_CREATED, responses=problems(Conflict)
)
def create_post(data: PostCreate, session: SessionDep) -> Post:
    post = Post(title=data.title, content=data.content, owner_id=data.owner_id)
    session.add(post)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("No such owner") from error
    return post


# TODO 6.9: without the posts of users who were deleted.
@router.get("/posts", response_model=list[PostWithOwner])
def read_posts(page: PageQuery, session: SessionDep) -> Sequence[Post]:
    found = select(Post).options(joinedload(Post.owner)).order_by(Post.id)
    return session.scalars(found.offset(page.skip).limit(page.limit)).all()


# TODO 6.27: GET /posts/search.
# TODO 6.13: PUT and PATCH change, DELETE deletes: only for the owner and the staff, and so does publish.
# TODO 6.25: where SQLite is locked, try the whole transaction again.
@router.post("/posts/{post_id}/publish", response_model=PostOut, responses=problems(NotFound))
def publish_post(post_id: RowId, session: SessionDep) -> Post:
    post = session.get(Post, post_id)
    if post is None:
        raise NotFound("Post not found")
    post.is_published = True
    session.flush()
    return post


# TODO 6.14: POST /posts/{post_id}/comments and GET /posts-with-comments.
# TODO 6.15: GET /feed.
# TODO 6.17: GET /authors/top.
