"""Users: they sign up, are looked up, change, and go."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Body, Query, status
from sqlalchemy import select

# region step 6.4: the service catches it
# starter: from sqlalchemy.exc import IntegrityError
# endregion
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

# region step 6.1: who is asking
# starter: from security import password_hasher
# region step 6.2: and who may
# starter: from security import CurrentUser, password_hasher
# region step 6.4: the service hashes passwords
# starter: from security import CurrentUser, Staff, password_hasher, require_self_or_staff
from security import CurrentUser, Staff, require_self_or_staff

# endregion
# endregion
# endregion
# region step 6.4: the service does the work
from services.users import UserServiceDep

# endregion

router = Router(tags=["users"])


# region step 6.4: sign-up, for everyone
# starter: # TODO 6.4: UserService does the work of these routes.
# starter: @router.post(
# starter:     "/users", response_model=UserOut, status_code=status.HTTP_201_CREATED, responses=problems(Conflict)
# starter: )
# starter: def create_user(data: UserCreate, session: SessionDep) -> User:
# starter:     user = User(
# starter:         username=data.username,
# starter:         email=data.email,
# starter:         password_hash=password_hasher.hash(data.password.get_secret_value()),
# starter:         display_name=data.display_name or data.username,
# starter:     )
# starter:     session.add(user)
# starter:     try:
# starter:         session.flush()
# starter:     except IntegrityError as error:
# starter:         raise Conflict("Username or email already taken") from error
# starter:     return user
@router.post(
    "/users", response_model=UserOut, status_code=status.HTTP_201_CREATED, responses=problems(Conflict)
)
def create_user(data: UserCreate, users: UserServiceDep) -> User:
    return users.create(data)


# endregion
# region step 6.6: the query's model checks what is asked; the answer says how much there is
# starter: # TODO 6.6: a page, filtered, with the total.
# starter: @router.get("/users", response_model=list[UserOut])
# starter: def read_users(session: SessionDep) -> Sequence[User]:
# starter:     return session.scalars(select(User).order_by(User.id)).all()
@router.get("/users")
def read_users(asked: Annotated[UserFilter, Query()], users: UserServiceDep) -> UserPage:
    total, found = users.get_page(asked)
    page = [UserOut.model_validate(user) for user in found]
    return UserPage(total=total, skip=asked.skip, limit=asked.limit, users=page)


# endregion
@router.get("/users-with-posts", response_model=list[UserWithPosts])
def read_users_with_posts(page: PageQuery, session: SessionDep) -> Sequence[User]:
    found = select(User).options(selectinload(User.posts)).order_by(User.id)
    # region step 6.9: hidden means hidden everywhere
    # starter: # TODO 6.9: without those who were deleted.
    found = found.where(User.is_live)
    # endregion
    return session.scalars(found.offset(page.skip).limit(page.limit)).all()


# region step 6.7: the names of columns and fields don't tell strangers what they may do
# starter: # TODO 6.7: POST /users/bulk-create, for the staff.
@router.post(
    "/users/bulk-create",
    status_code=status.HTTP_201_CREATED,
    responses=problems(Conflict, NotAllowed, NotLoggedIn),
)
def create_users(
    data: Annotated[list[UserCreate], Body(min_length=1, max_length=1000)],
    _staff: Staff,
    users: UserServiceDep,
) -> UsersCreated:
    created = [UserOut.model_validate(user) for user in users.create_many(data)]
    return UsersCreated(message=f"Created {len(created)} users", users=created)


# endregion
# region step 6.8: what was asked for, and what really changed, are two things
# starter: # TODO 6.8: PUT /users/bulk-deactivate, for the staff.
@router.put("/users/bulk-deactivate", responses=problems(NotAllowed, NotLoggedIn))
def deactivate_users(
    ids: Annotated[list[RowId], Body(min_length=1, max_length=1000)], _staff: Staff, users: UserServiceDep
) -> UsersDeactivated:
    affected, unknown = users.deactivate(ids)
    message = f"Deactivated {len(affected)} users"
    return UsersDeactivated(message=message, affected_ids=affected, unknown_ids=unknown)


# endregion
# region step 6.5: before /users/{user_id}, which would take "active" for an id
# starter: # TODO 6.5: GET /users/active.
@router.get("/users/active", response_model=ActiveUsers)
def read_active_users(page: PageQuery, users: UserServiceDep) -> dict[str, Sequence[User]]:
    return {"users": users.get_active_users(page.skip, page.limit)}


# endregion
# region step 6.1: before /users/{user_id}, which would take "me" for an id
# starter: # TODO 6.1: GET /users/me.
@router.get("/users/me", response_model=UserOut, responses=problems(NotLoggedIn))
def read_me(user: CurrentUser) -> User:
    return user


# endregion
# region step 6.4: the service looks, the route says 404
# starter: @router.get("/users/{user_id}", response_model=UserOut, responses=problems(NotFound))
# starter: def read_user(user_id: RowId, session: SessionDep) -> User:
# starter:     user = session.get(User, user_id)
# starter:     if user is None:
# starter:         raise NotFound("User not found")
# starter:     return user
@router.get("/users/{user_id}", response_model=UserOut, responses=problems(NotFound))
def read_user(user_id: RowId, users: UserServiceDep) -> User:
    user = users.get(user_id)
    if user is None:
        raise NotFound("User not found")
    return user


@router.patch(
    "/users/{user_id}",
    response_model=UserOut,
    responses=problems(NotLoggedIn, NotAllowed, NotFound, Conflict),
)
def update_user(user_id: RowId, data: UserUpdate, caller: CurrentUser, users: UserServiceDep) -> User:
    require_self_or_staff(caller, user_id)
    user = users.update(user_id, data)
    if user is None:
        raise NotFound("User not found")
    return user


# endregion
@router.get("/users/{user_id}/posts", response_model=UserWithPosts, responses=problems(NotFound))
def read_user_posts(user_id: RowId, session: SessionDep) -> User:
    found = select(User).where(User.id == user_id).options(selectinload(User.posts))
    # region step 6.9: hidden means hidden everywhere
    # starter: # TODO 6.9: unless the user was deleted.
    found = found.where(User.is_live)
    # endregion
    user = session.scalar(found)
    if user is None:
        raise NotFound("User not found")
    return user


# region step 6.2: only oneself, or the staff
# starter: # TODO 6.2: only oneself, or the staff, may do this.
# starter: @router.delete("/users/{user_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(NotFound))
# starter: def delete_user(user_id: RowId, session: SessionDep) -> None:
# starter:     user = session.get(User, user_id)
# starter:     if user is None:
# starter:         raise NotFound("User not found")
# starter:     session.delete(user)
# region step 6.9: the row stays, for what refers to it, and so does the time of the first request
# starter: # TODO 6.9: hide the user, here and in DELETE /users/{user_id}/soft-delete.
# starter: @router.delete(
# starter:     "/users/{user_id}",
# starter:     status_code=status.HTTP_204_NO_CONTENT,
# starter:     responses=problems(NotLoggedIn, NotAllowed, NotFound),
# starter: )
# starter: def delete_user(user_id: RowId, caller: CurrentUser, session: SessionDep) -> None:
# starter:     require_self_or_staff(caller, user_id)
# starter:     user = session.get(User, user_id)
# starter:     if user is None:
# starter:         raise NotFound("User not found")
# starter:     session.delete(user)
@router.delete(
    "/users/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(NotLoggedIn, NotAllowed, NotFound),
)
def delete_user(user_id: RowId, caller: CurrentUser, users: UserServiceDep) -> None:
    require_self_or_staff(caller, user_id)
    users.soft_delete(user_id)


@router.delete("/users/{user_id}/soft-delete", responses=problems(NotLoggedIn, NotAllowed, NotFound))
def soft_delete_user(user_id: RowId, caller: CurrentUser, users: UserServiceDep) -> Message:
    delete_user(user_id, caller, users)
    return Message(message="User soft deleted")


# endregion
# endregion
