"""Steps 2.4, 2.6 and 2.7: a server that restarts, a URL that is wrong, a database that is away."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text

from workshop import postgres
from workshop.apps import Refusal
from workshop.checks import Answer, App, Apps, step

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Server  # type: ignore[import-untyped]  # noqa: N812

TOGETHER = 3  # requests at once, so that the pool holds as many connections


@contextmanager
def administrator() -> Iterator["Server"]:
    """A connection to the server itself, beside all databases of checks."""
    with closing(postgres.connect(postgres.running_url() or "")) as server:
        yield server


def end_connections(server: "Server", app: App) -> None:
    """End every connection to the app's database, as a restart of the server would."""
    theirs = "FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
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
    with ThreadPoolExecutor(TOGETHER) as threads, app.connection() as connection:
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
        expect_clear_error(apps, apps.yours.fails_to_start({"DATABASE_URL": value}), value)


@step("2.6", databases=["sqlite"])
def test_another_kind_of_database(apps: Apps) -> None:
    """A URL of another kind of database stops the app, with an error that names DATABASE_URL."""
    value = "mysql://bloguser:s3cret@localhost/blogdb"
    expect_clear_error(apps, apps.yours.fails_to_start({"DATABASE_URL": value}), value)


@step("2.6", databases=["sqlite"])
def test_a_file_that_cannot_be_opened(apps: Apps) -> None:
    """A SQLite file that can't be opened stops the app, with an error that names DATABASE_URL."""
    value = "sqlite:///no_such_folder/blog.db"
    expect_clear_error(apps, apps.yours.fails_to_start({"DATABASE_URL": value}), value)


@step("2.6", databases=["postgresql"])
def test_a_server_that_is_not_there(apps: Apps) -> None:
    """A server or a database that isn't there stops the app, with an error that names DATABASE_URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # closed again, so nobody listens there
    value = f"postgresql://bloguser:s3cret@127.0.0.1:{port}/blogdb"
    expect_clear_error(apps, apps.yours.fails_to_start({"DATABASE_URL": value}), value)
    nowhere = apps.yours.url.set(database=f"{apps.yours.prefix}nowhere").render_as_string(hide_password=False)
    refusal = apps.yours.fails_to_start({"DATABASE_URL": nowhere})
    expect_clear_error(apps, refusal, "... of a database that the server doesn't have")


def expect_clear_error(apps: Apps, refusal: Refusal, value: str) -> None:
    """Fail the check unless the app's last words name the variable, and no password."""
    asked = f"Starting the app with DATABASE_URL={value}"
    errors = [line for line in refusal.output.splitlines() if line.strip() and not line.startswith(NO_ERROR)]
    apps.expect(
        any("DATABASE_URL" in line for line in errors),
        asked,
        expected="an error that names DATABASE_URL",
        yours=next((line for line in errors if "Error" in line), "no error text"),
        why="Whoever reads the error wants to know what to mend. Catch it, and raise one of your own "
        "that says it.",
    )
    apps.expect(
        "s3cret" not in refusal.output,
        asked,
        expected="an error without the password",
        yours="the password s3cret is shown",
        why="The text of DATABASE_URL may hold a password. Say what is wrong with it without repeating it.",
    )


# Lines of a traceback, of the server and of what the app says when all is well
NO_ERROR = (" ", "INFO:", "Traceback", "ERROR:    Traceback", "During handling", "The above exception")


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
            answer = apps.yours.request(method, path, json=json)
            expect_status(apps, 503, answer, "while the database is away", why)
        expect_status(apps, 200, apps.yours.get("/"), "while the database is away", "It needs no database.")
    back = "The database is back: the app works again, without a restart."
    apps.get("/users", why=back)
    apps.post("/posts", json={"title": "Hello", "owner_id": ann["id"]}, why=back)
    apps.get("/health", why=back)


@step("2.7", databases=["postgresql"])
def test_other_faults_are_no_503(apps: Apps) -> None:
    """Only an absent database is a 503: other faults keep their status."""
    why = (
        "503 means that the database is away. Any other fault keeps its own status: catch OperationalError "
        "alone, and not its parent SQLAlchemyError."
    )
    apps.post("/users", json={"username": "Ann"}, why=why)
    apps.post("/users", json={"username": "Ann"}, why=why)
    apps.get("/users/987654", why=why)
    apps.yours.sql("DROP TABLE posts")
    expect_status(apps, 500, apps.yours.get("/posts"), "after somebody has dropped the table posts", why)


def expect_status(apps: Apps, expected: int, answer: Answer, when: str, why: str) -> None:
    """Fail the check unless the app answered with that status."""
    yours = f"{answer.status}  {answer.error}".strip()
    apps.expect(answer.status == expected, f"{answer.asked}, {when}", expected=expected, yours=yours, why=why)
