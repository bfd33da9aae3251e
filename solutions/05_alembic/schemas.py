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
    # region step 5.10: clients of before don't send it
    # starter: # TODO 5.10: an optional display_name of 1 to 50 characters.
    display_name: str | None = Field(default=None, min_length=1, max_length=50)
    # endregion


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    email: str
    created_at: datetime
    # region step 5.4: shown to the client
    # starter: # TODO 5.4: the status goes out too.
    status: str
    # endregion
    # region step 5.10: shown, even where it is still empty
    # starter: # TODO 5.10: and the display_name.
    # region step 5.11: it is never empty now
    # starter: display_name: str | None  # TODO 5.11: never null.
    display_name: str
    # endregion
    # endregion


class PostCreate(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    content: str = Field(min_length=1)
    owner_id: RowId


class PostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    content: str
    # region step 5.5: a column may change its name; a field of the API is a promise to its clients
    # starter: published: bool  # TODO 5.5: the field keeps its name, its value comes from is_published.
    published: bool = Field(validation_alias="is_published")
    # endregion
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
