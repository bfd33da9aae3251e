"""Posts, their tags and their comments."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query, status

# region step 6.12: the service asks the database
# starter: from sqlalchemy import select
# starter: from sqlalchemy.exc import IntegrityError
# starter: from sqlalchemy.orm import Session, contains_eager, joinedload
from sqlalchemy.orm import Session

# endregion
# region step 6.25: a transaction that can be run again
# starter: from database import SessionDep
from database import SessionDep, in_transaction

# endregion
# region step 6.12: the service looks for the owner
# starter: from errors import Conflict, NotAllowed, NotFound, NotLoggedIn, problems
from errors import NotAllowed, NotFound, NotLoggedIn, problems

# endregion
# region step 6.14: and comments
# starter: from models import Post, User
from models import Comment, Post

# endregion
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

# region step 6.12: who is asking, and who does the work
# starter: from schemas import PostWithOwner
from security import CurrentUser

# region step 6.17: and the ranking
# starter: from services.posts import PostService, PostServiceDep
from services.posts import PostService, PostServiceDep, get_top_authors

# endregion
# endregion

router = Router(tags=["posts"])
OWN_POST = problems(NotLoggedIn, NotAllowed, NotFound)


# region step 6.12: whose it is isn't for the client to say
# starter: # TODO 6.12: the post belongs to the caller, and has tags. GET /posts and GET /posts/{post_id} show them.
# starter: @router.post(
# starter:     "/posts", response_model=PostOut, status_code=status.HTTP_201_CREATED, responses=problems(Conflict)
# starter: )
# starter: def create_post(data: PostCreate, session: SessionDep) -> Post:
# starter:     post = Post(title=data.title, content=data.content, owner_id=data.owner_id)
# starter:     session.add(post)
# starter:     try:
# starter:         session.flush()
# starter:     except IntegrityError as error:
# starter:         raise Conflict("No such owner") from error
# starter:     return post
@router.post(
    "/posts",
    response_model=PostWithTags,
    status_code=status.HTTP_201_CREATED,
    responses=problems(NotLoggedIn, NotFound),
)
def create_post(data: PostCreate, caller: CurrentUser, posts: PostServiceDep) -> Post:
    return posts.create(caller, data)


# endregion
# region step 6.9: the posts of the deleted are hidden with them
# starter: # TODO 6.9: without the posts of users who were deleted.
# starter: @router.get("/posts", response_model=list[PostWithOwner])
# starter: def read_posts(page: PageQuery, session: SessionDep) -> Sequence[Post]:
# starter:     found = select(Post).options(joinedload(Post.owner)).order_by(Post.id)
# starter:     return session.scalars(found.offset(page.skip).limit(page.limit)).all()
# region step 6.12: all of them, or those with a tag
# starter: # TODO 6.12: with tags, and only those of one tag if it is named; and GET /posts/{post_id}.
# starter: @router.get("/posts", response_model=list[PostWithOwner])
# starter: def read_posts(page: PageQuery, session: SessionDep) -> Sequence[Post]:
# starter:     found = select(Post).join(Post.owner).where(User.is_live).options(contains_eager(Post.owner))
# starter:     return session.scalars(found.order_by(Post.id).offset(page.skip).limit(page.limit)).all()
@router.get("/posts", response_model=list[PostWithTags])
def read_posts(
    page: PageQuery, posts: PostServiceDep, tag: Annotated[TagName | None, Query()] = None
) -> Sequence[Post]:
    return posts.get_page(page, tag)


# endregion
# endregion
# region step 6.27: before /posts/{post_id}, which would take "search" for an id
# starter: # TODO 6.27: GET /posts/search.
@router.get("/posts/search", response_model=list[PostWithTags])
def search_posts(
    q: Annotated[str, text(100), Query(examples=["100%"])], page: PageQuery, posts: PostServiceDep
) -> Sequence[Post]:
    return posts.search(q, page)


# endregion
# region step 6.12: one of them
@router.get("/posts/{post_id}", response_model=PostWithTags, responses=problems(NotFound))
def read_post(post_id: RowId, posts: PostServiceDep) -> Post:
    return posts.get(post_id)


# endregion
# region step 6.13: the course's PUT changes only what is sent, which others call PATCH: both do the same
# starter: # TODO 6.13: PUT and PATCH change, DELETE deletes: only for the owner and the staff, and so does publish.
# starter: # TODO 6.25: where SQLite is locked, try the whole transaction again.
# starter: @router.post("/posts/{post_id}/publish", response_model=PostOut, responses=problems(NotFound))
# starter: def publish_post(post_id: RowId, session: SessionDep) -> Post:
# starter:     post = session.get(Post, post_id)
# starter:     if post is None:
# starter:         raise NotFound("Post not found")
# starter:     post.is_published = True
# starter:     session.flush()
# starter:     return post
@router.put("/posts/{post_id}", response_model=PostWithTags, responses=OWN_POST)
@router.patch("/posts/{post_id}", response_model=PostWithTags, responses=OWN_POST)
def change_post(post_id: RowId, data: PostUpdate, caller: CurrentUser, posts: PostServiceDep) -> Post:
    return posts.change(caller, post_id, data)


@router.delete("/posts/{post_id}", responses=OWN_POST)
def delete_post(post_id: RowId, caller: CurrentUser, posts: PostServiceDep) -> Message:
    posts.delete(caller, post_id)
    return Message(message="Post deleted successfully")


# region step 6.25: where SQLite is locked, the whole transaction is tried again
# starter: # TODO 6.25: where SQLite is locked, try again.
# starter: @router.post("/posts/{post_id}/publish", response_model=PostOut, responses=OWN_POST)
# starter: def publish_post(post_id: RowId, caller: CurrentUser, posts: PostServiceDep) -> Post:
# starter:     return posts.publish(caller, post_id)
@router.post("/posts/{post_id}/publish", responses=OWN_POST)
def publish_post(post_id: RowId, caller: CurrentUser) -> PostOut:
    def publish(session: Session) -> PostOut:
        return PostOut.model_validate(PostService(session).publish(caller, post_id))

    return in_transaction(publish)


# endregion
# endregion
# region step 6.14: whoever is logged in may comment
# starter: # TODO 6.14: POST /posts/{post_id}/comments and GET /posts-with-comments.
@router.post(
    "/posts/{post_id}/comments",
    response_model=CommentOut,
    status_code=status.HTTP_201_CREATED,
    responses=problems(NotLoggedIn, NotFound),
)
def create_comment(
    post_id: RowId, data: CommentCreate, caller: CurrentUser, posts: PostServiceDep
) -> Comment:
    return posts.comment(caller, post_id, data)


@router.get("/posts-with-comments", response_model=list[PostWithComments])
def read_posts_with_comments(page: PageQuery, posts: PostServiceDep) -> Sequence[Post]:
    return posts.get_page_with_comments(page)


# endregion
# region step 6.15: what most readers see first
# starter: # TODO 6.15: GET /feed.
# region step 6.16: each page says where the next one begins
# starter: # TODO 6.16: each page says where the next one begins.
# starter: @router.get("/feed", response_model=Feed)
# starter: def read_feed(
# starter:     posts: PostServiceDep,
# starter:     limit: Annotated[int, Query(ge=1, le=100)] = 10,
# starter:     owner_id: Annotated[RowId | None, Query()] = None,
# starter: ) -> dict[str, Sequence[Post]]:
# starter:     return {"posts": posts.get_feed(limit, owner_id)}
@router.get("/feed", response_model=Feed)
def read_feed(
    posts: PostServiceDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    owner_id: Annotated[RowId | None, Query()] = None,
    before: Annotated[RowId | None, Query()] = None,
) -> dict[str, object]:
    found = posts.get_feed(limit + 1, owner_id, before)  # one more, which tells whether there are more
    page = found[:limit]
    return {"posts": page, "next": page[-1].id if len(found) > limit else None}


# endregion
# endregion
# region step 6.17: at most a minute old, and a change is seen at once
# starter: # TODO 6.17: GET /authors/top.
@router.get("/authors/top", response_model=list[AuthorOut])
def read_top_authors(session: SessionDep) -> list[dict[str, Any]]:
    return get_top_authors(session)


# endregion
