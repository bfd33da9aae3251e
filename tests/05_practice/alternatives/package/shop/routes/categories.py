from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, StringConstraints, TypeAdapter
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from typing_extensions import Annotated

from shop.storage import Store
from shop.tables import Category

router = APIRouter(prefix="/categories")


class NewCategory(BaseModel):
    name: Annotated[str, StringConstraints(min_length=1, max_length=50)]
    description: str | None = None


class CategoryView(NewCategory):
    id: int


VIEWS = TypeAdapter(list[CategoryView], config=None)


@router.post("", status_code=201)
def add(new: NewCategory, store: Store) -> CategoryView:
    try:
        with store.unit() as session:
            session.add(category := Category(new.name, new.description))
    except IntegrityError:
        raise HTTPException(409) from None
    return CategoryView.model_validate(category, from_attributes=True)


@router.get("")
def index(store: Store) -> Any:
    with store.unit() as session:
        return VIEWS.validate_python(session.scalars(select(Category)).all(), from_attributes=True)
