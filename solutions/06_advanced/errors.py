"""What can go wrong, in the application's own words. Here, and nowhere else, it becomes HTTP."""

import logging
from typing import Any, ClassVar

from fastapi import Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

logger = logging.getLogger("uvicorn.error")  # the logger whose lines uvicorn shows


class DomainError(Exception):
    """Something that the client should know about."""

    status: ClassVar[int] = status.HTTP_400_BAD_REQUEST
    headers: ClassVar[dict[str, str]] = {}


class NotFound(DomainError):
    """There is no such thing, or none that the client may see."""

    status = status.HTTP_404_NOT_FOUND


class Conflict(DomainError):
    """The request can't be reconciled with what is stored."""

    status = status.HTTP_409_CONFLICT


class Unreadable(DomainError):
    """The body isn't even text. FastAPI raises this one by itself."""


class Unavailable(DomainError):
    """The database can't be reached, or is too busy."""

    status = status.HTTP_503_SERVICE_UNAVAILABLE


class NotLoggedIn(DomainError):
    """The client didn't say who it is, or couldn't prove it."""

    status = status.HTTP_401_UNAUTHORIZED
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Basic"}


class NotAllowed(DomainError):
    """The client is known, and may not do this."""

    status = status.HTTP_403_FORBIDDEN


class Problem(BaseModel):
    """The body of every error but 422."""

    detail: str


def problems(*kinds: type[DomainError]) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer with, for its documentation."""
    return {kind.status: {"model": Problem, "description": kind.__doc__} for kind in kinds}


def report_domain_error(_request: Request, error: DomainError) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, error.status, error.headers)


def report_invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
    faults = [{key: fault[key] for key in ("type", "loc", "msg")} for fault in error.errors()]
    return JSONResponse({"detail": faults}, status.HTTP_422_UNPROCESSABLE_CONTENT)


def report_unavailable_database(request: Request, error: OperationalError) -> JSONResponse:
    logger.error("The database is not available: %s", error.orig)
    return report_domain_error(request, Unavailable("The database is not available"))


# region step 6.26: the log gets the whole story, the client a sentence
# starter: # TODO 6.26: what to answer to an IntegrityError and to any other SQLAlchemyError that nobody caught.
def report_refused_by_database(request: Request, error: IntegrityError) -> JSONResponse:
    logger.error("%s %s: a rule of the database", request.method, request.url.path, exc_info=error)
    return report_domain_error(request, Conflict("This contradicts what is stored"))


def report_database_error(request: Request, error: SQLAlchemyError) -> JSONResponse:
    logger.error("%s %s: an error of the database", request.method, request.url.path, exc_info=error)
    return JSONResponse({"detail": "Internal server error"}, status.HTTP_500_INTERNAL_SERVER_ERROR)


# endregion
HANDLERS: dict[int | type[Exception], Any] = {  # of several that fit, the one for the nearest class is called
    DomainError: report_domain_error,
    RequestValidationError: report_invalid_request,
    OperationalError: report_unavailable_database,
    # region step 6.26: in place of a bare 500
    # starter: # TODO 6.26: and call them.
    IntegrityError: report_refused_by_database,
    SQLAlchemyError: report_database_error,
    # endregion
}
