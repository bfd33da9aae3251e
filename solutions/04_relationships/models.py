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

    # region step 4.1: the other side of Post.owner; a relationship is no column
    # starter: # TODO 4.1: posts, the list of this user's posts.
    # starter: # TODO 4.5: reading posts that no query has loaded is an error.
    posts: Mapped[list["Post"]] = relationship(
        back_populates="owner",
        # region step 4.5: who wants the posts says so in the query; to forget it is an error, not a slow page
        # starter: # TODO 4.5: reading posts that no query has loaded is an error.
        lazy="raise",
        # endregion
        # region step 4.7: the database deletes them, so the ORM needn't load them first
        # starter: # TODO 4.7: a user's posts go with the user, and no post stays without an owner.
        cascade="all, delete-orphan",
        passive_deletes=True,
        # endregion
    )
    # endregion

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
    # region step 4.7: a rule of the database holds for every program that deletes a user
    # starter: # TODO 4.7: the database deletes the posts of a deleted user.
    # starter: owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # endregion

    # region step 4.1: back_populates names the attribute on the other side, so both change together
    # starter: # TODO 4.1: owner, the user that the post belongs to.
    # starter: # TODO 4.5: and so is reading an owner that no query has loaded.
    owner: Mapped[User] = relationship(
        back_populates="posts",
        # region step 4.5: the same on this side
        # starter: # TODO 4.5: and so is reading an owner that no query has loaded.
        lazy="raise",
        # endregion
    )
    # endregion

    def __repr__(self) -> str:
        return f"Post(id={self.id!r}, title={self.title!r})"
