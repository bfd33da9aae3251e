"""`workshop doctor`: what the course needs of this computer, each with its mend."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from workshop import postgres
from workshop.lessons import LESSONS, ROOT

_OLDEST = (3, 11)
_SPACE = 2**30  # bytes
_MEND = "python -m workshop setup"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    found: str
    mend: str = ""


def examine(notice: Callable[[str], None]) -> Iterator[Finding]:
    """Look at one thing after another."""
    yield _python()
    yield _packages()
    yield _folder("lessons", LESSONS, "Copy the course to a folder of your own, and work there.")
    yield _folder(
        "course",
        ROOT,
        "Hints and steps done can't be remembered here. Copy the course to a folder of your own.",
    )
    yield _space()
    yield _loopback()
    yield _postgres(notice)


def _python() -> Finding:
    found = f"{sys.version.split()[0]} in {sys.prefix}"
    new = sys.version_info >= _OLDEST
    return Finding(
        "Python", new, found, "Python 3.11 or newer is needed. Make a new virtual environment with it."
    )


def _packages() -> Finding:
    wrong = []
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        requirement, _, condition = line.partition("#")[0].partition(";")
        name, _, wanted = requirement.strip().partition("==")
        if not wanted or condition.strip():
            continue  # packages that only some systems need
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "missing"
        if found != wanted:
            wrong.append(f"{name} is {found}, not {wanted}")
    shown = "; ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
    return Finding("packages", not wrong, shown or "all as the course wants them", _MEND)


def _folder(what: str, folder: Path, mend: str) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding(what, True, f"{folder} can be written to")
    except OSError as error:
        return Finding(what, False, f"{folder}: {error.strerror}", mend)


def _space() -> Finding:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    found = f"{free / 2**30:.1f} GB free in {tempfile.gettempdir()}"
    return Finding(
        "disk", free >= _SPACE, found, "The checks need about 1 GB there. Or set TMPDIR to another folder."
    )


def _loopback() -> Finding:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            return Finding("ports", True, "programs on this computer can talk to each other")
    except OSError as error:
        return Finding("ports", False, str(error), "A firewall forbids connections to 127.0.0.1. Allow them.")


def _postgres(notice: Callable[[str], None]) -> Finding:
    named = "WORKSHOP_POSTGRES_URL" in os.environ
    try:
        connection = postgres.connect(postgres.server_url(notice))
    except postgres.ServerError as error:
        mend = (
            "Check WORKSHOP_POSTGRES_URL, or unset it."
            if named
            else f"{_MEND}, or workshop db stop, then again"
        )
        return Finding("PostgreSQL", False, str(error), mend)
    number = connection.server_version
    connection.close()
    return Finding("PostgreSQL", True, f"{number // 10000}.{number % 10000} answers")
