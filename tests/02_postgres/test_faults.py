"""Steps 2.4, 2.6 and 2.7: a server that restarts, a URL that is wrong, a database that is away."""

import re
import socket
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from workshop import postgres
from workshop.apps import Refusal
from workshop.checks import Answer, App, Apps, step
from workshop.verdicts import Failure

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Server  # type: ignore[import-untyped]  # noqa: N812

TOGETHER = 3  # requests at once, so that the pool holds as many connections


@contextmanager
def administrator() -> Iterator["Server"]:
    """A connection to the server itself, beside all databases of checks."""
    with closing(postgres.connect(postgres.running_url() or "")) as server:
        yield server


def end_connections(server: "Server", app: App) -> None:
    """End every connection to the app's database, as a restart of the server would.

    An app gives a connection back after its answer; one that ended before would not get into the pool.
    """
    theirs = "FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
    busy = f"SELECT pid {theirs} AND state <> 'idle'"
    wait_until(lambda: not postgres.execute(server, busy, app.url.database))
    postgres.execute(server, f"SELECT pg_terminate_backend(pid) {theirs}", app.url.database)
    wait_until(lambda: not postgres.execute(server, f"SELECT pid {theirs}", app.url.database))


def wait_until(happened: Callable[[], bool], seconds: float = 1.0) -> None:
    """Ask again and again, but not for ever: what follows tells whether it has happened."""
    until = time.monotonic() + seconds
    while not happened() and time.monotonic() < until:
        pass


# Step 2.4


WHY_PING = (
    "The pool keeps connections open between requests, and a restart of the server kills them all. "
    "The engine can ask each one whether it lives before it lends it: pool_pre_ping."
)


@step("2.4", databases=["postgresql"])
def test_requests_survive_a_restart(apps: Apps) -> None:
    """After the server has ended the app's connection, the next request works."""
    ann = apps.post("/users", json={"username": "Ann"})
    apps.same_rows("SELECT username FROM users")
    with administrator() as server:
        end_connections(server, apps.yours)
        apps.get("/users", why=WHY_PING)
        end_connections(server, apps.yours)
        apps.post("/posts", json={"title": "Hello", "owner_id": ann["id"]}, why=WHY_PING)
        end_connections(server, apps.yours)
        apps.post("/users", json={"username": "Bob"}, why=WHY_PING)
        end_connections(server, apps.yours)
        apps.get("/users/{}", ann["id"], why=WHY_PING)
    apps.get("/posts")


@step("2.4", databases=["postgresql"])
def test_a_full_pool_survives_a_restart(apps: Apps) -> None:
    """After the server has ended several connections in the pool, all requests work."""
    apps.post("/users", json={"username": "Ann"})
    apps.same_rows("SELECT username FROM users")
    fill_pool(apps.yours)
    with administrator() as server:
        end_connections(server, apps.yours)
    with ThreadPoolExecutor(TOGETHER) as threads:
        statuses = [answer.status for answer in threads.map(apps.yours.get, ["/users"] * 2 * TOGETHER)]
    apps.expect(
        set(statuses) == {200},
        f"GET /users, {len(statuses)} times, after {TOGETHER} connections in the pool have died",
        expected="200 each time",
        yours=", ".join(map(str, statuses)),
        why=WHY_PING,
    )


def fill_pool(app: App) -> None:
    """Send requests that must wait for a locked table, so that each of them has a connection of its own."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE relation = 'users'::regclass AND NOT granted")
    with ThreadPoolExecutor(TOGETHER) as threads, suppress(DBAPIError), app.connection() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '3s'"))  # a request may have left the table in use
        connection.execute(text("LOCK TABLE users"))
        for _ in range(TOGETHER):
            threads.submit(app.get, "/users")
        wait_until(lambda: connection.scalar(waiting) == TOGETHER)


# Step 2.6


@step("2.6", databases=["sqlite"])
def test_a_text_that_is_no_url(apps: Apps) -> None:
    """A text that is no URL stops the app, with an error that names DATABASE_URL."""
    for value in (
        "blogdb",
        "postgresql:/bloguser:s3cret@localhost/blogdb",
        "postgresql://bloguser:s3cret@localhost:port/blogdb",
    ):
        expect_clear_error(apps, refusal(apps, value), value)


@step("2.6", databases=["sqlite"])
def test_another_kind_of_database(apps: Apps) -> None:
    """A URL of another kind of database stops the app, with an error that names DATABASE_URL."""
    value = "mysql://bloguser:s3cret@localhost/blogdb"
    expect_clear_error(apps, refusal(apps, value), value)


@step("2.6", databases=["sqlite"])
def test_a_file_that_cannot_be_opened(apps: Apps) -> None:
    """A SQLite file that can't be opened stops the app, with an error that names DATABASE_URL."""
    usual = usual_lines(apps.yours)
    value = "sqlite:///no_such_folder/blog.db"
    expect_clear_error(apps, refusal(apps, value), value, usual)


@step("2.6", databases=["postgresql"])
def test_a_server_that_is_not_there(apps: Apps) -> None:
    """A server or a database that isn't there stops the app, with an error that names DATABASE_URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # closed again, so nobody listens there
    usual = usual_lines(apps.yours)
    value = f"postgresql://bloguser:s3cret@127.0.0.1:{port}/blogdb"
    expect_clear_error(apps, refusal(apps, value), value, usual)
    nowhere = apps.yours.url.set(database=f"{apps.yours.prefix}nowhere").render_as_string(hide_password=False)
    shown = "... of a database that the server doesn't have"
    expect_clear_error(apps, refusal(apps, nowhere, shown), shown, usual)


def refusal(apps: Apps, value: str, shown: str = "") -> Refusal:
    """Start the app with that URL and expect it to refuse."""
    try:
        return apps.yours.fails_to_start({"DATABASE_URL": value})
    except Failure as failure:
        asked = f"Starting the app with DATABASE_URL={shown or value}"
        raise Failure(replace(failure.finding, asked=asked, why=WHY_REFUSE)) from None


WHY_REFUSE = (
    "With a wrong DATABASE_URL the app ends, and soon. It uses no other database instead, makes no folder "
    "and no database, and doesn't serve without one."
)


def usual_lines(app: App) -> set[str]:
    """How the lines begin that the app prints when all is well."""
    app.start()
    return {beginning(line) for line in app.output.splitlines()}


def beginning(line: str) -> str:
    """A line up to the name of the variable, and a little further; without numbers, such as a time."""
    before, name, after = line.partition("DATABASE_URL")
    return re.sub(r"\d+", "", before) + name + after[:4]


def expect_clear_error(
    apps: Apps, refusal: Refusal, value: str, usual: Collection[str] = frozenset()
) -> None:
    """Fail the check unless the app's last words name the variable, and no password."""
    asked = f"Starting the app with DATABASE_URL={value}"
    lines = [line for line in refusal.message.splitlines() if not line.startswith("INFO:")]
    errors = [line for line in lines if beginning(line) not in usual]
    apps.expect(
        any("DATABASE_URL" in line for line in errors),
        asked,
        expected="an error that names DATABASE_URL",
        yours=next((line for line in reversed(errors) if "Error" in line), "no error text"),
        why="Whoever reads the error wants to know what to mend: write the name of the variable into its "
        "text. SQLAlchemy and the driver don't know it, so catch their errors and raise one of your own.",
    )
    apps.expect(
        "s3cret" not in refusal.output,
        asked,
        expected="an error without the password",
        yours="the password s3cret is shown",
        why="The text of DATABASE_URL may hold a password. Say what is wrong with it without repeating it.",
    )


# Step 2.7


@contextmanager
def database_away(app: App) -> Iterator[None]:
    """Let nobody into the app's database, as if its server were down."""
    with administrator() as server:
        postgres.execute(server, f'ALTER DATABASE "{app.url.database}" ALLOW_CONNECTIONS false')
        try:
            end_connections(server, app)
            yield
        finally:
            postgres.execute(server, f'ALTER DATABASE "{app.url.database}" ALLOW_CONNECTIONS true')


@step("2.7", databases=["postgresql"])
def test_routes_answer_503_while_the_database_is_away(apps: Apps) -> None:
    """While the database is away, every route that needs it answers 503, and works again afterwards."""
    ann = apps.post("/users", json={"username": "Ann"})
    post = {"title": "Hello", "owner_id": ann["id"].yours}
    why = (
        "503 says: not your fault, try again later. One handler for OperationalError serves every route: "
        "@app.exception_handler(OperationalError)."
    )
    with database_away(apps.yours):
        requests = [
            ("GET", "/health", None),
            ("GET", "/users", None),
            ("GET", "/users/1", None),
            ("GET", "/posts", None),
            ("POST", "/users", {"username": "Bob"}),
            ("POST", "/posts", post),
        ]
        for method, path, json in requests:
            try:
                answer = apps.yours.request(method, path, json=json)
            except Failure as failure:
                raise Failure(replace(failure.finding, expected="503", why=WHY_ANSWER)) from None
            expect_status(apps, 503, answer, "while the database is away", why)
        expect_status(apps, 200, apps.yours.get("/"), "while the database is away", "It needs no database.")
    back = "The database is back: the app works again, without a restart."
    apps.get("/users", why=back)
    apps.get("/users/{}", ann["id"], why=back)
    apps.post("/users", json={"username": "Bob"}, why=back)
    apps.post("/posts", json={"title": "Hello", "owner_id": ann["id"]}, why=back)
    apps.get("/posts", why=back)
    apps.get("/health", why=back)


WHY_ANSWER = (
    "While the database is away the app keeps running, and answers 503 within 5 seconds: it is the client "
    "that tries again later."
)


@step("2.7", databases=["postgresql"])
def test_other_faults_are_no_503(apps: Apps) -> None:
    """Only an absent database is a 503: other faults keep their status."""
    there = "The database is there, and answers: this is 409 or 404, as it was before. "
    why = (
        "503 means that the database is away. Any other fault keeps its own status: catch OperationalError "
        "alone, and not its parent SQLAlchemyError."
    )
    hidden = "A missing table is a real fault, which nobody would notice: don't hide it. The answer is 500. "
    apps.post("/users", json={"username": "Ann"}, why=why)
    apps.post("/users", json={"username": "Ann"}, why=there + why)
    apps.get("/users/987654", why=there + why)
    apps.yours.sql("SET LOCAL lock_timeout = '3s'; DROP TABLE posts")
    answer = apps.yours.get("/posts")
    why = why if answer.status == 503 else hidden
    expect_status(apps, 500, answer, "after somebody has dropped the table posts", why)


def expect_status(apps: Apps, expected: int, answer: Answer, when: str, why: str) -> None:
    """Fail the check unless the app answered with that status."""
    yours = f"{answer.status}  {answer.error}".strip()
    apps.expect(answer.status == expected, f"{answer.asked}, {when}", expected=expected, yours=yours, why=why)
