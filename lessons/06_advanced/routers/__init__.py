"""The routes, by subject. They say what goes in and out; the work is done elsewhere."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter


class Router(APIRouter):
    """A router whose paths may be asked for with or without a slash at the end."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().add_api_route(path, endpoint, **options)
        other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
        if self.prefix + other:
            super().add_api_route(other, endpoint, **options | {"include_in_schema": False})
