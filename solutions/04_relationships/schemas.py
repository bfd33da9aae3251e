"""What goes in and out over HTTP."""

from datetime import datetime
from typing import Annotated

from annotated_types import Interval
from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr

# region step 4.2: a number that no id can be never reaches the database, which would fail on it
# starter: # TODO 4.2: the ids that the database can hold: from 1 to 2,147,483,647.
# starter: RowId = int
RowId = Annotated[int, Interval(ge=1, le=2**31 - 1)]
# endregion


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


# region step 4.2: the nested models are filled from user.posts, an ORM object's attribute
# starter: # TODO 4.2: UserWithPosts, a UserOut with the user's posts.
class UserWithPosts(UserOut):
    posts: list[PostOut]


# endregion
# region step 4.4: an owner is shown by name; an email is not for everyone who reads a post
# starter: # TODO 4.4: PostWithOwner, a PostOut with the owner's id and username.
class OwnerOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str


class PostWithOwner(PostOut):
    owner: OwnerOut


# endregion
