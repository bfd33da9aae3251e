# region step 6.17: memory by default; with CACHE_URL, one Redis for all processes
"""Answers that may be a minute old."""

from dogpile.cache import make_region
from sqlalchemy import event
from sqlalchemy.orm import Session

from settings import settings

TOP_AUTHORS = "top-authors"
SECONDS = 60

region = make_region()
if settings.cache_url is None:
    region.configure("dogpile.cache.memory", expiration_time=SECONDS)
else:
    url = settings.cache_url.get_secret_value()
    arguments = {"url": url, "redis_expiration_time": 2 * SECONDS}  # Redis throws away what nobody asks for
    region.configure("dogpile.cache.redis", expiration_time=SECONDS, arguments=arguments)


def forget_after_commit(session: Session, key: str) -> None:
    """Drop a cached answer once the change is committed: before, somebody could cache the old one again."""
    event.listen(session, "after_commit", lambda _session: region.delete(key), once=True)


# endregion
