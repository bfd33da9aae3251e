"""What a blocking session does to a server: in `async def`, in `def`, and an async session. Run this file.

Three routes wait for the same slow query, and three read the same page of users with their posts. They differ
in nothing but the kind of session and of function. Several clients ask at once, and one more asks for
`GET /`, which needs no database: how long it waits is what the others do to everybody else. The
three take turns, so that a busy machine slows all of them. The server is real uvicorn with one worker, on the
reference at its last step. Nothing here asserts a time; what counts are the ratios.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import sqlalchemy as sa
from endpoints import serving

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workshop import postgres
from workshop.databases import PostgresDatabases

CLIENTS = 10
ROUND_SECONDS = 2.0
PAUSE = 0.05  # seconds between two GET /, or the quick ones would be counted more often than the slow ones
USERS, POSTS = 100, 1_000
ROUTES = '''
"""The reference with three routes more for each of two queries."""

from functools import partial

from sqlalchemy import event, select, text
from sqlalchemy.orm import selectinload

from database import AsyncSessionDep, SessionDep, async_engine, engine
from main import app
from models import User
from schemas import UserWithPosts

SLOW = text("SELECT pg_sleep(0.05)" if engine.dialect.name == "postgresql" else "SELECT sleep(0.05)")
PAGE = select(User).where(User.is_live).options(selectinload(User.posts)).order_by(User.id).limit(20)
page = partial(app.get, response_model=list[UserWithPosts])


if engine.dialect.name == "sqlite":  # it has no function that waits, so it gets one
    from time import sleep

    for own in (engine, async_engine.sync_engine):
        event.listen(own, "connect", lambda raw, _: raw.create_function("sleep", 1, sleep))


@app.get("/slow/blocking")
async def slow_blocking(session: SessionDep) -> None:
    session.execute(SLOW)


@app.get("/slow/threads")
def slow_threads(session: SessionDep) -> None:
    session.execute(SLOW)


@app.get("/slow/async")
async def slow_async(session: AsyncSessionDep) -> None:
    await session.execute(SLOW)


@page("/page/blocking")
async def page_blocking(session: SessionDep):
    return session.scalars(PAGE).all()


@page("/page/threads")
def page_threads(session: SessionDep):
    return session.scalars(PAGE).all()


@page("/page/async")
async def page_async(session: AsyncSessionDep):
    return (await session.scalars(PAGE)).all()
'''
KINDS = {
    "blocking": "session in async def",
    "threads": "session in def",
    "async": "AsyncSession in async def",
}
NUMBERS = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :many)"
FILL = (
    (
        USERS,
        f"INSERT INTO users (username, email, password_hash, display_name) {NUMBERS}"
        " SELECT 'user' || n, 'user' || n || '@example.com', '-', 'User' FROM s",
    ),
    (
        POSTS,
        f"INSERT INTO posts (title, content, owner_id) {NUMBERS}"
        f" SELECT 'Post', 'A text.', 1 + n % {USERS} FROM s",
    ),
)


@dataclass
class Measured:
    """Requests per second of one route in each round, and the milliseconds that `GET /` took meanwhile."""

    path: str
    rates: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    def round(self, port: int) -> None:
        """Let all clients ask for a while, and one more for something else."""
        over = threading.Event()
        with ThreadPoolExecutor(CLIENTS + 1) as clients:
            began = time.perf_counter()
            asking = [clients.submit(ask, port, self.path, over) for _ in range(CLIENTS)]
            other = clients.submit(ask, port, "/", over, PAUSE)
            over.wait(ROUND_SECONDS)
            over.set()
            answered = sum(len(one.result()) for one in asking)
            self.rates.append(answered / (time.perf_counter() - began))
            self.others += other.result()


def ask(port: int, path: str, over: threading.Event, pause: float = 0) -> list[float]:
    """Ask again and again over one connection; returns how many milliseconds each answer took."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    times: list[float] = []
    while not over.is_set() or not times:
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"GET {path}: {answer.status}")
        times.append(1000 * (time.perf_counter() - began))
        over.wait(pause)
    connection.close()
    return times


def fill(url: str) -> None:
    """Insert users and posts."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"), poolclass=sa.NullPool)
    with engine.begin() as connection:
        for many, insert in FILL:
            connection.execute(sa.text(insert), {"many": many})


def measure(port: int, query: str, rounds: int) -> None:
    """Let the three kinds take turns, and print what came out."""
    kinds = {kind: Measured(f"/{query}/{kind}") for kind in KINDS}
    for kind in kinds.values():
        kind.round(port)  # fills caches and pools
        kind.rates.clear()
        kind.others.clear()
    for _ in range(rounds):
        for kind in kinds.values():
            kind.round(port)
    least = statistics.median(kinds["blocking"].rates)
    quickest = statistics.median(kinds["async"].others)
    for name, kind in kinds.items():
        rate, other = statistics.median(kind.rates), statistics.median(kind.others)
        print(
            f"  {KINDS[name]:<28} {rate:7.1f} /s  {rate / least:5.2f} ×   "
            f"GET / {other:7.1f} ms  {other / quickest:6.2f} ×   slowest {max(kind.others):7.1f} ms"
        )


def main() -> None:
    """Measure on both databases."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=5, help="rounds of each (default: 5)")
    rounds = parser.parse_args().n
    databases = PostgresDatabases(postgres.server_url(print))
    with tempfile.TemporaryDirectory(prefix="workshop-benchmark-") as name:
        for kind in ("sqlite", "postgresql"):
            folder = Path(name, kind)
            url = databases.create() if kind == "postgresql" else f"sqlite:///{folder / 'blog.db'}"
            with serving(folder, url, ROUTES, fill) as port:
                for query, words in (("slow", "a query of 50 ms"), ("page", "20 users with their posts")):
                    print(f"{kind}, {CLIENTS} clients, {words}")
                    measure(port, query, rounds)
    databases.close()


if __name__ == "__main__":
    main()
