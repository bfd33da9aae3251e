"""Reports, from the reporting database."""

from sqlalchemy import func, select

# region step 6.28: what takes long is asked of another database
from database import ReportSession

# endregion
from models import Post, User
from routers import Router
from schemas import Summary

router = Router(prefix="/reports", tags=["reports"])


# region step 6.28: numbers for the management
# starter: # TODO 6.28: GET /reports/summary.
@router.get("/summary")
def read_summary(session: ReportSession) -> Summary:
    users = session.scalar(select(func.count()).select_from(User).where(User.is_live))
    posts = select(func.count(), func.count().filter(Post.is_published)).join(Post.owner).where(User.is_live)
    total, published = session.execute(posts).one()
    return Summary(users=users or 0, posts=total, published=published)


# endregion
