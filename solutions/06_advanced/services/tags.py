# region step 6.11: the generic service is enough
"""Tags: short names that posts are found by."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from database import SessionDep
from errors import Conflict
from models import Tag
from schemas import TagCreate
from services.base import BaseService


class TagService(BaseService[Tag, TagCreate, TagCreate]):
    def __init__(self, session: Session) -> None:
        super().__init__(Tag, session)

    def create(self, data: TagCreate) -> Tag:
        try:
            return super().create(data)
        except IntegrityError as error:
            raise Conflict(f"There is a tag {data.name!r} already") from error


def get_tag_service(session: SessionDep) -> TagService:
    return TagService(session)


TagServiceDep = Annotated[TagService, Depends(get_tag_service)]
# endregion
