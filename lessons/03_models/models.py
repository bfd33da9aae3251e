"""The blog's tables, as classes: users, and the posts they own."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, ForeignKey, String, Text, TypeDecorator, false, func
from sqlalchemy.orm import Mapped, mapped_column

from database import Base


# TODO 3.4: a column type whose values are aware datetimes in UTC on both databases.


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    # TODO 3.2: username of 50 characters and email of 100, both unique, both required.
    username: Mapped[str] = mapped_column(unique=True)
    # TODO 3.3: keep a hash of the password, and never the password.
    # TODO 3.4: created_at, set by the database.

    # TODO 3.7: a __repr__ that names the user and shows no secret.


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    # TODO 3.5: a title of 200 characters, a content, and a draft unless published.
    title: Mapped[str]
    # TODO 3.6: created_at, and updated_at, which moves with every update.
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))  # TODO 3.5: and an index.

    # TODO 3.7: a __repr__ that names the post.
