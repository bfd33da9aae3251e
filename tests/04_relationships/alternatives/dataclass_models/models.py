"""Dataclasses, whose relationships are no arguments; an owner that is in the session already may be read."""

from datetime import UTC, datetime
from typing import Annotated

from sqlalchemy import DateTime, Dialect, ForeignKey, String, Text, TypeDecorator, false, func
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Mapped, mapped_column, relationship

from database import Base


class AwareText(TypeDecorator[datetime]):
    """A moment in SQLite: UTC, without saying so."""

    impl = sqlite.DATETIME
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


Moment = DateTime(timezone=True).with_variant(AwareText(), "sqlite")
Created = Annotated[datetime, mapped_column(Moment, server_default=func.now(), init=False, repr=False)]


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str] = mapped_column(String(100), unique=True, repr=False)
    password_hash: Mapped[str] = mapped_column(String(255), repr=False)
    created_at: Mapped[Created] = mapped_column(init=False, repr=False)
    posts: Mapped[list["Post"]] = relationship(
        back_populates="owner",
        lazy="raise_on_sql",
        cascade="save-update, merge, expunge, delete, delete-orphan",
        passive_deletes=True,
        init=False,
        repr=False,
    )


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text, repr=False)
    published: Mapped[bool] = mapped_column(server_default=false(), init=False)
    created_at: Mapped[Created] = mapped_column(init=False, repr=False)
    updated_at: Mapped[datetime] = mapped_column(
        Moment,
        server_default=func.now(),
        onupdate=func.now(),
        init=False,
        repr=False,
    )
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="cascade"), index=True)
    owner: Mapped[User] = relationship(back_populates="posts", lazy="raise_on_sql", init=False, repr=False)
