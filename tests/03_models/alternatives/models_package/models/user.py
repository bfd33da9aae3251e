from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database import Base
from models.columns import HasCreated, Key


class User(HasCreated, Base):
    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("username"), UniqueConstraint("email"))

    id: Mapped[Key]
    username: Mapped[str] = mapped_column(String(50))
    email: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(255))

    def __repr__(self) -> str:
        return f"<User {self.id}: {self.username}>"
