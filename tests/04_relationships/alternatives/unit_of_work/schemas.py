"""One base with from_attributes, limits from pydantic itself, and schemas that the routes fill."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, EmailStr, Field, PositiveInt, SecretStr

RowId = Annotated[PositiveInt, Field(lt=2**31)]


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int


class UserCreate(BaseModel):
    username: str = Field(min_length=1, max_length=50)
    email: EmailStr = Field(max_length=100)
    password: SecretStr = Field(min_length=8, max_length=128)


class PostCreate(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    content: str = Field(min_length=1)
    owner_id: RowId


class OwnerOut(Out):
    username: str


class UserOut(OwnerOut):
    email: str
    created_at: datetime


class PostOut(Out):
    title: str
    content: str
    published: bool
    created_at: datetime
    updated_at: datetime
    owner_id: int


class UserWithPosts(UserOut):
    posts: list[PostOut] = []


class PostWithOwner(PostOut):
    owner: OwnerOut
