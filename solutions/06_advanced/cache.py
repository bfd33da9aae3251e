# region step 6.17: memory by default; with CACHE_URL, one Redis for all processes
"""Answers that may be a minute old."""

import logging
from collections.abc import Callable
from typing import TypeVar

from dogpile.cache import make_region
from redis import RedisError
from sqlalchemy import event
from sqlalchemy.orm import Session

from settings import settings

TOP_AUTHORS = "top-authors"
SECONDS = 60

T = TypeVar("T")
logger = logging.getLogger(__name__)

region = make_region()
if settings.cache_url is None:
    region.configure("dogpile.cache.memory", expiration_time=SECONDS)
else:
    url = settings.cache_url.get_secret_value()
    arguments = {"url": url, "redis_expiration_time": 2 * SECONDS}  # Redis throws away what nobody asks for
    region.configure("dogpile.cache.redis", expiration_time=SECONDS, arguments=arguments)


def get_or_ask(key: str, ask: Callable[[], T]) -> T:
    """The answer that is kept; without a cache, every answer is asked for anew."""
    try:
        answer: T = region.get_or_create(key, ask)
    except RedisError as error:
        logger.warning("The cache is away: %s", error)
        answer = ask()
    return answer


def forget_after_commit(session: Session, key: str) -> None:
    """Drop a cached answer once the change is committed: before, somebody could cache the old one again."""
    event.listen(session, "after_commit", lambda _session: forget(key), once=True)


def forget(key: str) -> None:
    """Drop a cached answer. What has been committed isn't undone by a cache that is away."""
    try:
        region.delete(key)
    except RedisError as error:
        logger.warning("The cache is away: %s", error)


# endregion
