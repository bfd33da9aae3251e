from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from database import Base
from models.columns import HasTimes, Key


class Post(HasTimes, Base):
    __tablename__ = "posts"

    id: Mapped[Key]
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text())
    published: Mapped[bool] = mapped_column(server_default=text("FALSE"))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    def __repr__(self) -> str:
        return f"<Post {self.id}: {self.title}>"


Index(None, Post.owner_id, Post.created_at)
