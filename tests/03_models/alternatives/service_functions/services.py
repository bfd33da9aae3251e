"""Functions between the routes and the models, errors of their own, and argon2-cffi without pwdlib."""

from typing import TypeVar

from argon2 import PasswordHasher
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import Post, User
from schemas import PostCreate, UserCreate

Model = TypeVar("Model", User, Post)
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


class Conflict(Exception):
    """What was asked for doesn't fit what is stored."""


class Missing(Exception):
    """There is no such thing."""


def register(session: Session, data: UserCreate) -> User:
    """Store a new user."""
    hashed = _hasher.hash(data.password.get_secret_value())
    user = User(username=data.username, email=data.email.casefold(), password_hash=hashed)
    return _store(session, user)


def draft(session: Session, data: PostCreate) -> Post:
    """Store a new post."""
    return _store(session, Post(**data.model_dump()))


def publish(session: Session, post_id: int) -> Post:
    """Make a post public."""
    post = find(session, Post, post_id)
    post.published = True
    session.commit()
    session.refresh(post)
    return post


def find(session: Session, model: type[Model], row_id: int) -> Model:
    """The row of that id."""
    row = session.get(model, row_id)
    if row is None:
        raise Missing
    return row


def _store(session: Session, row: Model) -> Model:
    try:
        session.add(row)
        session.commit()
    except IntegrityError as error:
        session.rollback()
        raise Conflict from error
    return row
