"""Users: they sign up, are looked up, change, and go."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Body, Query, status
from sqlalchemy import select

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from database import SessionDep
from errors import Conflict, NotAllowed, NotFound, NotLoggedIn, problems
from models import User
from routers import Router
from schemas import (
    ActiveUsers,
    Message,
    PageQuery,
    RowId,
    UserCreate,
    UserFilter,
    UserOut,
    UserPage,
    UsersCreated,
    UsersDeactivated,
    UserUpdate,
    UserWithPosts,
)

from security import password_hasher

router = Router(tags=["users"])


# TODO 6.4: UserService does the work of these routes.
@router.post(
    "/users", response_model=UserOut, status_code=status.HTTP_201_CREATED, responses=problems(Conflict)
)
def create_user(data: UserCreate, session: SessionDep) -> User:
    user = User(
        username=data.username,
        email=data.email,
        password_hash=password_hasher.hash(data.password.get_secret_value()),
        display_name=data.display_name or data.username,
    )
    session.add(user)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("Username or email already taken") from error
    return user


# TODO 6.6: a page, filtered, with the total.
@router.get("/users", response_model=list[UserOut])
def read_users(session: SessionDep) -> Sequence[User]:
    return session.scalars(select(User).order_by(User.id)).all()


@router.get("/users-with-posts", response_model=list[UserWithPosts])
def read_users_with_posts(page: PageQuery, session: SessionDep) -> Sequence[User]:
    found = select(User).options(selectinload(User.posts)).order_by(User.id)
    # TODO 6.9: without those who were deleted.
    return session.scalars(found.offset(page.skip).limit(page.limit)).all()


# TODO 6.7: POST /users/bulk-create, for the staff.
# TODO 6.8: PUT /users/bulk-deactivate, for the staff.
# TODO 6.5: GET /users/active.
# TODO 6.1: GET /users/me.
@router.get("/users/{user_id}", response_model=UserOut, responses=problems(NotFound))
def read_user(user_id: RowId, session: SessionDep) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("User not found")
    return user


@router.get("/users/{user_id}/posts", response_model=UserWithPosts, responses=problems(NotFound))
def read_user_posts(user_id: RowId, session: SessionDep) -> User:
    found = select(User).where(User.id == user_id).options(selectinload(User.posts))
    # TODO 6.9: unless the user was deleted.
    user = session.scalar(found)
    if user is None:
        raise NotFound("User not found")
    return user


# TODO 6.2: only oneself, or the staff, may do this.
@router.delete("/users/{user_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(NotFound))
def delete_user(user_id: RowId, session: SessionDep) -> None:
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("User not found")
    session.delete(user)
