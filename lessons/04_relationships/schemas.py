"""What goes in and out over HTTP."""

from datetime import datetime
from typing import Annotated

from annotated_types import Interval
from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr

# TODO 4.2: the ids that the database can hold: from 1 to 2,147,483,647.
RowId = int


class UserCreate(BaseModel):
    username: str = Field(min_length=1, max_length=50)
    email: EmailStr = Field(max_length=100)
    password: SecretStr = Field(min_length=8, max_length=128)


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    email: str
    created_at: datetime


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


# TODO 4.2: UserWithPosts, a UserOut with the user's posts.
# TODO 4.4: PostWithOwner, a PostOut with the owner's id and username.
