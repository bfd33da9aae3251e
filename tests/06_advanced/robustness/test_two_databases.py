"""Lesson 6, robustness, steps 6.28 and 6.29: a second database, and a read path that never blocks."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from workshop import postgres
from workshop.apps import Answer
from workshop.checks import Apps, step
from workshop.verdicts import Failure

PASSWORD = "correct horse"
ANN = ("ann", PASSWORD)
EMPTY = {"users": 0, "posts": 0, "published": 0}


def insert_users(connection: sa.Connection, *names: str) -> list[int]:
    """Insert users as another program would; returns their ids."""
    insert = sa.text(
        "INSERT INTO users (username, email, password_hash, display_name)"
        " VALUES (:name, :name, '-', :name) RETURNING id"
    )
    return [connection.scalars(insert, {"name": name}).one() for name in names]


def insert_posts(connection: sa.Connection, owner_id: int, drafts: int, published: int) -> None:
    """Insert posts of one user."""
    insert = sa.text(
        "INSERT INTO posts (title, content, is_published, owner_id) VALUES (:title, '-', :published, :owner)"
    )
    for number in range(drafts + published):
        row = {"title": f"Post {number}", "published": number < published, "owner": owner_id}
        connection.execute(insert, row)


def has_soft_delete(apps: Apps) -> bool:
    return "deleted_at" in apps.yours.schema()["users"]["columns"]


# 6.28


class Reports:
    """A database with the learner's own tables, for reports."""

    def __init__(self, apps: Apps) -> None:
        """Copy the app's database, to which nobody may be connected."""
        app = apps.yours
        if apps.database == "sqlite":
            file = app.folder.with_name("reports.db")
            shutil.copyfile(str(app.url.database), file)
            self.url = app.url.set(database=str(file))
        else:
            address = app.url.render_as_string(hide_password=False)
            self.url = app.url.set(database=f"{app.prefix}reports")
            copy = f'CREATE DATABASE "{self.url.database}" TEMPLATE "{app.url.database}" STRATEGY FILE_COPY'
            connection = postgres.connect(address)
            try:
                postgres.execute(connection, copy)
            finally:
                connection.close()
        self.address = self.url.render_as_string(hide_password=False)

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """The grader's own connection, in a transaction."""
        driver = "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql+psycopg2"
        engine = sa.create_engine(self.url.set(drivername=driver), poolclass=sa.NullPool)
        with engine.begin() as connection:
            yield connection

    def rows(self) -> list[tuple[Any, ...]]:
        """Names of users, titles of posts and whether they are published."""
        query = "SELECT username, title, is_published FROM users LEFT JOIN posts ON owner_id = users.id"
        with self.connection() as connection:
            return sorted(tuple(map(str, row)) for row in connection.execute(sa.text(query)))


def expect_summary(apps: Apps, expected: dict[str, int], when: str, why: str) -> None:
    """GET /reports/summary answers these numbers."""
    answer = apps.yours.get("/reports/summary")
    found = {name: answer.body.get(name) for name in expected} if isinstance(answer.body, dict) else {}
    apps.expect(
        answer.status == 200 and found == expected,
        f"GET /reports/summary {when}",
        expected=expected,
        yours=found if answer.status == 200 else f"{answer.status}  {answer.error}".strip(),
        why=why,
    )


def expect_health(apps: Apps, status: int, when: str) -> None:
    """GET /health tells of both databases."""
    answer = apps.yours.get("/health")
    expected = {"status": "ok", "database": apps.database, "reporting": apps.database}
    right = status != 200 or (isinstance(answer.body, dict) and expected.items() <= answer.body.items())
    apps.expect(
        answer.status == status and right,
        f"GET /health {when}",
        expected=expected if status == 200 else status,
        yours=f"{answer.status}  {answer.body}"[:120],
        why="It sends a SELECT 1 to each database, and tells the kind of each: engine.dialect.name.",
    )


@step("6.28")
def test_reports_come_from_a_database_of_their_own(apps: Apps) -> None:
    """GET /reports/summary counts in the reporting database, nothing is written there, or in the main one."""
    reports = Reports(apps)
    with reports.connection() as connection:
        ann, bob = insert_users(connection, "ann", "bob")
        insert_posts(connection, ann, drafts=13, published=1)
        insert_posts(connection, bob, drafts=0, published=1)
        connection.execute(sa.text("UPDATE users SET status = 'banned' WHERE username = 'bob'"))
    before = reports.rows()
    apps.yours.start({"REPORTING_DATABASE_URL": reports.address})
    when = "with a REPORTING_DATABASE_URL"
    why = "The numbers of the database that REPORTING_DATABASE_URL names: users, posts, published posts."
    expect_summary(apps, {"users": 2, "posts": 15, "published": 2}, when, why)
    expect_health(apps, 200, when)
    _write(apps)
    apps.expect(
        reports.rows() == before,
        "POST /users and POST /posts/{post_id}/publish, then the rows of the reporting database",
        expected="as before",
        yours=f"{len(reports.rows())} rows of users and posts, or other values",
        why="Everything that writes goes to the main database. The reporting database is only read.",
    )
    with reports.connection() as connection:
        insert_users(connection, "cleo")
        if has_soft_delete(apps):
            connection.execute(
                sa.text("UPDATE users SET deleted_at = CURRENT_TIMESTAMP WHERE username = 'bob'")
            )
    expected = {"users": 3, "posts": 15, "published": 2}
    if has_soft_delete(apps):
        expected = {"users": 2, "posts": 14, "published": 1}
    why = "Each request has a session of its own, closed at the end: it sees what others have committed."
    if has_soft_delete(apps):
        why += " And a user who was deleted softly (6.9) isn't counted, with all posts."
    expect_summary(apps, expected, "after another program has changed the reporting database", why)


def _write(apps: Apps) -> None:
    """A user and a published post, by requests, go to the main database."""
    body = {"username": "ann", "email": "ann@x.com", "password": PASSWORD, "display_name": "ann"}
    answer = apps.yours.post("/users", json=body)
    with apps.yours.connection() as connection:
        owner_id = connection.scalar(sa.text("SELECT id FROM users WHERE username = 'ann'"))
        if owner_id is not None:
            insert_posts(connection, owner_id, drafts=1, published=0)
        post_id = connection.scalar(sa.text("SELECT max(id) FROM posts"))
    published = apps.yours.post(f"/posts/{post_id}/publish", auth=ANN)
    rows = apps.yours.sql("SELECT username, is_published FROM users JOIN posts ON owner_id = users.id")
    found = [(row["username"], bool(row["is_published"])) for row in rows]
    apps.expect(
        found == [("ann", True)],
        "POST /users and POST /posts/{post_id}/publish, then the main database",
        expected="ann, with one published post",
        yours=f"{found}, answered with {answer.status} and {published.status}",
        why="Only the reports come from the reporting database.",
    )


def add_report_routes(app: Any, database: Any) -> None:
    """Add routes with `session: ReportSession`: two that meet, and one that writes."""
    import threading

    from sqlalchemy import text

    meeting = threading.Barrier(2, timeout=2)

    def meet(session: Any) -> int:
        meeting.wait()
        session.execute(text("SELECT 1"))
        meeting.wait()
        return id(session)

    def write(session: Any) -> None:
        insert = (
            "INSERT INTO users (username, email, password_hash, display_name) VALUES ('x', 'x', '-', 'x')"
        )
        session.execute(text(insert))

    for route in (meet, write):
        route.__annotations__ = {"session": database.ReportSession}
        app.add_api_route(f"/check/{route.__name__}", route, methods=["POST"])


def count_connections(database: Any) -> None:
    """Count the connections that leave their pools, and those that come back."""
    from sqlalchemy import event
    from sqlalchemy.pool import Pool

    database.connections_out = set()  # not a number: one that was taken before may come back after this

    @event.listens_for(Pool, "checkout")
    def taken(_connection: Any, record: Any, _proxy: Any) -> None:
        database.connections_out.add(id(record))

    @event.listens_for(Pool, "checkin")
    def given_back(_connection: Any, record: Any) -> None:
        database.connections_out.discard(id(record))


def how_many_are_out(database: Any) -> int:
    """How many connections have left their pools and aren't back."""
    return len(database.connections_out)


def expect_given_back(apps: Apps, path: str) -> None:
    """Every connection is back in its pool, at the latest a moment after the answer."""
    for _ in range(25):
        out = apps.yours.probe(how_many_are_out, "database")
        if out == 0:
            break
        time.sleep(0.02)
    apps.expect(
        out == 0,
        f"Connections of the pool that GET {path} has taken and not given back",
        expected=0,
        yours=out,
        why="A session keeps its connection until it is closed: yield it within `with` or `async with`. When "
        "all connections of the pool are kept, the next request waits for one, in vain.",
    )


@step("6.28")
def test_each_request_has_its_own_reporting_session(apps: Apps) -> None:
    """Without REPORTING_DATABASE_URL reports read the main database; their session stores nothing."""
    apps.ready()
    with apps.yours.connection() as connection:
        insert_posts(connection, insert_users(connection, "ann")[0], drafts=1, published=2)
    why = "Without a reporting database, the main one is used."
    when = "without REPORTING_DATABASE_URL"
    expect_summary(apps, {"users": 1, "posts": 3, "published": 2}, when, why)
    expect_health(apps, 200, when)
    apps.yours.probe(count_connections, "database")
    expect_summary(apps, {"users": 1, "posts": 3, "published": 2}, f"once more, {when}", why)
    expect_given_back(apps, "/reports/summary")
    apps.yours.probe(add_report_routes, "app", "database")
    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(apps.yours.post, "/check/meet") for _ in range(2)]
    answers = [one.result() for one in sent]
    apps.expect(
        all(answer.status == 200 for answer in answers) and answers[0].body != answers[1].body,
        "Two requests at once, to a route with session: ReportSession",
        expected="two sessions",
        yours="one session for both" if answers[0].status == 200 else answers[0].error,
        why="get_report_db makes a session for each request, as get_db does. A session is no shared thing: "
        "what one request does to it, another one sees.",
    )
    apps.yours.post("/check/write")
    why = "get_report_db never commits."
    expect_summary(apps, {"users": 1, "posts": 3, "published": 2}, "after a route has written with it", why)


@step("6.28")
def test_only_reports_need_the_reporting_database(apps: Apps) -> None:
    """Where the reporting database can't be reached, reports and /health answer 503, and all else goes on."""
    nowhere = "sqlite:////nowhere/at/all/reports.db"
    apps.yours.start({"REPORTING_DATABASE_URL": nowhere})
    when = "while the reporting database can't be reached"
    for path, status in (("/posts", 200), ("/reports/summary", 503), ("/health", 503), ("/users", 200)):
        answer = apps.yours.get(path)
        apps.expect(
            answer.status == status,
            f"GET {path} {when}",
            expected=status,
            yours=f"{answer.status}  {answer.error or answer.body}"[:120],
            why="Only reports need the reporting database: no other route, and not the start. The handler "
            "for OperationalError, which is there, answers 503.",
        )


# 6.29


def limit_threads(app: Any) -> None:
    """Add a route that leaves a single thread for all plain `def` routes."""
    from anyio.to_thread import current_default_thread_limiter

    async def threads() -> None:
        current_default_thread_limiter().total_tokens = 1

    app.add_api_route("/check/threads", threads, methods=["POST"])


def list_async_statements(database: Any) -> list[str]:
    """What async_engine sends from now on goes into a list."""
    from sqlalchemy import event

    database.async_statements = []

    @event.listens_for(database.async_engine.sync_engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        database.async_statements.append(statement)

    return []


def read_async_statements(database: Any) -> list[str]:
    """What async_engine has sent."""
    return list(database.async_statements)


TWIN, ASYNC = "/users-with-posts", "/async/users-with-posts"


SAME = "The same query, options, order, page and schema, and await in front of the session's methods."


def expect_twins(
    apps: Apps, params: dict[str, Any], answer: Answer | None = None, when: str = "", why: str = SAME
) -> None:
    """The async route answers as its twin does."""
    answer = answer or apps.yours.get(ASYNC, params=params)
    twin = apps.yours.get(TWIN, params=params)
    alike = answer.status == twin.status and (answer.status != 200 or answer.body == twin.body)
    shown = f"{answer.status}  {answer.error or str(answer.body)}"
    apps.expect(
        alike,
        f"GET {ASYNC}{when}" + (f" with {params}" if params else ""),
        expected=f"what GET {TWIN} answers: {twin.status}  {twin.body}"[:150],
        yours=shown[:150],
        why=why,
    )


@step("6.29")
def test_the_async_route_answers_as_its_twin(apps: Apps) -> None:
    """GET /async/users-with-posts answers what /users-with-posts does, in a constant number of statements."""
    apps.ready()
    expect_twins(apps, {})
    with apps.yours.connection() as connection:
        insert_posts(connection, insert_users(connection, "ann")[0], drafts=1, published=0)
    apps.yours.probe(list_async_statements, "database")
    apps.yours.probe(count_connections, "database")
    expect_twins(apps, {})
    expect_given_back(apps, ASYNC)
    few = apps.yours.probe(read_async_statements, "database")
    apps.expect(
        len(few) > 0,
        f"The SQL that async_engine sends for GET {ASYNC}",
        expected="1 to 3 statements",
        yours="none: it is sent by another engine",
        why="The route needs an AsyncSession of async_engine. An ordinary session stops the event loop, or, "
        "with run_in_threadpool, keeps a thread waiting.",
    )
    with apps.yours.connection() as connection:
        for owner_id in insert_users(connection, *(f"user {number}" for number in range(30))):
            insert_posts(connection, owner_id, drafts=1, published=1)
        insert_users(connection, "silent")
        if has_soft_delete(apps):
            connection.execute(
                sa.text("UPDATE users SET deleted_at = CURRENT_TIMESTAMP WHERE username = 'user 3'")
            )
    expect_twins(apps, {"skip": 1, "limit": 100})
    many = apps.yours.probe(read_async_statements, "database")[len(few) :]
    apps.expect(
        len(few) == len(many) <= 3,
        f"The SQL that async_engine sends for GET {ASYNC} with few rows, and with many",
        expected="the same number of statements, 3 at most",
        yours=f"{len(few)} with few, {len(many)} with many",
        why="One statement for the users, and one for all their posts: selectinload(User.posts).",
        statements=many,
    )
    for params in ({}, {"skip": 3, "limit": 2}, {"limit": 0}, {"skip": -1}):
        expect_twins(apps, params)


@contextmanager
def nobody_can_read(apps: Apps) -> Iterator[None]:
    """Another program has locked the posts, also for readers."""
    if apps.database == "postgresql":
        with apps.yours.connection() as connection:
            connection.execute(sa.text("LOCK TABLE posts, users IN ACCESS EXCLUSIVE MODE"))
            yield
        return
    other = sqlite3.connect(str(apps.yours.url.database), isolation_level=None)
    try:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")  # in the mode WAL, nothing else stops a reader
        other.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        other.close()


@step("6.29")
def test_the_event_loop_goes_on(apps: Apps) -> None:
    """While the async route waits for the database, the server answers others, and no thread is taken."""
    with apps.yours.connection() as connection:
        insert_posts(connection, insert_users(connection, "ann")[0], drafts=1, published=0)
    apps.yours.start(lifespan=False)  # else a connection of the start may be open, and SQLite can't be locked
    apps.yours.probe(limit_threads, "app")
    apps.yours.post("/check/threads")
    with ThreadPoolExecutor(3) as pool:
        with nobody_can_read(apps):
            waiting = [pool.submit(apps.yours.get, ASYNC, timeout=15) for _ in range(3)]
            _expect_others_answered(apps)
        answers = [one.result() for one in waiting]
    for answer in answers:
        why = "Each request needs an AsyncSession of its own: no two can use one at the same time."
        expect_twins(apps, {}, answer, ", three times at once", why)


def _expect_others_answered(apps: Apps) -> None:
    """GET / is answered, again and again: the requests that wait have come before it."""
    try:
        for _ in range(10):
            apps.yours.get("/", timeout=3)
        return
    except Failure:
        pass
    apps.expect(
        False,
        f"GET /, while GET {ASYNC} waits for a lock in the database, and one thread is left for def routes",
        expected="answered at once",
        yours="not answered within 3 s",
        why="A session without await in async def stops the event loop, and with it the server. In def, or "
        "with run_in_threadpool, each request that waits keeps a thread, and these run out. An AsyncSession "
        "does neither.",
    )
