from sqlmodel import Field, SQLModel


class UserBase(SQLModel):
    username: str = Field(min_length=1, max_length=50)


class User(UserBase, table=True):
    __tablename__ = "users"

    id: int | None = Field(default=None, primary_key=True)
    username: str = Field(unique=True)


class PostBase(SQLModel):
    title: str = Field(min_length=1, max_length=200)
    owner_id: int = Field(foreign_key="users.id")


class Post(PostBase, table=True):
    __tablename__ = "posts"

    id: int | None = Field(default=None, primary_key=True)
