"""The tables, as classes: users and their posts, tags and comments; products and orders; projects."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Numeric,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    func,
    text,
    true,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.sql import ColumnElement

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


class Role(StrEnum):
    """What a member of a project may do."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


# TODO 6.10: what both indexes below have in common: postgresql_where=..., sqlite_where=...
class User(Base):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'banned')", name="known_status"),
        # TODO 6.5: an age is between 0 and 150.
        # TODO 6.10: in place of unique=True below, a unique Index for the username and one for
        # the email, each only for the rows of users who are not deleted.
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    status: Mapped[str] = mapped_column(String(20), server_default="active")
    display_name: Mapped[str] = mapped_column(String(50))
    # TODO 6.2: is_staff, which is false for everyone who is there.
    # TODO 6.5: age, which may be unknown, and is_active, which is true for everyone who is there.
    # TODO 6.9: deleted_at, which is empty for those who are there.

    posts: Mapped[list["Post"]] = relationship(
        back_populates="owner",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
    # TODO 6.22: owned_projects.

    # TODO 6.9: is_live, so that each query can ask for users who are not deleted.
    def __repr__(self) -> str:
        return f"User(id={self.id!r}, username={self.username!r})"


class Post(Base):
    __tablename__ = "posts"
    # TODO 6.15: the indexes that the feed needs.

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    is_published: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now(), onupdate=func.now())
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)

    owner: Mapped[User] = relationship(
        back_populates="posts",
        lazy="raise",
    )
    # TODO 6.12: tags.
    # TODO 6.14: comments.

    def __repr__(self) -> str:
        return f"Post(id={self.id!r}, title={self.title!r})"


# TODO 6.11: Tag.
# TODO 6.12: post_tags.
# TODO 6.14: Comment.
# TODO 6.18: Product, Order and OrderItem.
# TODO 6.22: Project and ProjectMember.
