"""A read path that never blocks a thread."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import selectinload

# region step 6.29: the async session
from database import AsyncSessionDep

# endregion
from models import User
from routers import Router
from schemas import PageQuery, UserWithPosts

router = Router(prefix="/async", tags=["users"])


# region step 6.29: the twin of GET /users-with-posts: while the database works, the event loop serves others
# starter: # TODO 6.29: GET /async/users-with-posts.
@router.get("/users-with-posts", response_model=list[UserWithPosts])
async def read_users_with_posts(page: PageQuery, session: AsyncSessionDep) -> Sequence[User]:
    found = select(User).where(User.is_live).options(selectinload(User.posts)).order_by(User.id)
    users = await session.scalars(found.offset(page.skip).limit(page.limit))
    return users.all()


# endregion
