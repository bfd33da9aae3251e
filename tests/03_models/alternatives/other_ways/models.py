"""A password that can only be written, an event in the place of onupdate, and a type that builds on text."""

from datetime import UTC, datetime
from typing import Any

from pwdlib import PasswordHash
from sqlalchemy import Boolean, DateTime, Dialect, ForeignKey, String, Text, TypeDecorator, event, func, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from database import Base

hasher = PasswordHash.recommended()


class Moment(TypeDecorator[datetime]):
    impl = DateTime
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(timezone=True)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is UTC:
            return value
        return value.astimezone(UTC) if value.tzinfo else datetime.combine(value.date(), value.time(), UTC)


def now_by_database() -> Mapped[datetime]:
    return mapped_column(Moment(), server_default=func.now())


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column("username", String(50), unique=True, nullable=False)
    email: Mapped[str] = mapped_column(String(100), unique=True, nullable=False)
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = now_by_database()

    def __init__(self, *, password: str | None = None, **values: Any) -> None:
        super().__init__(**values)
        if password is not None:
            self.password_hash = hasher.hash(password)

    @validates("email")
    def lower(self, _key: str, email: str) -> str:
        return email.lower()

    def __repr__(self) -> str:
        return "{0.__class__.__name__} {0.id} {0.username}".format(self)


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(length=200))
    content: Mapped[str] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(Boolean, default=False, server_default=text("false"))
    created_at: Mapped[datetime] = now_by_database()
    updated_at: Mapped[datetime] = now_by_database()
    owner_id: Mapped[int] = mapped_column(ForeignKey(User.id), index=True)

    def __repr__(self) -> str:
        return "{0.__class__.__name__} {0.id} {0.title}".format(self)


@event.listens_for(Post, "before_update")
def touch(_mapper: object, _connection: object, post: Post) -> None:
    post.updated_at = datetime.now(UTC)
