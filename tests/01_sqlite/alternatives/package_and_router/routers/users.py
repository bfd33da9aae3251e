from collections.abc import Sequence

from fastapi import APIRouter, HTTPException
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, NoResultFound

from database import Db
from models import User
from schemas import UserCreate, UserOut

router = APIRouter(prefix="/users", tags=["users"])


@router.post("", response_model=UserOut, status_code=201)
def register(body: UserCreate, db: Db) -> User:
    user = User(body.username)
    try:
        with db.begin():
            db.add(user)
    except IntegrityError as error:
        raise HTTPException(409, "This name is taken.") from error
    return user


@router.get("", response_model=list[UserOut])
def read_all(db: Db) -> Sequence[User]:
    return db.scalars(select(User)).all()


@router.get("/{user_id}", response_model=UserOut)
def read_one(user_id: int, db: Db) -> User:
    try:
        return db.get_one(User, user_id)
    except NoResultFound as error:
        raise HTTPException(404) from error
