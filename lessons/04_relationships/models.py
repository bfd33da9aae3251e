"""The blog's tables, as classes: users, and the posts they own."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, ForeignKey, String, Text, TypeDecorator, false, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from database import Base


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware in Python, in UTC in the database, whichever database it is."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a datetime without a time zone is not a moment")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:  # SQLite returns it as it was stored: in UTC
            return value.replace(tzinfo=UTC)
        return value and value.astimezone(UTC)


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())

    # TODO 4.1: posts, the list of this user's posts.
    # TODO 4.5: reading posts that no query has loaded is an error.

    def __repr__(self) -> str:
        return f"User(id={self.id!r}, username={self.username!r})"


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now(), onupdate=func.now())
    # TODO 4.7: the database deletes the posts of a deleted user.
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)

    # TODO 4.1: owner, the user that the post belongs to.
    # TODO 4.5: and so is reading an owner that no query has loaded.

    def __repr__(self) -> str:
        return f"Post(id={self.id!r}, title={self.title!r})"
