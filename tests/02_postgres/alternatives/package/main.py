"""A package with an APIRouter in place of flat modules, and a dependency that answers 503."""

from blog.application import app

__all__ = ["app"]
