"""The PostgreSQL server of the checks: the one WORKSHOP_POSTGRES_URL names, or the one that pip installed."""

import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # type: ignore[import-untyped]  # noqa: N812

URL = re.compile(r"postgres(?:ql)?(?:\+\w+)?://((?:[^@/?#]*@)?[^@/?#]*(?:/[^@?#]*)?(?:\?[^@#]*)?)")


class ServerError(Exception):
    """There is no usable server. The message tells a learner what is wrong and what to do."""


def server_url(notice: Callable[[str], None]) -> str:
    """Return the address of a running server, as its administrator. Starts the installed one if need be.

    `notice` gets a sentence for the learner when something unusual was done.
    """
    from workshop import pgserver

    if named := _named():
        return named
    server = pgserver.here()
    return server.url() or server.start(notice)


def running_url() -> str | None:
    """Return the server's address, or None if the installed one is not running. Starts nothing."""
    from workshop import pgserver

    return _named() or pgserver.here().url()


def stop() -> bool:
    """Stop the installed server. Returns False if it was not running."""
    from workshop import pgserver

    server = pgserver.here()
    if not server.data.exists():
        return False
    with server.locked():
        return server.stop()


def psql() -> Path | None:
    """Return the program psql: the installed server's, or another one on the PATH."""
    from workshop import pgserver

    with suppress(ServerError):
        return pgserver.package() / "bin" / ("psql.exe" if sys.platform == "win32" else "psql")
    found = shutil.which("psql")
    return Path(found) if found else None


def connect(url: str, name: str = "workshop") -> "Connection":
    """Open a connection that commits every statement. The server's list of connections shows the name."""
    import psycopg2  # type: ignore[import-untyped]

    try:
        connection = psycopg2.connect(url, application_name=name, connect_timeout=10)
    except psycopg2.Error as error:
        # Only what the server said is shown: libpq's own words may hold parts of a mistyped password.
        said = re.search(r"FATAL:\s*(.+)", str(error))
        place = re.sub(r"^.*@|[/?].*$", "", url.removeprefix("postgresql://")) or "this computer"
        problem = f"refuses: {said[1]}" if said else "does not answer"
        advice = " Check WORKSHOP_POSTGRES_URL, or unset it to use the installed server." if _named() else ""
        raise ServerError(f"The PostgreSQL server on {place} {problem}.{advice}") from None
    connection.autocommit = True
    return connection


def on_database(url: str, name: str) -> str:
    """The address of another database on the same server."""
    return re.sub(r"^(postgresql://[^/?]*)[^?]*", rf"\1/{name}", url)


def execute(connection: "Connection", statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows."""
    import psycopg2

    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []
    except psycopg2.Error as error:
        raise ServerError(f"PostgreSQL did not run {statement.strip()!r}: {str(error).strip()}") from None


def _named() -> str | None:
    """Return the address in WORKSHOP_POSTGRES_URL, without a driver."""
    named = os.environ.get("WORKSHOP_POSTGRES_URL", "").strip()
    if not named:
        return None
    if address := URL.fullmatch(named):
        return f"postgresql://{address[1]}"
    raise ServerError(
        "WORKSHOP_POSTGRES_URL is not an address like postgresql://user:password@host:5432/database. "
        "In a password, write @ as %40, / as %2F, ? as %3F and # as %23."
    )
