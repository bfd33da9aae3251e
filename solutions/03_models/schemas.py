"""What goes in and out over HTTP."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr


class UserCreate(BaseModel):
    username: str = Field(min_length=1, max_length=50)
    # region step 3.2: the same limits as in the table, so a text that is too long is the client's 422
    # starter: # TODO 3.2: a valid email of at most 100 characters.
    email: EmailStr = Field(max_length=100)
    # endregion
    # region step 3.3: a SecretStr shows stars wherever it is printed
    # starter: # TODO 3.3: a password of 8 to 128 characters.
    password: SecretStr = Field(min_length=8, max_length=128)
    # endregion


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    # region step 3.2: shown to the client, unlike the password
    # starter: # TODO 3.2: the email goes out too.
    email: str
    # endregion
    # region step 3.4: an aware datetime, on both databases
    # starter: # TODO 3.4: and created_at.
    created_at: datetime
    # endregion


class PostCreate(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    # region step 3.5: a post begins as a draft, so there is no published here
    # starter: # TODO 3.5: the content, of at least one character.
    content: str = Field(min_length=1)
    # endregion
    owner_id: int


class PostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    # region step 3.5: the client sees whether it is a draft
    # starter: # TODO 3.5: the content, and published.
    content: str
    published: bool
    # endregion
    # region step 3.6: both moments
    # starter: # TODO 3.6: created_at and updated_at.
    created_at: datetime
    updated_at: datetime
    # endregion
    owner_id: int
