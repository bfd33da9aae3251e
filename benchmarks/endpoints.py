"""The reference's routes against hand-written SQL, and against the written course's way: run this.

One server holds all of them (`06_advanced/twins.py` beside the solution), on a database with 1,000 users,
20,000 posts, 40,000 tags on posts and 20,000 comments. The routes take turns, so that a busy machine slows
all of them. Requests come one after another over a connection that is kept, except where several clients are
meant to disturb each other. Printed are requests per second, the statements of one request, and the ratio of
the reference to its twin. Nothing here asserts a time.
"""

import argparse
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workshop import postgres
from workshop.databases import PostgresDatabases
from workshop.lessons import find_lesson
from workshop.render import render_lesson

LESSON = find_lesson("06")
TWINS = Path(__file__).parent / LESSON.name / "twins.py"
USERS, POSTS = 1_000, 20_000
ROUNDS = 9
ROUND_SECONDS = 0.5
DEEP = 19_000  # published posts before the page that is asked for
SERIES = {
    "sqlite": "(WITH RECURSIVE s(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM s WHERE n < {}) "
    "SELECT n FROM s)",
    "postgresql": "(SELECT generate_series(1, {}) AS n)",
}
FILL = [
    (
        USERS,
        "INSERT INTO users (username, email, password_hash, display_name) "
        "SELECT 'user' || n, 'user' || n || '@example.com', 'x', 'User ' || n FROM {} AS series",
    ),
    (
        POSTS,
        "INSERT INTO posts (title, content, owner_id, is_published) "
        f"SELECT 'Post ' || n, 'What I think of it', 1 + n % {USERS}, true FROM {{}} AS series",
    ),
    (20, "INSERT INTO tags (name) SELECT 'tag' || n FROM {} AS series"),
    (POSTS, "INSERT INTO post_tags (post_id, tag_id) SELECT n, 1 + n % 10 FROM {} AS series"),
    (POSTS, "INSERT INTO post_tags (post_id, tag_id) SELECT n, 11 + n % 10 FROM {} AS series"),
    (
        POSTS,
        "INSERT INTO comments (content, post_id, author_id) "
        f"SELECT 'Well said', n, 1 + n % {USERS} FROM {{}} AS series",
    ),
]


@dataclass
class Route:
    """One route, and how fast it was in each round."""

    name: str
    path: str
    body: Callable[[], bytes] | None = None
    clients: int = 1
    statements: int = 0
    rates: list[float] = field(default_factory=list)  # requests per second

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    def ask(self, connection: HTTPConnection) -> None:
        """Send one request; an answer other than 2xx ends the benchmark."""
        method, body = ("POST", self.body()) if self.body else ("GET", None)
        connection.request(method, self.path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {self.path}: {answer.status} {text[:500]!r}")
        self.statements = int(answer.headers["X-Statements"])

    def measure(self, port: int) -> None:
        """One round of requests, from one client or from several at once."""
        with ThreadPoolExecutor(self.clients) as clients:
            began = time.perf_counter()
            counts = clients.map(lambda _: self._ask_for_a_while(port, began), range(self.clients))
            self.rates.append(sum(counts) / (time.perf_counter() - began))

    def _ask_for_a_while(self, port: int, began: float) -> int:
        connection, count = HTTPConnection("127.0.0.1", port, timeout=60), 0
        while time.perf_counter() - began < ROUND_SECONDS:
            self.ask(connection)
            count += 1
        connection.close()
        return count


def pairs(database: str) -> list[tuple[Route, Route]]:
    """The reference's route, and what it is compared with."""
    found = []
    for rows in (10, 100):
        page = f"?limit={rows}"
        with_comments = Route(f"{rows} posts with comments", f"/posts-with-comments{page}")
        found += [
            (Route(f"{rows} users", f"/users{page}"), Route("by hand", f"/by-hand/users{page}")),
            (Route(f"{rows} posts", f"/posts{page}"), Route("by hand", f"/by-hand/posts{page}")),
            (with_comments, Route("by hand", f"/by-hand/posts-with-comments{page}")),
            (with_comments, Route("the course: one by one", f"/course/posts-with-comments{page}")),
        ]
    found += [
        (
            Route("a page of the feed, at depth", f"/feed?before={POSTS - DEEP}"),
            Route("the course: OFFSET", f"/offset/feed?skip={DEEP}"),
        ),
        (
            Route("200 new users", "/twins/users/bulk-create", people),
            Route("the course: refresh each", "/course/users/bulk-create", people),
        ),
    ]
    if database == "postgresql":
        slow = Route("16 clients, a query of 20 ms", "/twins/slow", clients=16)
        found.append((slow, Route("the course: in async def", "/course/slow", clients=16)))
    return found


LISTS = itertools.count()


def people() -> bytes:
    """The body of a request for 200 users whom nobody has seen before."""
    number = next(LISTS)
    names = [f"new-{os.getpid()}-{number}-{user}" for user in range(200)]
    users = [{"username": name, "email": f"{name}@example.com", "password": "long enough"} for name in names]
    return json.dumps(users).encode()


@contextmanager
def serving(folder: Path, url: str, module: str, fill: Callable[[str], None]) -> Iterator[int]:
    """The reference with a module of routes beside it, on a database that `fill` fills; yields the port."""
    for path, text in render_lesson(LESSON, LESSON.steps[-1].id).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "bench.py").write_text(module, encoding="utf-8")
    environment = os.environ | {"DATABASE_URL": url}
    alembic = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(alembic, cwd=folder, env=environment, check=True, capture_output=True)
    fill(url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "bench:app", "--port", str(port), "--log-level", "warning"]
    server = subprocess.Popen(command, cwd=folder, env=environment)
    try:
        wait_for(port, server)
        yield port
    finally:
        server.terminate()
        server.wait()


def fill(url: str) -> None:
    """Put the rows into the database, and let its planner look at them."""
    engine = sa.create_engine(url)
    series = SERIES[engine.dialect.name]
    with engine.begin() as connection:
        for count, statement in FILL:
            connection.execute(sa.text(statement.format(series.format(count))))
        connection.execute(sa.text("ANALYZE"))
    engine.dispose()


def wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Ask until the server answers; it ends the benchmark if the server ends."""
    while True:
        try:
            HTTPConnection("127.0.0.1", port).request("GET", "/health")
            return
        except OSError:
            if server.poll() is not None:
                raise SystemExit("the server did not start") from None


def measure(database: str, url: str, rounds: int) -> None:
    """Measure all routes on one database, and print the table."""
    compared = pairs(database)
    routes: dict[int, Route] = {id(route): route for pair in compared for route in pair}
    with tempfile.TemporaryDirectory(prefix="workshop-endpoints-") as folder:
        address = url or f"sqlite:///{folder}/blog.db"
        with serving(Path(folder), address, TWINS.read_text(encoding="utf-8"), fill) as port:
            for route in routes.values():  # what is compiled and cached once
                route.ask(HTTPConnection("127.0.0.1", port, timeout=60))
            for _ in range(rounds):
                for route in routes.values():
                    route.measure(port)
    print(f"\n{database:<44}{'requests/s':>12}{'statements':>12}{'ratio':>9}")
    for reference, twin in compared:
        print(f"{reference.name:<44}{reference.rate:>12.0f}{reference.statements:>12}")
        ratio = reference.rate / twin.rate
        print(f"    {twin.name:<40}{twin.rate:>12.0f}{twin.statements:>12}{ratio:>9.2f}")


def main() -> None:
    """Measure on both databases, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--db", choices=["sqlite", "postgresql"], help="one database only")
    parser.add_argument("-n", type=int, default=ROUNDS, help=f"rounds (default: {ROUNDS})")
    options = parser.parse_args()
    if options.db != "postgresql":
        measure("sqlite", "", options.n)
    if options.db != "sqlite":
        databases = PostgresDatabases(postgres.server_url(print))
        address: Any = sa.make_url(databases.create()).set(drivername="postgresql+psycopg2")
        measure("postgresql", address.render_as_string(hide_password=False), options.n)
        databases.close()


if __name__ == "__main__":
    main()
