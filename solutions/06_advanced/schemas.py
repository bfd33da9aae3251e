"""What goes in and out over HTTP."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from annotated_types import Interval
from fastapi import Query
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from models import Role

MAX_ID = 2**31 - 1
RowId = Annotated[int, Interval(ge=1, le=MAX_ID)]
NO_NUL = r"^[^\x00]*$"  # PostgreSQL can't store the character NUL in a text


def text(at_most: int | None = None) -> Any:
    """A text of at least one character that every database can store."""
    return StringConstraints(min_length=1, max_length=at_most, pattern=NO_NUL)


class Out(BaseModel):
    """What goes out is read from the attributes of a model."""

    model_config = ConfigDict(from_attributes=True)


class Page(BaseModel):
    """Which part of a list is asked for."""

    skip: int = Field(default=0, ge=0, le=MAX_ID)
    limit: int = Field(default=10, ge=1, le=100)


PageQuery = Annotated[Page, Query()]

# Users

Email = Annotated[
    EmailStr, Field(max_length=100), AfterValidator(str.lower)
]  # Ann@x.com and ann@x.com are one


class UserCreate(BaseModel):
    username: Annotated[str, text(50)] = Field(examples=["ann"])
    email: Email = Field(examples=["ann@example.com"])
    password: SecretStr = Field(min_length=8, max_length=128, examples=["correct horse battery"])
    display_name: Annotated[str, text(50)] | None = Field(default=None, examples=["Ann"])
    # region step 6.5: as the database has it
    # starter: # TODO 6.5: an age, which need not be there.
    age: int | None = Field(default=None, ge=0, le=150, examples=[34])
    # endregion


class UserUpdate(BaseModel):
    """Only what is sent is changed: a field may be left out, but not be null."""

    email: Email = Field(default_factory=str, examples=["ann@example.org"])
    display_name: Annotated[str, text(50)] = Field(default_factory=str, examples=["Ann B."])


class UserOut(Out):
    id: int
    username: str
    email: str
    created_at: datetime
    status: str
    display_name: str
    # region step 6.5: shown
    # starter: # TODO 6.5: age and is_active.
    age: int | None
    is_active: bool
    # endregion


class UserFilter(Page):
    min_age: int | None = Field(default=None, ge=0, le=150)
    max_age: int | None = Field(default=None, ge=0, le=150)
    active_only: bool = False

    @model_validator(mode="after")
    def check_ages(self) -> Self:
        if self.min_age is not None and self.max_age is not None and self.min_age > self.max_age:
            raise ValueError("min_age is greater than max_age")
        return self


class UserPage(BaseModel):
    total: int
    skip: int
    limit: int
    users: list[UserOut]


class UsersCreated(BaseModel):
    message: str
    users: list[UserOut]


class UsersDeactivated(BaseModel):
    message: str
    affected_ids: list[int]
    unknown_ids: list[int]


class ActiveUsers(BaseModel):
    users: list[UserOut]


class Message(BaseModel):
    message: str


# Posts

TagName = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=50, pattern=NO_NUL)
]


class TagCreate(BaseModel):
    name: TagName = Field(examples=["python"])


class TagOut(Out):
    id: int
    name: str


TagIds = Annotated[list[RowId], Field(max_length=100, examples=[[1, 2]])]


# region step 6.12: whose it is follows from who is asking
# starter: class PostCreate(BaseModel):
# starter:     # TODO 6.12: tag_ids, which may be left out; and no owner_id any more.
# starter:     title: Annotated[str, text(200)] = Field(examples=["Hello"])
# starter:     content: Annotated[str, text()] = Field(examples=["My first post."])
# starter:     owner_id: RowId
class PostCreate(BaseModel):
    title: Annotated[str, text(200)] = Field(examples=["Hello"])
    content: Annotated[str, text()] = Field(examples=["My first post."])
    tag_ids: TagIds = []


# endregion
class PostUpdate(BaseModel):
    """Only what is sent is changed: a field may be left out, but not be null."""

    title: Annotated[str, text(200)] = Field(default_factory=str, examples=["Hello again"])
    content: Annotated[str, text()] = Field(default_factory=str, examples=["Better words."])
    tag_ids: TagIds = Field(default_factory=list)


class PostOut(Out):
    id: int
    title: str
    content: str
    published: bool = Field(validation_alias="is_published")
    created_at: datetime
    updated_at: datetime
    owner_id: int


class UserWithPosts(UserOut):
    posts: list[PostOut]


class OwnerOut(Out):
    id: int
    username: str


class PostWithOwner(PostOut):
    owner: OwnerOut


class PostWithTags(PostWithOwner):
    tags: list[TagOut]


class CommentCreate(BaseModel):
    content: Annotated[str, text(2000)] = Field(examples=["Well said."])


class CommentOut(Out):
    id: int
    content: str
    created_at: datetime
    author_id: int


class PostWithComments(PostWithTags):
    comments: list[CommentOut]


class Feed(BaseModel):
    posts: list[PostWithOwner]
    # region step 6.16: what to ask for next
    # starter: # TODO 6.16: next, which is null on the last page.
    next: int | None
    # endregion


class AuthorOut(Out):
    id: int
    username: str
    posts: int


# Orders


def to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))


Money = Annotated[
    Decimal, Field(ge=0, max_digits=10, decimal_places=2, allow_inf_nan=False), AfterValidator(to_cents)
]


class ProductCreate(BaseModel):
    name: Annotated[str, text(100)] = Field(examples=["Mug"])
    price: Money = Field(examples=["19.90"])
    stock: int = Field(ge=0, le=MAX_ID, examples=[10])


class ProductOut(Out):
    id: int
    name: str
    price: Decimal
    stock: int


class OrderLine(BaseModel):
    product_id: RowId
    quantity: int = Field(gt=0, le=1000)


class OrderCreate(BaseModel):
    items: list[OrderLine] = Field(
        min_length=1, max_length=100, examples=[[{"product_id": 1, "quantity": 2}]]
    )


class OrderItemOut(Out):
    product_id: int
    quantity: int
    price: Decimal


class OrderOut(Out):
    id: int
    user_id: int
    total_amount: Decimal
    created_at: datetime
    items: list[OrderItemOut]


# Projects


class ProjectCreate(BaseModel):
    name: Annotated[str, text(100)] = Field(examples=["Website"])


class MemberOut(Out):
    user_id: int
    role: Role
    joined_at: datetime


class ProjectOut(Out):
    id: int
    name: str
    owner_id: int


class ProjectWithMembers(ProjectOut):
    members: list[MemberOut]


class InviteCreate(BaseModel):
    email: Email = Field(examples=["bob@example.com"])
    role: Literal[Role.ADMIN, Role.MEMBER, Role.VIEWER] = Role.MEMBER


class MemberUpdate(BaseModel):
    role: Role


# Reports


class Summary(BaseModel):
    users: int
    posts: int
    published: int
