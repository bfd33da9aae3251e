"""What goes in and out over HTTP."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr


class UserCreate(BaseModel):
    username: str = Field(min_length=1, max_length=50)
    # TODO 3.2: a valid email of at most 100 characters.
    # TODO 3.3: a password of 8 to 128 characters.


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    # TODO 3.2: the email goes out too.
    # TODO 3.4: and created_at.


class PostCreate(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    # TODO 3.5: the content, of at least one character.
    owner_id: int


class PostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    # TODO 3.5: the content, and published.
    # TODO 3.6: created_at and updated_at.
    owner_id: int
