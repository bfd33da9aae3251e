"""A package of models, whose relationships are written by names alone."""

from models.post import Post
from models.user import User

__all__ = ["Post", "User"]
