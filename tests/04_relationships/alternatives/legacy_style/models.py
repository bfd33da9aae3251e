"""Untyped columns, and one relationship with a backref that makes the other side."""

# mypy: ignore-errors
import datetime as dt

from sqlalchemy import TIMESTAMP, Boolean, Column, ForeignKey, Integer, String, Text, func
from sqlalchemy.orm import backref, relationship
from sqlalchemy.types import TypeDecorator

from database import Base


class UTCTime(TypeDecorator):
    impl = TIMESTAMP
    cache_ok = True

    def load_dialect_impl(self, dialect):
        return dialect.type_descriptor(TIMESTAMP(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value, dialect):
        if value is None:
            return None
        value = value.astimezone(dt.timezone.utc)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value, dialect):
        if value is None:
            return None
        if value.tzinfo is None:
            value = value.replace(tzinfo=dt.timezone.utc)
        return value.astimezone(dt.timezone.utc)


class User(Base):
    __tablename__ = "users"

    id = Column(Integer, primary_key=True)
    username = Column(String(50), unique=True, nullable=False)
    email = Column(String(100), unique=True, nullable=False)
    password_hash = Column(String(255), nullable=False)
    created_at = Column(UTCTime, server_default=func.current_timestamp(), nullable=False)

    def __repr__(self):
        return "<User(id=%s, username='%s')>" % (self.id, self.username)


class Post(Base):
    __tablename__ = "posts"

    id = Column(Integer, primary_key=True)
    title = Column(String(200), nullable=False)
    content = Column(Text, nullable=False)
    published = Column(Boolean, server_default="0", nullable=False)
    created_at = Column(UTCTime, server_default=func.current_timestamp(), nullable=False)
    updated_at = Column(
        UTCTime,
        server_default=func.current_timestamp(),
        onupdate=func.current_timestamp(),
        nullable=False,
    )
    owner_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)

    owner = relationship(
        "User",
        lazy="raise",
        backref=backref("posts", lazy="raise", cascade="all, delete-orphan", passive_deletes=True),
    )

    def __repr__(self):
        return "<Post(id=%s, title='%s')>" % (self.id, self.title)
