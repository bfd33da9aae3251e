"""Lesson 06's cache with a real Redis server: two processes of the reference share what it keeps."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from workshop.apps import App, Submission
from workshop.grading import Bench
from workshop.lessons import find_lesson
from workshop.processes import Host, imports_of
from workshop.render import render_lesson

SERVER = shutil.which("redis-server")
ANN = ("ann", "correct horse")
PUBLISH = "/posts/{}/publish"
StartTwo = Callable[[dict[str, str | None]], tuple[App, App]]
needs_redis = pytest.mark.skipif(SERVER is None, reason="no redis-server is installed")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench(Host(imports_of(find_lesson("06")))) as bench:
        yield bench


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a server of this test's own, which is stopped at the end."""
    assert SERVER
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    options = {"port": str(port), "bind": "127.0.0.1", "dir": str(tmp_path), "save": "", "appendonly": "no"}
    command = [part for name, value in options.items() for part in (f"--{name}", value)]
    server = subprocess.Popen([SERVER, *command], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        said = next(line for line in server.stdout if "Ready to accept" in line)
        assert said
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.communicate(timeout=10)


@pytest.fixture
def start_two(bench: Bench) -> Iterator[StartTwo]:
    """Start two processes of the whole system on one database, with ann and two drafts of hers."""
    lesson = find_lesson("06")
    submission = Submission(lesson.folder, render_lesson(lesson, lesson.steps[-1].id))
    first = bench.app(submission, "sqlite", by_environment=True)
    second = bench.beside(first, submission)

    def start(environment: dict[str, str | None]) -> tuple[App, App]:
        first.run("alembic", "upgrade", "head")
        for app in (first, second):
            app.start(environment)
        ann = {"username": "ann", "email": "ann@example.com", "password": ANN[1]}
        assert first.post("/users", json=ann).status == 201
        for title in ("One", "Two"):
            assert first.post("/posts", json={"title": title, "content": "A text."}, auth=ANN).status == 201
        return first, second

    yield start
    bench.discard(second, database=False)
    bench.discard(first)


def count_posts(app: App) -> int:
    """How many published posts ann has, as the ranking says."""
    ranking = app.get("/authors/top").body
    return int(ranking[0]["posts"]) if ranking else 0


@needs_redis
def test_a_write_in_one_process_is_seen_in_the_other(start_two: StartTwo, redis_url: str) -> None:
    first, second = start_two({"CACHE_URL": redis_url})
    for number, (writer, reader) in enumerate(((first, second), (second, first)), 1):
        assert count_posts(reader) == number - 1
        assert writer.post(PUBLISH.format(number), auth=ANN).status == 200
        assert count_posts(reader) == number
    with first.recorded() as statements:
        assert count_posts(first) == 2
    assert statements == []
    with closing(redis.Redis.from_url(redis_url)) as client:
        (key,) = client.scan_iter()
        assert 0 < client.ttl(key) <= 120, "it is not kept for ever"


def test_without_its_server_the_database_answers(start_two: StartTwo) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        nobody = f"redis://127.0.0.1:{free.getsockname()[1]}/0"
    first, _ = start_two({"CACHE_URL": nobody})
    assert count_posts(first) == 0
    assert first.post(PUBLISH.format(1), auth=ANN).status == 200
    assert count_posts(first) == 1
    assert "The cache is away" in first.output


def test_without_it_each_process_remembers_for_itself(start_two: StartTwo) -> None:
    first, second = start_two({"CACHE_URL": None})
    assert count_posts(second) == 0
    assert first.post(PUBLISH.format(1), auth=ANN).status == 200
    assert (count_posts(first), count_posts(second)) == (1, 0)
