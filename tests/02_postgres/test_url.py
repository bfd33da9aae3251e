"""Steps 2.1 and 2.2: where the URL comes from, and what the app makes of it."""

import os
import socket
import sqlite3
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

from sqlalchemy import URL

from workshop.checks import App, Apps, step
from workshop.compare import show
from workshop.verdicts import Failure

TOGETHER = 3  # requests at once, so that the pool opens as many connections
LOCK_SECONDS = 0.1
ENCRYPTION_REQUESTS = {80877103, 80877104}  # of a client that would like TLS or GSSAPI
ENV_FILE = """\
# What differs on this machine
GREETING=hello

DATABASE_URL="sqlite:///from_file.db"
"""


OPTIONS = (
    "PRAGMA and check_same_thread are SQLite's own words: PostgreSQL fails on them. SQLite needs "
    "PRAGMA foreign_keys on every connection: without it, it stores a post whose owner doesn't exist."
)
QUERY = "What follows the ? in a URL is for the driver and the server, host and port too: url.set() keeps it."
SYMPTOMS = {
    "PRAGMA": OPTIONS,
    "check_same_thread": OPTIONS,
    "No module named 'psycopg'": "SQLAlchemy takes psycopg for the driver of postgresql://. Installed is "
    "psycopg2: set the drivername of the URL to postgresql+psycopg2, and only where it needs it.",
    "/var/run/postgresql/": QUERY,  # where the driver looks when it is told no host
    "/tmp/.s.PGSQL": QUERY,
}


@contextmanager
def explained(why: str) -> Iterator[None]:
    """Tell the learner `why` if the app fails in the block, or what its error is known to come from."""
    try:
        yield
    except Failure as failure:
        finding = failure.finding
        told = f"{finding.yours} {finding.frames}"
        known = next((advice for symptom, advice in SYMPTOMS.items() if symptom in told), why)
        raise Failure(replace(finding, why=finding.why or known)) from None


# Step 2.1


ELSEWHERE = "../elsewhere"  # beside the app's folder: nothing in it or above it is the app's


def files_with(name: str, app: App) -> list[str]:
    """The SQLite files in the app's folder, or in the one that it is started in, that hold such a user."""
    files = [*app.folder.rglob("*.db"), *(app.folder / ELSEWHERE).rglob("*.db")]
    places = {Path(os.path.relpath(file, app.folder)).as_posix(): str(file) for file in files}
    return [place for place, file in places.items() if name in usernames(file)]


def usernames(file: str) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        try:
            return [name for (name,) in connection.execute("SELECT username FROM users")]
        except sqlite3.OperationalError:
            return []


def expect_stored(apps: Apps, name: str, file: str, setting: str, why: str) -> None:
    """POST a user, and look which file she is in."""
    apps.post("/users", json={"username": name}, why=why, status_only=True)  # a number depends on the file
    found = files_with(name, apps.yours)
    misplaced = Path(file).name in [Path(other).name for other in found] and file != "blog.db"
    apps.expect(
        found == [file],
        f"POST /users, with {setting}",
        expected=f"the user is stored in {place(file)}",
        yours=f"the user is stored in {', '.join(map(place, found)) or 'no file in either folder'}",
        why=WHY_WORKING_FOLDER if misplaced else why,
    )


def place(file: str) -> str:
    """A file in words, for a learner who doesn't see the folders of the check."""
    beside, _, name = file.rpartition("elsewhere/")
    return f"{name}, in the folder it is started in" if beside else f"{name}, in the app's folder"


WHY_WORKING_FOLDER = (
    "The path after sqlite:/// is relative to the folder that the app is started in, not to the app's own. "
    "Take the URL as it is, and don't change the folder (os.chdir)."
)


@step("2.1", databases=["sqlite"])
def test_the_environment_names_the_database(apps: Apps) -> None:
    """The app works on the database that the variable DATABASE_URL names."""
    apps.start({"DATABASE_URL": "sqlite:///from_environment.db"})
    expect_stored(
        apps,
        "Ann",
        "from_environment.db",
        "DATABASE_URL=sqlite:///from_environment.db",
        why="The app hasn't used the variable DATABASE_URL. Which URL does create_engine get in database.py?",
    )


@step("2.1", databases=["sqlite"])
def test_a_file_names_the_database(apps: Apps) -> None:
    """A .env file in the app's folder names the database, wherever the app is started."""
    why = (
        "The app is started from another folder, and DATABASE_URL stands in .env only, among lines for other "
        "programs. Build the path of .env from FOLDER, and ignore what else stands in it. A value may stand "
        "in quotes, which aren't part of it."
    )
    with explained(why):
        apps.start({"DATABASE_URL": None}, files={".env": ENV_FILE}, cwd=ELSEWHERE)
    expect_stored(apps, "Bob", f"{ELSEWHERE}/from_file.db", "sqlite:///from_file.db in .env", why)


@step("2.1", databases=["sqlite"])
def test_the_environment_wins(apps: Apps) -> None:
    """DATABASE_URL in the environment wins over the one in .env."""
    with explained("The file .env holds other lines too: ignore what your settings have no field for."):
        apps.start({"DATABASE_URL": "sqlite:///from_environment.db"}, files={".env": ENV_FILE})
    expect_stored(
        apps,
        "Cid",
        "from_environment.db",
        "from_environment.db in the environment and from_file.db in .env",
        why="Whoever starts the app sets the environment for this one run, so it wins over the file.",
    )


@step("2.1", databases=["sqlite"])
def test_sqlite_is_the_fallback(apps: Apps) -> None:
    """Without DATABASE_URL, or with an empty one, the app works on blog.db in its folder."""
    why = (
        "Without DATABASE_URL the app works on SQLITE_URL, blog.db beside your code, wherever it is started. "
        "An empty variable counts as not set."
    )
    for name, value, setting, file in [
        ("Dan", "sqlite:///other.db", "DATABASE_URL=sqlite:///other.db", f"{ELSEWHERE}/other.db"),
        ("Eva", None, "no DATABASE_URL", "blog.db"),
        ("Flo", "", "an empty DATABASE_URL", "blog.db"),
    ]:
        with explained(why):
            apps.start({"DATABASE_URL": value}, cwd=ELSEWHERE)
        expect_stored(apps, name, file, setting, why)


# Step 2.2


@step("2.2", databases=["postgresql"])
def test_every_spelling_leads_to_postgresql(apps: Apps) -> None:
    """URLs that begin with postgresql://, postgres:// or postgresql+psycopg2:// all work."""
    for spelling in ("postgresql", "postgres", "postgresql+psycopg2"):
        with explained(
            f"DATABASE_URL begins with {spelling}:// here. The driver that is installed is psycopg2, and "
            "SQLAlchemy knows it as postgresql+psycopg2. Change the drivername of the URL, and only where it "
            "needs it."
        ):
            apps.yours.start({"DATABASE_URL": text_of(apps.yours.url.set(drivername=spelling))})
            apps.post("/users", json={"username": spelling}, status_only=True)
            apps.same_rows("SELECT username FROM users")


@step("2.2", databases=["postgresql"])
def test_each_database_gets_its_own_options(apps: Apps) -> None:
    """A post without an owner is refused on PostgreSQL, and after a switch to SQLite too."""
    lost = {"title": "Lost", "owner_id": 99}
    with explained("There is no user 99: the database refuses the post, and the answer is 409."):
        apps.post("/posts", json=lost)
        apps.same_rows("SELECT title FROM posts")
    apps.start(
        {"DATABASE_URL": "sqlite:///other.db"},
        why="The URL is sqlite:///other.db now. Only a URL of PostgreSQL gets another drivername.",
    )
    apps.post("/posts", json=lost, why=OPTIONS)
    with ThreadPoolExecutor(TOGETHER) as threads:
        with sqlite_locked(apps.yours.folder / "other.db"):
            posts = [threads.submit(apps.yours.post, "/posts", json=lost) for _ in range(TOGETHER)]
            time.sleep(LOCK_SECONDS)  # now each of them waits, on a connection of its own
        statuses = [post.result().status for post in posts]
    apps.expect(
        set(statuses) == {409},
        f"POST /posts {show(lost)} on SQLite, {TOGETHER} times at once",
        expected="409 each time",
        yours=", ".join(map(str, statuses)),
        why=OPTIONS,
    )


@contextmanager
def sqlite_locked(file: Path) -> Iterator[None]:
    """Let nobody write into the file, so that requests that want to must wait."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@step("2.2", databases=["postgresql"])
def test_the_password_survives(apps: Apps) -> None:
    """A password with special characters reaches the server as it is."""
    password = "100%p@ss/w:rd?#"
    with password_collector() as (port, received):
        url = URL.create("postgresql", "ann", password, "127.0.0.1", port, "blog")
        with suppress(Failure):  # the collector lets nobody in
            apps.yours.start({"DATABASE_URL": text_of(url)})
            apps.yours.get("/users")
    apps.expect(
        set(received) == {password},
        f"Start your app with DATABASE_URL={text_of(url)}",
        expected=f"the server is told the password {password}",
        yours=f"the server is told the password {received[0]}"
        if received
        else "the server is told no password",
        why="In a URL, @ is written %40, / is %2F and % is %25, and make_url turns them back. Change the URL "
        "object with set(). As text it goes wrong: str(url) has *** for the password.",
    )


@contextmanager
def password_collector() -> Iterator[tuple[int, list[str]]]:
    """A port that asks for a password as a PostgreSQL server does, and the passwords that it is told.

    A real server may be set up to let everybody in, and would not notice a wrong one.
    """
    received: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=collect_passwords, args=(server, received))
        thread.start()
        try:
            yield server.getsockname()[1], received
        finally:
            with socket.create_connection(server.getsockname()):
                pass  # the connection that says nothing ends the thread
            thread.join()


def collect_passwords(server: socket.socket, received: list[str]) -> None:
    """Ask every connection for its password, until one says nothing."""
    while True:
        connection, _ = server.accept()
        connection.settimeout(5)
        with connection, connection.makefile("rwb") as stream, suppress(OSError, struct.error):
            if not (head := stream.read(8)):
                return
            while struct.unpack("!ii", head)[1] in ENCRYPTION_REQUESTS:
                stream.write(b"N")  # no
                stream.flush()
                head = stream.read(8)
            stream.read(struct.unpack("!ii", head)[0] - 8)
            stream.write(struct.pack("!cii", b"R", 8, 3))  # your password, please, as it is
            stream.flush()
            _, size = struct.unpack("!ci", stream.read(5))
            received.append(stream.read(size - 4).rstrip(b"\0").decode())


@step("2.2", databases=["postgresql"])
def test_the_query_survives(apps: Apps) -> None:
    """Options at the end of the URL, such as ?options=-csearch_path=other, reach the server."""
    with apps.yours.connection() as connection:
        connection.exec_driver_sql("CREATE SCHEMA other")
    url = apps.yours.url.update_query_dict({"options": "-csearch_path=other"})
    why = "What follows the ? in a URL is for the driver and the server. Keep it: url.set() does."
    with explained(why):
        apps.yours.start({"DATABASE_URL": text_of(url)})
        apps.get("/users")
    schemas = apps.yours.sql("SELECT schemaname FROM pg_tables WHERE tablename = 'users'")
    found = ", ".join(row["schemaname"] for row in schemas) or "no schema"
    apps.expect(
        found == "other",
        "Start your app with ?options=-csearch_path=other in DATABASE_URL",
        expected="the table users is in the schema other",
        yours=f"the table users is in {found}",
        why=why,
    )


def text_of(url: URL) -> str:
    return url.render_as_string(hide_password=False)
