"""Validators in the place of EmailStr's defaults and of SecretStr; times as texts."""

from datetime import datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    PlainSerializer,
    StringConstraints,
)

Email = Annotated[EmailStr, StringConstraints(max_length=100, to_lower=True)]
Time = Annotated[datetime, PlainSerializer(lambda moment: moment.isoformat(), return_type=str)]


def check_length(password: str) -> str:
    if not 8 <= len(password) <= 128:
        raise ValueError("a password has 8 to 128 characters")
    return password


class UserCreate(BaseModel):
    username: Annotated[str, StringConstraints(min_length=1, max_length=50)]
    email: Email
    password: Annotated[str, AfterValidator(check_length), Field(repr=False)]


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    email: str
    created_at: Time


class PostCreate(BaseModel):
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    content: Annotated[str, StringConstraints(min_length=1)]
    owner_id: int


class PostOut(PostCreate):
    model_config = ConfigDict(from_attributes=True)

    id: int
    published: bool
    created_at: Time
    updated_at: Time
