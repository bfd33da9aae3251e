# region step 6.3: written once, for every model
"""What can be done with the rows of any model."""

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from database import Base

ModelT = TypeVar("ModelT", bound=Base)
CreateT = TypeVar("CreateT", bound=BaseModel)
UpdateT = TypeVar("UpdateT", bound=BaseModel)


class BaseService(Generic[ModelT, CreateT, UpdateT]):
    """Create, read, update and remove rows of one model. Nothing is committed here."""

    hidden: ClassVar[frozenset[str]] = frozenset({"password_hash"})  # columns that nobody may filter by

    def __init__(self, model: type[ModelT], session: Session) -> None:
        self.model = model
        self.session = session

    def get(self, row_id: int) -> ModelT | None:
        """The row with this primary key, or None."""
        return self.session.get(self.model, row_id)

    def get_multi(self, skip: int = 0, limit: int = 100, **filters: object) -> Sequence[ModelT]:
        """Rows in the order of their keys. Each filter is the name of a column and the value it must have."""
        mapper = inspect(self.model)
        if unknown := filters.keys() - (set(mapper.columns.keys()) - self.hidden):
            raise ValueError(f"{self.model.__name__} can't be filtered by {', '.join(sorted(unknown))}")
        conditions = [mapper.columns[name] == value for name, value in filters.items()]
        statement = select(self.model).where(*conditions).order_by(*mapper.primary_key)
        return self.session.scalars(statement.offset(skip).limit(limit)).all()

    def create(self, data: CreateT) -> ModelT:
        """A new row from the fields that the schema declares; it has its id already."""
        row = self.model(**data.model_dump(include=set(type(data).model_fields)))
        self.session.add(row)
        self.session.flush()
        return row

    def update(self, row_id: int, data: UpdateT) -> ModelT | None:
        """Change the fields that were sent, and no others; None if there is no such row."""
        row = self.get(row_id)
        if row is None:
            return None
        declared = set(type(data).model_fields)  # a schema may let more through than it declares
        for name, value in data.model_dump(include=declared, exclude_unset=True).items():
            setattr(row, name, value)
        self.session.flush()
        return row

    def remove(self, row_id: int) -> bool:
        """Delete a row; False if there is no such row."""
        row = self.get(row_id)
        if row is None:
            return False
        self.session.delete(row)
        self.session.flush()
        return True


# endregion
