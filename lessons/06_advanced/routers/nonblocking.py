"""A read path that never blocks a thread."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from models import User
from routers import Router
from schemas import PageQuery, UserWithPosts

router = Router(prefix="/async", tags=["users"])


# TODO 6.29: GET /async/users-with-posts.
