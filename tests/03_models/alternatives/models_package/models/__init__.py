"""A package of models, with mixins for the id and the times. It is found before a models.py beside it."""

from models.post import Post
from models.user import User

__all__ = ["Post", "User"]
