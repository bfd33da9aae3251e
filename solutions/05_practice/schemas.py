"""What goes in and out over HTTP."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LARGEST_INTEGER = 2**31 - 1  # of a column of type INTEGER in PostgreSQL

RowId = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
Price = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)]  # as Numeric(10, 2)
Stock = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]


class CategoryCreate(BaseModel):
    name: str = Field(min_length=1, max_length=50)
    description: str | None = None


class CategoryOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    description: str | None


class ProductCreate(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    price: Price
    stock: Stock = 0
    category_id: RowId


class ProductOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    price: Decimal
    stock: int
    category_id: int


class CategoryName(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str


class ProductWithCategory(ProductOut):
    category: CategoryName
