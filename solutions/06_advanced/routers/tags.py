"""Tags."""

from collections.abc import Sequence

from fastapi import status

from errors import Conflict, NotLoggedIn, problems

# region step 6.11: the model
from models import Tag

# endregion
from routers import Router
from schemas import PageQuery, TagCreate, TagOut

# region step 6.11: who is asking, and who does the work
from security import CurrentUser
from services.tags import TagServiceDep

# endregion

router = Router(prefix="/tags", tags=["tags"])


# region step 6.11: whoever is logged in may add a tag
# starter: # TODO 6.11: POST /tags and GET /tags.
@router.post(
    "",
    response_model=TagOut,
    status_code=status.HTTP_201_CREATED,
    responses=problems(NotLoggedIn, Conflict),
)
def create_tag(data: TagCreate, _caller: CurrentUser, tags: TagServiceDep) -> Tag:
    return tags.create(data)


@router.get("", response_model=list[TagOut])
def read_tags(page: PageQuery, tags: TagServiceDep) -> Sequence[Tag]:
    return tags.get_multi(page.skip, page.limit)


# endregion
