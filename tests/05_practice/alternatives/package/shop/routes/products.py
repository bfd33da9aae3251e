from decimal import Decimal
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field, field_validator
from sqlalchemy import select

from shop.routes.categories import CategoryView
from shop.storage import Store
from shop.tables import Category, Product

router = APIRouter(prefix="/products")
INTEGER = 2**31


class ProductView(BaseModel):
    id: int
    name: str = Field(min_length=1, max_length=100)
    price: Decimal
    stock: int = Field(default=0, ge=0, lt=INTEGER)
    category_id: int = Field(gt=0, lt=INTEGER)


class NewProduct(ProductView):
    id: None = None  # type: ignore[assignment]

    @field_validator("price")
    @classmethod
    def is_money(cls, price: Decimal) -> Decimal:
        if not Decimal(0) <= price < 10**8 or price != round(price, 2):
            raise ValueError("not an amount of money")
        return price


class ListedProduct(ProductView):
    category: CategoryView


@router.post("", status_code=201, response_model=ProductView)
def add(new: NewProduct, store: Store) -> Any:
    with store.unit() as session:
        category = session.get(Category, new.category_id)
        if category is None:
            raise HTTPException(404)
        product = Product(new.name, new.price, category, new.stock)
        session.add(product)
    return product


@router.get("", response_model=list[ListedProduct])
def index(store: Store) -> Any:
    with store.unit() as session:
        return session.scalars(select(Product)).all()
