"""`workshop run`: a lesson's app in a browser, on a database that lasts."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

from workshop import desk, postgres
from workshop.lessons import DATABASES, ROOT, Lesson

_PORTS = 20  # that are tried, one after another


def run(lesson: Lesson, db: str, fresh: bool, port: int, say: Callable[[str], None]) -> int:
    """Serve the app until Ctrl-C; returns uvicorn's exit code."""
    if db not in DATABASES:
        raise postgres.ServerError(f"There is no database {db!r}: sqlite or postgres.")
    environment = dict(os.environ)
    if db == "sqlite":
        environment.pop("DATABASE_URL", None)
        if fresh:
            _put_aside(lesson, say)
    elif "postgresql" not in lesson.databases:
        raise postgres.ServerError(f"The app of lesson {lesson.handle} knows only SQLite.")
    else:
        environment["DATABASE_URL"] = _database(lesson, fresh, say)
    if (lesson.folder / "alembic.ini").exists():
        url = environment.get("DATABASE_URL")
        say(f"Does it lack tables? In lessons/{lesson.name}: alembic upgrade head")
        say(f"with DATABASE_URL set to {url}" if url else "with DATABASE_URL not set")
    port = free_port(port)
    say(f"http://127.0.0.1:{port}/docs  (Ctrl-C ends it)")
    command = [sys.executable, "-m", "uvicorn", "main:app", "--reload", "--port", str(port)]
    server = subprocess.Popen(command, cwd=lesson.folder, env=environment)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    while True:
        try:
            return server.wait()
        except KeyboardInterrupt:
            continue  # uvicorn got it too, and ends


def _put_aside(lesson: Lesson, say: Callable[[str], None]) -> None:
    """Move the lesson's SQLite files into the backups; they may hold what somebody still wants."""
    for file in sorted([*lesson.folder.glob("*.db"), *lesson.folder.glob("*.db-*")]):
        desk.BACKUPS.mkdir(parents=True, exist_ok=True)
        number = 1
        while (target := desk.BACKUPS / f"{file.name}.{number}").exists():
            number += 1
        file.replace(target)
        say(f"The old {file.name} is now {target.relative_to(ROOT).as_posix()}")


def _database(lesson: Lesson, fresh: bool, say: Callable[[str], None]) -> str:
    """The URL of the lesson's own database on the server, which lasts from run to run."""
    name = f"lesson_{lesson.name}"
    url = postgres.server_url(say)
    with contextlib.closing(postgres.connect(url)) as connection:
        if fresh:
            postgres.execute(connection, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        if not postgres.execute(connection, "SELECT 1 FROM pg_database WHERE datname = %s", name):
            postgres.execute(connection, f'CREATE DATABASE "{name}"')
    return postgres.on_database(url, name)


def free_port(first: int) -> int:
    """The first port from `first` on that nobody listens on."""
    for port in range(first, first + _PORTS):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise postgres.ServerError(f"The ports {first} to {first + _PORTS - 1} are all taken. Try: --port 9000")
