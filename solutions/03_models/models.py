"""The blog's tables, as classes: users, and the posts they own."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, ForeignKey, String, Text, TypeDecorator, false, func
from sqlalchemy.orm import Mapped, mapped_column

from database import Base


# region step 3.4: PostgreSQL keeps a moment in UTC, SQLite keeps no zone at all; this type makes them agree
# starter: # TODO 3.4: a column type whose values are aware datetimes in UTC on both databases.
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


# endregion


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    # region step 3.2: a length and a rule in the database hold for every program that writes to it
    # starter: # TODO 3.2: username of 50 characters and email of 100, both unique, both required.
    # starter: username: Mapped[str] = mapped_column(unique=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str] = mapped_column(String(100), unique=True)
    # endregion
    # region step 3.3: never the password itself, so a stolen table doesn't open the accounts
    # starter: # TODO 3.3: keep a hash of the password, and never the password.
    password_hash: Mapped[str] = mapped_column(String(255))
    # endregion
    # region step 3.4: the database's own clock, also for rows that other programs insert
    # starter: # TODO 3.4: created_at, set by the database.
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    # endregion

    # region step 3.7: what a log line or a debugger may show
    # starter: # TODO 3.7: a __repr__ that names the user and shows no secret.
    def __repr__(self) -> str:
        return f"User(id={self.id!r}, username={self.username!r})"

    # endregion


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    # region step 3.5: without a Python default, a raw INSERT and the ORM give the same draft
    # starter: # TODO 3.5: a title of 200 characters, a content, and a draft unless published.
    # starter: title: Mapped[str]
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(server_default=false())
    # endregion
    # region step 3.6: onupdate is sent with every UPDATE that SQLAlchemy writes
    # starter: # TODO 3.6: created_at, and updated_at, which moves with every update.
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now(), onupdate=func.now())
    # endregion
    # region step 3.5: both databases index a primary key by themselves, and no foreign key
    # starter: owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))  # TODO 3.5: and an index.
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    # endregion

    # region step 3.7: what a log line or a debugger may show
    # starter: # TODO 3.7: a __repr__ that names the post.
    def __repr__(self) -> str:
        return f"Post(id={self.id!r}, title={self.title!r})"

    # endregion
