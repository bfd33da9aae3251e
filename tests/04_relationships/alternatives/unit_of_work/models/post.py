from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ForeignKeyConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from database import Base
from models.columns import HasTimes, Key

if TYPE_CHECKING:
    from models.user import User


class Post(HasTimes, Base):
    __tablename__ = "posts"
    __table_args__ = (ForeignKeyConstraint(["owner_id"], ["users.id"], ondelete="CASCADE"),)

    id: Mapped[Key]
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text())
    published: Mapped[bool] = mapped_column(server_default=text("FALSE"))
    owner_id: Mapped[int]

    owner: Mapped[User] = relationship(back_populates="posts", lazy="raise_on_sql", innerjoin=True)

    def __repr__(self) -> str:
        return f"<Post {self.id}: {self.title}>"


Index(None, Post.owner_id, Post.created_at)
