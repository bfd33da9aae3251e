"""SQLModel: one class is table and schema. The session is committed in the routes; selectinload loads."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, DateTime, Text, func
from sqlmodel import Field, Relationship, SQLModel


class CategoryBase(SQLModel):
    name: str = Field(min_length=1, max_length=50, unique=True)
    description: str | None = Field(default=None, sa_type=Text)


class Category(CategoryBase, table=True):
    __tablename__ = "categories"

    id: int | None = Field(default=None, primary_key=True)
    products: list["Product"] = Relationship(back_populates="category")


class ProductBase(SQLModel):
    name: str = Field(min_length=1, max_length=100)
    price: Decimal = Field(ge=0, max_digits=10, decimal_places=2)
    stock: int = Field(default=0, ge=0, lt=2**31, sa_column_kwargs={"server_default": "0"})
    category_id: int = Field(foreign_key="categories.id", index=True, gt=0, lt=2**31)


class Product(ProductBase, table=True):
    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price >= 0", name="price_not_negative"),
        CheckConstraint("stock >= 0", name="stock_not_negative"),
    )

    id: int | None = Field(default=None, primary_key=True)
    created_at: datetime | None = Field(
        default=None, nullable=False, sa_type=DateTime, sa_column_kwargs={"server_default": func.now()}
    )
    category: Category = Relationship(back_populates="products")


class ProductPublic(ProductBase):
    id: int
    category: Category
    created_at: datetime
