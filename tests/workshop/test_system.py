"""The whole system, as lesson 06 leaves it, under fire: random requests, and many buyers at once.

A real uvicorn serves it on a real database. The passwords of these tests' users are quickly compared.
"""

import os
import random
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from workshop import postgres
from workshop.databases import PostgresDatabases
from workshop.lessons import find_lesson
from workshop.render import render_lesson

LESSON = find_lesson("06")
PASSWORD = "correct horse"
QUICK_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
# The fuzzer signs up hundreds of users. How slow a hash is has nothing to do with what it looks for.
SERVE_QUICKLY = """
import sys, argon2, uvicorn
make = argon2.PasswordHasher.__init__
argon2.PasswordHasher.__init__ = lambda self, *_, **__: make(self, 1, 8, 1)
uvicorn.run("main:app", port=int(sys.argv[1]))
"""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
FUZZER = """
[phases.coverage]
unexpected-methods = []
"""
CLIENTS, REQUESTS = 16, 20
STARTS_WITHIN = 60.0  # seconds, on a busy machine


@dataclass
class System:
    """The reference in a folder of its own, with a database that holds what `seed.py` makes."""

    folder: Path
    database_url: str
    url: str = ""
    engine: sa.Engine = field(init=False)

    def __post_init__(self) -> None:
        for path, text in render_lesson(LESSON, LESSON.steps[-1].id).items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8")
        url = sa.make_url(self.database_url)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg2")
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        self.run("-m", "alembic", "upgrade", "head")
        self.run("seed.py")

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"DATABASE_URL": self.database_url, "PYTHONPATH": str(self.folder)}

    def run(self, *command: str) -> None:
        """Run Python in the folder, and wait for its end."""
        arguments = [sys.executable, *command]
        ran = subprocess.run(
            arguments, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def sql(self, statement: str, **parameters: Any) -> list[Any]:
        """Run SQL and commit; returns the rows, if there are any."""
        with self.engine.begin() as connection:
            result = connection.execute(sa.text(statement), parameters)
            return list(result) if result.returns_rows else []

    def add_user(self, username: str, user_id: int, staff: bool = False) -> None:
        self.sql(
            "INSERT INTO users (id, username, email, password_hash, display_name, is_staff)"
            " VALUES (:id, :name, :email, :hash, :name, :staff)",
            id=user_id,
            name=username,
            email=f"{username}@example.com",
            hash=QUICK_HASH,
            staff=staff,
        )

    @contextmanager
    def serving(self, command: Callable[[int], list[str]]) -> Iterator["System"]:
        """Within the block, this command serves on a port that it is given."""
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        with open(self.folder / "output.txt", "w+b") as output:
            server = subprocess.Popen(
                [sys.executable, *command(port)],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                self._wait_until_it_answers(server)
                yield self
            finally:
                server.terminate()
                server.wait(30)

    def _wait_until_it_answers(self, server: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + STARTS_WITHIN
        while server.poll() is None and time.monotonic() < until:
            try:
                httpx.get(self.url, timeout=5)
            except httpx.TransportError:
                time.sleep(0.02)
            else:
                return
        pytest.fail(f"It doesn't serve:\n{self.output}")

    @property
    def output(self) -> str:
        """What the server has printed."""
        return (self.folder / "output.txt").read_text(encoding="utf-8", errors="replace")


@pytest.fixture(scope="module")
def databases() -> Iterator[PostgresDatabases]:
    made = PostgresDatabases(postgres.server_url(print))
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> System:
    if request.param == "sqlite":
        return System(tmp_path, f"sqlite:///{tmp_path / 'blog.db'}")
    return System(tmp_path, request.getfixturevalue("databases").create())


# Random requests


def test_every_answer_is_one_that_the_documentation_promises(system: System) -> None:
    """No server error, no status that isn't documented, no answer that contradicts its schema."""
    system.add_user("boss", 1_000_003, staff=True)  # an id that random requests won't find and delete
    (system.folder / "fuzzer.toml").write_text(FUZZER, encoding="utf-8")
    with system.serving(lambda port: ["-c", SERVE_QUICKLY, str(port)]):
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", "fuzzer.toml"),
            *(
                "run",
                f"{system.url}/openapi.json",
                "--auth",
                f"boss:{PASSWORD}",
                "--checks",
                ",".join(CHECKS),
            ),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", "4", "--workers", "2"),
            *("--generation-deterministic", "--no-color", "--warnings", "off"),
        ]
        ran = subprocess.run(
            command, cwd=system.folder, env=system.environment, capture_output=True, text=True, check=False
        )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}\n{system.output[-4000:]}"
    generated = re.search(r"(\d+) generated", ran.stdout)
    assert generated, ran.stdout
    assert int(generated[1]) > 500, ran.stdout
    assert not re.search(r"Traceback", system.output), system.output[-4000:]


# Many buyers


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, databases: PostgresDatabases) -> Iterator[System]:
    """Two workers on PostgreSQL, and a user for each client."""
    system = System(tmp_path_factory.mktemp("shop"), databases.create())
    for number in range(CLIENTS):
        system.add_user(f"client{number}", 1_000_000 + number)
    command = ["-m", "uvicorn", "main:app", "--workers", "2", "--log-level", "warning", "--port"]
    with system.serving(lambda port: [*command, str(port)]):
        yield system


@dataclass
class Client:
    """One of many clients, who does a bit of everything, by chance, and remembers what was promised."""

    shop: System
    number: int
    statuses: Counter[int] = field(default_factory=Counter)
    placed: dict[int, dict[int, int]] = field(default_factory=dict)  # order → product → pieces
    repeated: list[tuple[int, int]] = field(default_factory=list)  # the order at first, and when asked again

    def work(self) -> "Client":
        choose = random.Random(self.number)
        with httpx.Client(
            base_url=self.shop.url, auth=(f"client{self.number}", PASSWORD), timeout=30
        ) as http:
            for turn in range(REQUESTS):
                choose.choice((self._buy, self._buy, self._buy, self._read, self._write))(http, choose, turn)
        return self

    def _send(self, http: httpx.Client, method: str, path: str, **keywords: Any) -> Any:
        answer = http.request(method, path, **keywords)
        self.statuses[answer.status_code] += 1
        assert answer.status_code < 500, f"{method} {path}: {answer.text}"
        return answer.json()

    def _buy(self, http: httpx.Client, choose: random.Random, turn: int) -> None:
        pieces = {product: choose.randint(1, 3) for product in choose.sample((1, 2, 3), choose.randint(1, 3))}
        lines = [{"product_id": product, "quantity": quantity} for product, quantity in pieces.items()]
        headers = {"Idempotency-Key": f"{self.number}-{turn}"}
        order = self._send(http, "POST", "/orders", json={"items": lines}, headers=headers)
        if "id" in order:
            self.placed[order["id"]] = pieces
            if choose.random() < 0.3:
                again = self._send(http, "POST", "/orders", json={"items": lines}, headers=headers)
                self.repeated.append((order["id"], again["id"]))

    def _read(self, http: httpx.Client, choose: random.Random, _turn: int) -> None:
        paths = ("/products", "/orders", "/posts", "/feed", "/users", "/users-with-posts", "/authors/top")
        self._send(http, "GET", choose.choice(paths))

    def _write(self, http: httpx.Client, choose: random.Random, turn: int) -> None:
        post = self._send(
            http, "POST", "/posts", json={"title": f"{turn}", "content": "A text.", "tag_ids": [1]}
        )
        self._send(http, "POST", f"/posts/{post['id']}/publish")
        self._send(http, "POST", f"/posts/{post['id']}/comments", json={"content": "Well said."})


def test_many_clients_lose_nothing_and_buy_nothing_twice(shop: System) -> None:
    shop.sql("DELETE FROM orders")
    shop.sql("UPDATE products SET stock = 60")
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = list(pool.map(Client.work, (Client(shop, number) for number in range(CLIENTS))))
    statuses = sum((client.statuses for client in clients), Counter[int]())
    assert sum(statuses.values()) >= CLIENTS * REQUESTS
    assert set(statuses) == {200, 201, 409}, statuses
    assert all(first == again for client in clients for first, again in client.repeated)
    promised = {order: pieces for client in clients for order, pieces in client.placed.items()}
    stored: dict[int, dict[int, int]] = {order: {} for (order,) in shop.sql("SELECT id FROM orders")}
    for order, product, quantity in shop.sql("SELECT order_id, product_id, quantity FROM order_items"):
        stored[order][product] = quantity
    assert stored == promised
    sold = sum((Counter(pieces) for pieces in promised.values()), Counter[int]())
    left = {row.id: row.stock for row in shop.sql("SELECT id, stock FROM products")}
    assert left == {product: 60 - sold[product] for product in left}
    assert min(left.values()) >= 0
    totals = "SELECT total_amount, sum(quantity * price) FROM orders JOIN order_items ON order_id = id"
    for total, added_up in shop.sql(f"{totals} GROUP BY id"):
        assert total == added_up
        assert isinstance(total, Decimal)


def test_more_buyers_at_once_than_threads(shop: System) -> None:
    """Who waits for a lock waits without a thread, so there is one for who holds it."""
    shop.sql("UPDATE products SET stock = 10 WHERE id = 1")
    body = {"items": [{"product_id": 1, "quantity": 1}]}

    def buy(number: int) -> int:
        who = f"client{number % CLIENTS}", PASSWORD
        return httpx.post(f"{shop.url}/orders", json=body, auth=who, timeout=60).status_code

    with ThreadPoolExecutor(100) as pool:
        statuses = Counter(pool.map(buy, range(100)))
    assert statuses == {201: 10, 409: 90}
    assert shop.sql("SELECT stock FROM products WHERE id = 1")[0][0] == 0
