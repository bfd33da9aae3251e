"""Tags."""

from collections.abc import Sequence

from fastapi import status

from errors import Conflict, NotLoggedIn, problems

from routers import Router
from schemas import PageQuery, TagCreate, TagOut


router = Router(prefix="/tags", tags=["tags"])


# TODO 6.11: POST /tags and GET /tags.
