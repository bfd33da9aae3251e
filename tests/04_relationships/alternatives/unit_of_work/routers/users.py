from collections.abc import Iterable

from fastapi import APIRouter
from pwdlib import PasswordHash
from sqlalchemy import select
from sqlalchemy.orm import subqueryload

from database import SessionDep
from models import User
from routers.found import FoundAuthor, FoundUser
from schemas import UserCreate, UserOut, UserWithPosts

router = APIRouter(tags=["users"])
hasher = PasswordHash.recommended()


@router.post("/users", status_code=201)
def create(data: UserCreate, session: SessionDep) -> UserOut:
    user = User(
        username=data.username,
        email=data.email.lower(),
        password_hash=hasher.hash(data.password.get_secret_value()),
    )
    session.add(user)
    session.flush()
    return UserOut.model_validate(user)


@router.get("/users", response_model=list[UserOut])
def read_all(session: SessionDep) -> Iterable[User]:
    return session.scalars(select(User))


@router.get("/users-with-posts")
def read_all_with_posts(session: SessionDep) -> list[UserWithPosts]:
    users = session.scalars(select(User).options(subqueryload(User.posts)))
    return [UserWithPosts.model_validate(user) for user in users]


@router.get("/users/{user_id}", response_model=UserOut)
def read(user: FoundUser) -> User:
    return user


@router.get("/users/{user_id}/posts", response_model=UserWithPosts)
def read_with_posts(user: FoundAuthor) -> User:
    return user


@router.delete("/users/{user_id}", status_code=204)
def remove(user: FoundUser, session: SessionDep) -> None:
    session.delete(user)
