from collections.abc import Sequence

from fastapi import APIRouter, HTTPException
from pwdlib import PasswordHash
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from database import SessionDep
from models import User
from schemas import UserCreate, UserOut

router = APIRouter(prefix="/users", tags=["users"])
hasher = PasswordHash.recommended()


@router.post("", status_code=201)
def create(data: UserCreate, session: SessionDep) -> UserOut:
    values = data.model_dump(exclude={"password"})
    values["email"] = values["email"].lower()
    values["password_hash"] = hasher.hash(data.password.get_secret_value())
    try:
        user = User(**values)
        session.add(user)
        session.flush()
    except IntegrityError:
        session.rollback()
        raise HTTPException(409, "taken") from None
    session.commit()
    return UserOut.model_validate(user)


@router.get("", response_model=list[UserOut])
def read_all(session: SessionDep) -> Sequence[User]:
    return session.scalars(select(User)).all()


@router.get("/{user_id}", response_model=UserOut)
def read(user_id: int, session: SessionDep) -> User:
    if user := session.get(User, user_id):
        return user
    raise HTTPException(404)
