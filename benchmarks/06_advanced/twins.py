"""Twins of the reference's list routes, served beside them: the same answers, by hand and the course's way.

`endpoints.py` puts this file into a copy of the reference and serves it. `/by-hand/…` sends SQL that somebody
wrote, `/course/…` does what the written course does: lazy loading in a loop, a refresh for each new row,
OFFSET, a blocking session in an `async def`. Each answer says in a header how many statements it took.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Any

from fastapi import Request, Response
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from database import SessionDep, SessionLocal, engine
from main import app
from models import Comment, Post, Tag, User, post_tags
from schemas import PageQuery, PostWithComments, PostWithTags, UserCreate, UserOut, UserPage
from services import users as users_service
from services.posts import posts_to_show

HEADER = "X-Statements"
counted: ContextVar[list[str]] = ContextVar("counted")


class QuickHasher:
    """Hashing a password costs more than storing it, and isn't what is measured."""

    def hash(self, password: str) -> str:
        return f"not a hash: {len(password)}"


vars(users_service)["password_hasher"] = QuickHasher()


@event.listens_for(engine, "before_cursor_execute")
def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    if (seen := counted.get(None)) is not None and not statement.startswith(("BEGIN", "PRAGMA")):
        seen.append(statement)


@app.middleware("http")
async def tell_statements(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    counted.set([])
    response = await call_next(request)
    response.headers[HEADER] = str(len(counted.get()))
    return response


# By hand

USERS = """
SELECT id, username, email, created_at, status, display_name, age, is_active
FROM users WHERE deleted_at IS NULL ORDER BY id LIMIT :limit OFFSET :skip
"""
POSTS = """
SELECT posts.id, title, content, is_published, posts.created_at, posts.updated_at, owner_id, username
FROM posts JOIN users ON users.id = owner_id
WHERE deleted_at IS NULL ORDER BY posts.id LIMIT :limit OFFSET :skip
"""
TAGS = """
SELECT post_id, tags.id, name FROM post_tags JOIN tags ON tags.id = tag_id
WHERE post_id IN (SELECT posts.id FROM posts JOIN users ON users.id = owner_id
    WHERE deleted_at IS NULL ORDER BY posts.id LIMIT :limit OFFSET :skip) ORDER BY tags.id
"""
COMMENTS = """
SELECT id, content, created_at, post_id, author_id FROM comments
WHERE post_id IN (SELECT posts.id FROM posts JOIN users ON users.id = owner_id
    WHERE deleted_at IS NULL ORDER BY posts.id LIMIT :limit OFFSET :skip) ORDER BY id
"""


def rows(session: Session, statement: str, page: PageQuery) -> list[dict[str, Any]]:
    found = session.execute(text(statement), {"limit": page.limit, "skip": page.skip})
    return [dict(row) for row in found.mappings()]


def posts_by_hand(session: Session, page: PageQuery) -> dict[int, dict[str, Any]]:
    found = {row["id"]: row for row in rows(session, POSTS, page)}
    for post in found.values():
        post |= {"owner": {"id": post["owner_id"], "username": post["username"]}, "tags": [], "comments": []}
    return found


@app.get("/by-hand/users")
def users_by_hand(page: PageQuery, session: SessionDep) -> UserPage:
    total = session.execute(text("SELECT count(*) FROM users WHERE deleted_at IS NULL")).scalar_one()
    found = [UserOut.model_validate(row) for row in rows(session, USERS, page)]
    return UserPage(total=total, skip=page.skip, limit=page.limit, users=found)


@app.get("/by-hand/posts", response_model=list[PostWithTags])
def posts_and_tags_by_hand(page: PageQuery, session: SessionDep) -> list[dict[str, Any]]:
    posts = posts_by_hand(session, page)
    for row in rows(session, TAGS, page):
        posts[row["post_id"]]["tags"].append(row)
    return list(posts.values())


@app.get("/by-hand/posts-with-comments", response_model=list[PostWithComments])
def posts_and_comments_by_hand(page: PageQuery, session: SessionDep) -> list[dict[str, Any]]:
    posts = posts_by_hand(session, page)
    for row in rows(session, TAGS, page):
        posts[row["post_id"]]["tags"].append(row)
    for row in rows(session, COMMENTS, page):
        posts[row["post_id"]]["comments"].append(row)
    return list(posts.values())


# The course's way


def load_in_a_loop(session: Session, posts: Sequence[Post]) -> list[dict[str, Any]]:
    """What lazy relationships do while the answer is made: three statements for each post."""
    found = []
    for post in posts:
        tags = select(Tag).join(post_tags).where(post_tags.c.post_id == post.id)
        shown = {name: getattr(post, name) for name in ("id", "title", "content", "is_published", "owner_id")}
        shown |= {"created_at": post.created_at, "updated_at": post.updated_at}
        shown["owner"] = session.scalars(select(User).where(User.id == post.owner_id)).one()
        shown["tags"] = session.scalars(tags).all()
        shown["comments"] = session.scalars(select(Comment).where(Comment.post_id == post.id)).all()
        found.append(shown)
    return found


@app.get("/course/posts-with-comments", response_model=list[PostWithComments])
async def posts_the_courses_way(page: PageQuery) -> list[dict[str, Any]]:
    with SessionLocal() as session:
        posts = session.scalars(select(Post).offset(page.skip).limit(page.limit)).all()
        return load_in_a_loop(session, posts)


@app.post("/course/users/bulk-create", response_model=list[UserOut])
def users_the_courses_way(data: list[UserCreate]) -> list[User]:
    with SessionLocal(expire_on_commit=True) as session:
        users = [User(**users_service.columns_of(user)) for user in data]
        session.add_all(users)
        session.commit()
        for user in users:
            session.refresh(user)
        return users


@app.post("/twins/users/bulk-create", response_model=list[UserOut])
def users_the_references_way(data: list[UserCreate], session: SessionDep) -> Sequence[User]:
    return users_service.UserService(session).create_many(data)


@app.get("/offset/feed", response_model=list[PostWithTags])
def feed_by_offset(page: PageQuery, session: SessionDep) -> Sequence[Post]:
    published = posts_to_show().where(Post.is_published).order_by(Post.id.desc())
    return session.scalars(published.offset(page.skip).limit(page.limit)).all()


WAIT = text("SELECT pg_sleep(0.02)") if engine.dialect.name == "postgresql" else None


@app.get("/twins/slow")
def wait_in_a_thread(session: SessionDep) -> None:
    """A query that takes 20 ms on the server, in a route that may block its thread."""
    if WAIT is not None:
        session.execute(WAIT)


@app.get("/course/slow")
async def wait_in_the_event_loop() -> None:
    """The same, in a route that blocks everyone."""
    if WAIT is not None:
        with SessionLocal() as session:
            session.execute(WAIT)
