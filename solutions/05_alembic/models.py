"""The blog's tables, as classes: users, and the posts they own."""

from datetime import UTC, datetime

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    String,
    Text,
    TypeDecorator,
    false,
    func,
)
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
    # region step 5.6: the naming convention makes it ck_users_known_status
    # starter: # TODO 5.6: a status is active or banned, by a rule of the database.
    __table_args__ = (CheckConstraint("status IN ('active', 'banned')", name="known_status"),)
    # endregion

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    # region step 5.4: rows that were there before get the server's default, and so do those of other programs
    # starter: # TODO 5.4: status, "active" unless something else is said.
    status: Mapped[str] = mapped_column(String(20), server_default="active")
    # endregion
    # region step 5.10: the app of before doesn't fill it in, so it may be empty while that app serves
    # starter: # TODO 5.10: display_name, which may be empty for now.
    # starter: # TODO 5.11: and now it may not.
    # region step 5.11: no app of before is left
    # starter: display_name: Mapped[str | None] = mapped_column(String(50))  # TODO 5.11: required.
    display_name: Mapped[str] = mapped_column(String(50))
    # endregion
    # endregion

    posts: Mapped[list["Post"]] = relationship(
        back_populates="owner",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )

    def __repr__(self) -> str:
        return f"User(id={self.id!r}, username={self.username!r})"


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    # region step 5.5: the names of flags begin with is_
    # starter: # TODO 5.5: is_published, as all flags will be called.
    # starter: published: Mapped[bool] = mapped_column(server_default=false())
    is_published: Mapped[bool] = mapped_column(server_default=false())
    # endregion
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now(), onupdate=func.now())
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)

    owner: Mapped[User] = relationship(
        back_populates="posts",
        lazy="raise",
    )

    def __repr__(self) -> str:
        return f"Post(id={self.id!r}, title={self.title!r})"
