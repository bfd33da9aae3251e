"""The routes, by subject. They say what goes in and out; the work is done elsewhere."""

from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope


class Route(APIRoute):
    """A route whose path may be asked for with or without a slash at the end."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope["path"].removesuffix("/")
        if self.path.endswith("/"):
            path += "/"
        return super().matches({**scope, "path": path})


class Router(APIRouter):
    """A router that takes both spellings of a path, without a redirect."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=Route, **options)
