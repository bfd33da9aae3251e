"""SQLModel: Relationship, with cascade_delete, passive_deletes and ondelete in its own words."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Text, TypeDecorator, text
from sqlmodel import Field, Relationship, SQLModel


class Moment(TypeDecorator[datetime]):
    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


NOW = {"server_default": text("CURRENT_TIMESTAMP")}


class User(SQLModel, table=True):
    __tablename__ = "users"

    id: int | None = Field(default=None, primary_key=True)
    username: str = Field(max_length=50, unique=True)
    email: str = Field(max_length=100, unique=True)
    password_hash: str = Field(max_length=255, repr=False)
    created_at: datetime = Field(default=None, nullable=False, sa_type=Moment, sa_column_kwargs=NOW)

    posts: list["Post"] = Relationship(
        back_populates="owner",
        cascade_delete=True,
        passive_deletes=True,
        sa_relationship_kwargs={"lazy": "raise"},
    )


class Post(SQLModel, table=True):
    __tablename__ = "posts"

    id: int | None = Field(default=None, primary_key=True)
    title: str = Field(max_length=200)
    content: str = Field(sa_type=Text)
    published: bool = Field(default=None, nullable=False, sa_column_kwargs={"server_default": text("false")})
    created_at: datetime = Field(default=None, nullable=False, sa_type=Moment, sa_column_kwargs=NOW)
    updated_at: datetime = Field(
        default=None,
        nullable=False,
        sa_type=Moment,
        sa_column_kwargs={**NOW, "onupdate": text("CURRENT_TIMESTAMP")},
    )
    owner_id: int = Field(foreign_key="users.id", ondelete="CASCADE", index=True)

    owner: User = Relationship(back_populates="posts", sa_relationship_kwargs={"lazy": "raise"})
