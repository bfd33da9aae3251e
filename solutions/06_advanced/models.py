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


# region step 6.10: both databases know partial indexes, each by its own argument
# starter: # TODO 6.10: what both indexes below have in common: postgresql_where=..., sqlite_where=...
def only_where(condition: str) -> dict[str, Any]:
    """The arguments of an index that holds only the rows for which the condition is true."""
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


# endregion
class User(Base):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'banned')", name="known_status"),
        # region step 6.5: what no form lets through must not come in another way
        # starter: # TODO 6.5: an age is between 0 and 150.
        CheckConstraint("age BETWEEN 0 AND 150", name="plausible_age"),
        # endregion
        # region step 6.10: unique among those who are there; who was deleted leaves the name to others
        # starter: # TODO 6.10: in place of unique=True below, a unique Index for the username and one for
        # starter: # the email, each only for the rows of users who are not deleted.
        Index("uq_users_live_username", "username", unique=True, **only_where("deleted_at IS NULL")),
        Index("uq_users_live_email", "email", unique=True, **only_where("deleted_at IS NULL")),
        # endregion
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # region step 6.10: the two indexes above say it now
    # starter: username: Mapped[str] = mapped_column(String(50), unique=True)
    # starter: email: Mapped[str] = mapped_column(String(100), unique=True)
    username: Mapped[str] = mapped_column(String(50))
    email: Mapped[str] = mapped_column(String(100))
    # endregion
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    status: Mapped[str] = mapped_column(String(20), server_default="active")
    display_name: Mapped[str] = mapped_column(String(50))
    # region step 6.2: those who run the place
    # starter: # TODO 6.2: is_staff, which is false for everyone who is there.
    is_staff: Mapped[bool] = mapped_column(server_default=false())
    # endregion
    # region step 6.5: what the lists can be filtered by
    # starter: # TODO 6.5: age, which may be unknown, and is_active, which is true for everyone who is there.
    age: Mapped[int | None]
    is_active: Mapped[bool] = mapped_column(server_default=true())
    # endregion
    # region step 6.9: one column says whether, and when
    # starter: # TODO 6.9: deleted_at, which is empty for those who are there.
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # endregion

    posts: Mapped[list["Post"]] = relationship(
        back_populates="owner",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
    # region step 6.22: the other side of Project.owner
    # starter: # TODO 6.22: owned_projects.
    owned_projects: Mapped[list["Project"]] = relationship(back_populates="owner", lazy="raise")
    # endregion

    # region step 6.9: the one definition of "not deleted", for every query
    # starter: # TODO 6.9: is_live, so that each query can ask for users who are not deleted.
    @hybrid_property
    def is_live(self) -> bool:
        return self.deleted_at is None

    @is_live.inplace.expression
    @classmethod
    def _is_live(cls) -> ColumnElement[bool]:
        return cls.deleted_at.is_(None)

    # endregion
    def __repr__(self) -> str:
        return f"User(id={self.id!r}, username={self.username!r})"


class Post(Base):
    __tablename__ = "posts"
    # region step 6.15: the feed reads the newest published posts, of everyone or of one owner
    # starter: # TODO 6.15: the indexes that the feed needs.
    __table_args__ = (
        Index("ix_posts_published", "is_published", "id"),
        Index("ix_posts_published_by_owner", "owner_id", "is_published", "id"),
    )
    # endregion

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
    # region step 6.12: a set of tags for each post, a set of posts for each tag
    # starter: # TODO 6.12: tags.
    tags: Mapped[list["Tag"]] = relationship(secondary="post_tags", order_by="Tag.id", lazy="raise")
    # endregion
    # region step 6.14: they go with the post, by the database's own rule
    # starter: # TODO 6.14: comments.
    comments: Mapped[list["Comment"]] = relationship(
        order_by="Comment.id",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
    # endregion

    def __repr__(self) -> str:
        return f"Post(id={self.id!r}, title={self.title!r})"


# region step 6.11: a tag is its name
# starter: # TODO 6.11: Tag.
class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)


# endregion
# region step 6.12: the pair is the key, so no tag is on a post twice; whichever side goes, the pair goes
# starter: # TODO 6.12: post_tags.
post_tags = Table(
    "post_tags",
    Base.metadata,
    Column("post_id", ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True, index=True),
)


# endregion
# region step 6.14: somebody's words below a post
# starter: # TODO 6.14: Comment.
class Comment(Base):
    __tablename__ = "comments"

    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), index=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)


# endregion
# region step 6.18: money is exact, and the database itself refuses what must never be
# starter: # TODO 6.18: Product, Order and OrderItem.
class Product(Base):
    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price >= 0", name="price_not_negative"),
        CheckConstraint("stock >= 0", name="stock_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    stock: Mapped[int]


class Order(Base):
    __tablename__ = "orders"
    # region step 6.21: two requests with the same key can't both store an order
    # starter: # TODO 6.21: the key is unique among the orders of a user.
    __table_args__ = (UniqueConstraint("user_id", "idempotency_key"),)
    # endregion

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"), index=True)
    total_amount: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    # region step 6.21: what the client calls its order, so that it can ask again
    # starter: # TODO 6.21: idempotency_key, which may be missing.
    idempotency_key: Mapped[str | None] = mapped_column(String(64))
    # endregion

    items: Mapped[list["OrderItem"]] = relationship(
        order_by="OrderItem.product_id",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class OrderItem(Base):
    """A line of an order, with the price of that day."""

    __tablename__ = "order_items"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity_positive"),)

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[int] = mapped_column(
        ForeignKey("products.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))


# endregion
# region step 6.22: who belongs to a project, and what they may do
# starter: # TODO 6.22: Project and ProjectMember.
class Project(Base):
    __tablename__ = "projects"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"), index=True)

    owner: Mapped[User] = relationship(back_populates="owned_projects", lazy="raise")
    members: Mapped[list["ProjectMember"]] = relationship(
        back_populates="project",
        order_by="ProjectMember.id",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class ProjectMember(Base):
    __tablename__ = "project_members"
    __table_args__ = (
        UniqueConstraint("project_id", "user_id"),
        CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="known_role"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(20), server_default=Role.MEMBER)
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())

    project: Mapped[Project] = relationship(back_populates="members", lazy="raise")
    user: Mapped[User] = relationship(lazy="raise")


# endregion
