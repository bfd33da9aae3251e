"""Steps 1.1 to 1.4: the file, its connections, the sessions, and the tables."""

from typing import Any

from workshop.checks import Apps, step

# Step 1.1


SLASHES = "A URL that leads to a file is sqlite:/// with three slashes, and then the path."


def write_a_note(database: Any) -> list[str]:
    """Write a table through your engine.

    Returns the engine's URL, and the error if the database can't be opened.
    """
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    try:
        with database.engine.begin() as connection:
            connection.execute(text("CREATE TABLE notes (name TEXT)"))
            connection.execute(text("INSERT INTO notes VALUES ('kept')"))
    except OperationalError as error:
        return [str(database.engine.url), str(error.orig)]
    return [str(database.engine.url), ""]


def write_notes(apps: Apps) -> str:
    """Write through both engines; returns the URL of the learner's."""
    url, error = apps.probe(write_a_note, "database", compare=False).yours
    apps.expect(
        not error,
        f"Write a table through your engine, whose URL is {url}",
        expected="it is written",
        yours=error,
        why=SLASHES,
    )
    return str(url)


@step("1.1")
def test_the_database_is_a_file(apps: Apps) -> None:
    """What the engine writes is in blog.db, in the folder of the lesson."""
    url = write_notes(apps)
    apps.same_rows(
        "SELECT name FROM sqlite_master WHERE name = 'notes'",
        why=f"Your engine wrote a table named notes, but it isn't in this file. The engine's URL is {url} "
        f"and the lesson's folder is {apps.yours.folder} in this check, which runs a copy.",
    )


@step("1.1")
def test_the_file_is_found_from_another_folder(apps: Apps) -> None:
    """The app uses the same file when it is started from another folder."""
    apps.start(cwd="elsewhere")
    write_notes(apps)
    apps.same_rows(
        "SELECT name FROM sqlite_master WHERE name = 'notes'",
        why="Started from another folder, the app wrote to another file. A relative path begins where "
        "the app is started. Build the path from __file__ instead.",
    )


# Step 1.2


def store_orphans(database: Any) -> list[str]:
    """Store a row with a dangling foreign key, on three connections at once."""
    from contextlib import ExitStack

    from sqlalchemy import text
    from sqlalchemy.exc import IntegrityError

    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
        connection.execute(text("CREATE TABLE children (parent_id INTEGER REFERENCES parents)"))
    results = []
    with ExitStack() as stack:
        for connection in [stack.enter_context(database.engine.connect()) for _ in range(3)]:
            try:
                connection.execute(text("INSERT INTO children VALUES (99)"))
                results.append("stored")
            except IntegrityError:
                results.append("refused")
            connection.rollback()
    return results


def ask_busy_timeout(database: Any) -> list[int]:
    """Ask three connections at once: PRAGMA busy_timeout."""
    from contextlib import ExitStack

    from sqlalchemy import text

    answers = {}  # by connection, for one that is lent three times is only one
    with ExitStack() as stack:
        for connection in [stack.enter_context(database.engine.connect()) for _ in range(3)]:
            answers[id(connection.connection.dbapi_connection)] = connection.scalar(
                text("PRAGMA busy_timeout")
            )
            connection.rollback()  # an engine may begin with BEGIN IMMEDIATE
    return list(answers.values())


ALONE = """\
from sqlalchemy import text
from database import engine
with engine.connect() as connection:
    print("answer:", connection.scalar(text("PRAGMA foreign_keys")))
"""


@step("1.2")
def test_every_connection_enforces_foreign_keys(apps: Apps) -> None:
    """Every connection of the engine refuses a row whose foreign key leads nowhere."""
    results = apps.probe(store_orphans, "database", compare=False)
    apps.expect(
        results.yours == results.expected,
        "Three connections at once store a row with a dangling foreign key",
        expected=", ".join(results.expected),
        yours=", ".join(results.yours),
        why="SQLite enforces foreign keys only on connections that have run PRAGMA foreign_keys = ON. "
        "Send it on each new connection: the engine's connect event.",
    )
    printed = apps.yours.run("ask_alone.py", files={"ask_alone.py": ALONE}).output
    apps.expect(
        "answer: 1" in printed,
        "PRAGMA foreign_keys, asked by a program that imports database.py and not main.py",
        expected="1",
        yours="0" if "answer: 0" in printed else printed,
        why="The listener belongs to the engine, in database.py: whoever imports the engine has it, too.",
    )


@step("1.2")
def test_every_connection_waits_for_a_lock(apps: Apps) -> None:
    """Every connection of the engine waits up to ten seconds for a lock."""
    times = apps.probe(ask_busy_timeout, "database", compare=False)
    apps.expect(
        times.yours == times.expected,
        "PRAGMA busy_timeout, asked on three connections at once",
        expected=", ".join(map(str, times.expected)),
        yours=", ".join(map(str, times.yours)),
        why="busy_timeout counts milliseconds and belongs to each connection. Python's own is 5000. Fewer "
        "than three numbers? Then your pool has given one connection twice: it must open 3 at once.",
    )


# Step 1.3


def name_the_tables(database: Any, models: Any) -> list[str]:
    """Look for users and posts in Base.metadata.tables, and for User and Post in models.py."""
    assert models.User and models.Post
    return [table for table in ("users", "posts") if table in database.Base.metadata.tables]


def make_two_sessions(database: Any, models: Any) -> dict[str, bool]:
    """Call SessionLocal twice."""
    one, other = database.SessionLocal(), database.SessionLocal()
    return {
        "two sessions": one is not other,
        "on the engine of database.py": one.get_bind(models.User).engine.pool is database.engine.pool,
    }


def add_then_count(database: Any, models: Any) -> int:
    """Add a user to a session of SessionLocal and count the users in it, before any commit."""
    from sqlalchemy import func, select

    database.Base.metadata.create_all(database.engine)
    with database.SessionLocal() as session:
        session.add(models.User(username="ann"))
        count: int = session.scalar(select(func.count()).select_from(models.User))
        return count


@step("1.3")
def test_base_knows_the_tables(apps: Apps) -> None:
    """Base.metadata knows the tables of the models that inherit from Base."""
    apps.probe(
        name_the_tables,
        "database",
        "models",
        why="Base must inherit from DeclarativeBase, and the models from that Base.",
    )


@step("1.3")
def test_a_session_reaches_the_database(apps: Apps) -> None:
    """GET /health answers, because its session is bound to the engine."""
    apps.get(
        "/health",
        status_only=True,
        why="A session asks the engine that its sessionmaker was given: sessionmaker(engine).",
    )
    apps.probe(
        make_two_sessions,
        "database",
        "models",
        why="SessionLocal is a factory, sessionmaker(engine): each call gives a new session on that engine.",
    )


@step("1.3")
def test_a_session_sees_what_was_added(apps: Apps) -> None:
    """A query in a session sees what was added to that session before."""
    count = apps.probe(
        add_then_count,
        "database",
        "models",
        compare=False,
        why="SessionLocal must be sessionmaker(engine), with the engine of database.py, and the session "
        "must be usable with `with`.",
    )
    apps.expect(
        count.yours == count.expected,
        "A session adds a user, then counts the users, before any commit",
        expected=f"{count.expected} user",
        yours=f"{count.yours} users",
        why="With autoflush=False a session doesn't send what was added before it asks. "
        "Leave autoflush as it is: on.",
    )


# Step 1.4


@step("1.4")
def test_the_tables_are_made_at_start(apps: Apps) -> None:
    """The tables users and posts are made when the server starts, not when main.py is imported."""
    apps.start(lifespan=False)
    apps.get("/health", status_only=True)  # opens the database
    apps.same_rows(
        "SELECT name FROM sqlite_master WHERE type = 'table'",
        why="Your tables were made before the server's start-up, while main.py was imported, or by a "
        "request: this check imports main.py and sends GET /health, without the start-up. Tests and tools "
        "import it too, and they must not need a database for that. Make the tables in lifespan.",
    )
    apps.start()
    apps.get("/health", status_only=True)
    apps.same_schema(
        "users",
        "posts",
        parts=["nullable", "primary key", "unique", "foreign keys"],
        why="create_all makes the tables of the models that have been imported. Call it in the start-up "
        "half of lifespan, above its yield, and hand it over: FastAPI(lifespan=lifespan). If a table is "
        "there, but not as the page says, look at models.py.",
    )
    leaves_out = (
        "Another program inserts a row with the columns of the page. A further column must be one that SQL "
        "may leave out: nullable, or with a server_default. A default is Python's alone."
    )
    apps.sql("INSERT INTO users (id, username) VALUES (1, 'ann')", why=leaves_out)
    apps.sql("INSERT INTO posts (title, owner_id) VALUES ('Hello', 1)", why=leaves_out)


@step("1.4")
def test_the_root_tells_that_tables_exist(apps: Apps) -> None:
    """GET / answers "Database tables created!"."""
    apps.get("/")
