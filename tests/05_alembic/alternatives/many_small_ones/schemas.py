"""What goes in and out over HTTP."""

from datetime import datetime
from typing import Annotated

from annotated_types import Interval
from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr

RowId = Annotated[int, Interval(ge=1, le=2**31 - 1)]


class UserCreate(BaseModel):
    username: str = Field(min_length=1, max_length=50)
    email: EmailStr = Field(max_length=100)
    password: SecretStr = Field(min_length=8, max_length=128)
    display_name: str | None = Field(default=None, min_length=1, max_length=50)


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    email: str
    created_at: datetime
    status: str
    display_name: str


class PostCreate(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    content: str = Field(min_length=1)
    owner_id: RowId


class PostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    content: str
    published: bool
    created_at: datetime
    updated_at: datetime
    owner_id: int


class UserWithPosts(UserOut):
    posts: list[PostOut]


class OwnerOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str


class PostWithOwner(PostOut):
    owner: OwnerOut
