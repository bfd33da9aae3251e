"""A small blog on SQLite or PostgreSQL, whichever DATABASE_URL names."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pwdlib import PasswordHash
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import joinedload, selectinload

from database import Base, SessionDep, engine
from models import Post, User
from schemas import (
    PostCreate,
    PostOut,
    # region step 4.4: a post that shows its owner
    PostWithOwner,
    # endregion
    RowId,
    UserCreate,
    UserOut,
    # region step 4.2: a user that shows the posts
    UserWithPosts,
    # endregion
)

password_hasher = PasswordHash.recommended()
logger = logging.getLogger("uvicorn.error")  # the logger whose lines uvicorn shows


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Run once when the server starts (above the yield) and once when it stops (below)."""
    logger.info("Database: %s", engine.url.render_as_string(hide_password=True))
    try:
        Base.metadata.create_all(engine)
    except OperationalError as error:
        raise RuntimeError(f"DATABASE_URL leads to {engine.url!r}, which fails: {error.orig}") from None
    yield


app = FastAPI(title="Blog", lifespan=lifespan)


@app.exception_handler(OperationalError)
def report_unavailable_database(_request: Request, error: OperationalError) -> JSONResponse:
    logger.error("The database is not available: %s", error.orig)
    return JSONResponse({"detail": "The database is not available"}, status.HTTP_503_SERVICE_UNAVAILABLE)


@app.exception_handler(RequestValidationError)
def report_invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
    faults = [{key: fault[key] for key in ("type", "loc", "msg")} for fault in error.errors()]
    return JSONResponse({"detail": faults}, status.HTTP_422_UNPROCESSABLE_CONTENT)


@app.get("/")
def read_root() -> dict[str, str]:
    return {"message": "Database tables created!"}


@app.get("/health")
def read_health(session: SessionDep) -> dict[str, str]:
    """Tell which kind of database answers, and ask it something, to show that it does."""
    session.execute(text("SELECT 1"))
    return {"status": "ok", "database": engine.dialect.name}


@app.post("/users", response_model=UserOut, status_code=status.HTTP_201_CREATED)
def create_user(data: UserCreate, session: SessionDep) -> User:
    user = User(
        username=data.username,
        email=data.email.lower(),
        password_hash=password_hasher.hash(data.password.get_secret_value()),
    )
    session.add(user)
    try:
        # region step 4.6: flush sends the INSERT, so the answer has its id; get_db commits
        # starter: session.commit()  # TODO 4.6: send the statement and leave the commit to get_db.
        session.flush()
        # endregion
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "Username or email already taken") from error
    return user


@app.get("/users", response_model=list[UserOut])
def read_users(session: SessionDep) -> Sequence[User]:
    return session.scalars(select(User).order_by(User.id)).all()


# region step 4.3: one statement for the users, one for the posts of all of them
# starter: # TODO 4.3: GET /users-with-posts answers all users with their posts, in two statements.
@app.get("/users-with-posts", response_model=list[UserWithPosts])
def read_users_with_posts(session: SessionDep) -> Sequence[User]:
    return session.scalars(select(User).options(selectinload(User.posts)).order_by(User.id)).all()


# endregion


@app.get("/users/{user_id}", response_model=UserOut)
def read_user(user_id: RowId, session: SessionDep) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    return user


# region step 4.2: the path names the user, so a user that isn't there is 404, and one without posts is []
# starter: # TODO 4.2: GET /users/{user_id}/posts answers a user with the posts, or 404.
@app.get("/users/{user_id}/posts", response_model=UserWithPosts)
def read_user_posts(user_id: RowId, session: SessionDep) -> User:
    user = session.get(User, user_id, options=[selectinload(User.posts)])
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    return user


# endregion
# region step 4.7: the commit in get_db sends one DELETE; the posts are the database's affair
# starter: # TODO 4.7: DELETE /users/{user_id} answers 204 and deletes the user with the posts, or answers 404.
@app.delete("/users/{user_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_user(user_id: RowId, session: SessionDep) -> None:
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    session.delete(user)


# endregion


@app.post("/posts", response_model=PostOut, status_code=status.HTTP_201_CREATED)
def create_post(data: PostCreate, session: SessionDep) -> Post:
    post = Post(title=data.title, content=data.content, owner_id=data.owner_id)
    session.add(post)
    try:
        # region step 4.6: the database checks the owner now, while this route can still answer 409
        # starter: session.commit()  # TODO 4.6: send the statement and leave the commit to get_db.
        session.flush()
        # endregion
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "No such owner") from error
    return post


# region step 4.4: a post has one owner, so a JOIN brings both in one statement
# starter: # TODO 4.4: answer each post with its owner, without a statement for each.
# starter: @app.get("/posts", response_model=list[PostOut])
# starter: def read_posts(session: SessionDep) -> Sequence[Post]:
# starter:     return session.scalars(select(Post).order_by(Post.id)).all()
@app.get("/posts", response_model=list[PostWithOwner])
def read_posts(session: SessionDep) -> Sequence[Post]:
    return session.scalars(select(Post).options(joinedload(Post.owner)).order_by(Post.id)).all()


# endregion


@app.post("/posts/{post_id}/publish", response_model=PostOut)
def publish_post(post_id: RowId, session: SessionDep) -> Post:
    post = session.get(Post, post_id)
    if post is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "Post not found")
    post.published = True
    # region step 4.6: the UPDATE is sent, and the answer shows the new updated_at
    # starter: session.commit()  # TODO 4.6: send the statement and leave the commit to get_db.
    session.flush()
    # endregion
    return post
