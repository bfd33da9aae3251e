"""Steps 1.1 to 1.5, and 1.8 again: the file, its connections, sessions, tables, the dependency that closes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from workshop.checks import Apps, step

# Step 1.1


def write_a_note(database: Any) -> None:
    """Write a table through your engine."""
    from sqlalchemy import text

    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE notes (name TEXT)"))
        connection.execute(text("INSERT INTO notes VALUES ('kept')"))


@step("1.1")
def test_the_database_is_a_file(apps: Apps) -> None:
    """What the engine writes is in blog.db, in the folder of the lesson."""
    apps.probe(write_a_note, "database")
    apps.same_rows(
        "SELECT name FROM sqlite_master WHERE name = 'notes'",
        why="Your engine wrote a table named notes, but it isn't in this file. "
        "Where does the engine's URL lead?",
    )


@step("1.1")
def test_the_file_is_found_from_another_folder(apps: Apps) -> None:
    """The app uses the same file when it is started from another folder."""
    apps.start(cwd="elsewhere")
    apps.probe(write_a_note, "database")
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


@step("1.2")
def test_every_connection_waits_for_a_lock(apps: Apps) -> None:
    """Every connection of the engine waits up to ten seconds for a lock."""
    times = apps.probe(ask_busy_timeout, "database", compare=False)
    apps.expect(
        times.yours == times.expected,
        "PRAGMA busy_timeout, asked on three connections at once",
        expected=", ".join(map(str, times.expected)),
        yours=", ".join(map(str, times.yours)),
        why="busy_timeout counts milliseconds and belongs to each connection. Python's own is 5000.",
    )


# Step 1.3


def name_the_tables(database: Any, models: Any) -> list[str]:
    """Look for users and posts in Base.metadata.tables."""
    return [table for table in ("users", "posts") if table in database.Base.metadata.tables]


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
    apps.get("/health", status_only=True, why="A session asks the engine that its sessionmaker was given.")


@step("1.3")
def test_a_session_sees_what_was_added(apps: Apps) -> None:
    """A query in a session sees what was added to that session before."""
    count = apps.probe(
        add_then_count,
        "database",
        "models",
        compare=False,
        why="A session of SessionLocal must use the engine of database.py.",
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
        why="Your tables were made while main.py was imported. Tests and tools import it too, and they "
        "must not need a database for that. Make them in lifespan.",
    )
    apps.start()
    apps.get("/health", status_only=True)
    apps.same_schema(
        "users",
        "posts",
        parts=["nullable", "primary key", "unique", "foreign keys"],
        why="create_all makes the tables of the models that have been imported. Call it in the start-up "
        "half of lifespan: above its yield.",
    )


@step("1.4")
def test_the_root_tells_that_tables_exist(apps: Apps) -> None:
    """GET / answers "Database tables created!"."""
    apps.get("/")


# Step 1.5


def be_strict(database: Any) -> int:
    """Let the pool lend few connections, wait a second at most, and get none back by luck; tell how many."""
    from sqlalchemy import event

    kept: list[Any] = []  # what is in it can't be closed by the garbage collector
    event.listen(database.engine, "checkout", lambda _driver, _record, lent: kept.append(lent))
    pool = database.engine.pool
    pool._max_overflow = 0  # else 10
    pool._timeout = 1  # else 30
    size: int = pool.size() if hasattr(pool, "size") else 5
    return min(size, 30)


def add_failing_routes(app: Any, database: Any) -> None:
    """Add two routes that use get_db and fail."""
    from fastapi import Depends, HTTPException
    from sqlalchemy import text

    given = Depends(database.get_db)

    def answer_404(session: Any = given) -> None:
        session.execute(text("SELECT 1"))
        raise HTTPException(404)

    def crash(session: Any = given) -> None:
        session.execute(text("SELECT 1"))
        raise RuntimeError("a route crashed, as the check wants it to")

    for path, route in (("/check/404", answer_404), ("/check/500", crash)):
        app.add_api_route(path, route)
        app.router.routes.insert(0, app.router.routes.pop())  # before one that takes every path


def add_meeting_route(app: Any, database: Any) -> None:
    """Add a route that uses get_db and answers when two requests are in it."""
    import threading

    from fastapi import Depends

    meeting = threading.Barrier(2)
    given = Depends(database.get_db)

    def meet(session: Any = given) -> int:
        meeting.wait(8)
        return id(session)

    app.add_api_route("/check/meet", meet)
    app.router.routes.insert(0, app.router.routes.pop())  # before one that takes every path


def count_lent_connections(app: Any, database: Any) -> None:
    """Count the connections that are lent and not yet given back."""
    import threading

    from sqlalchemy import event

    app.state.lent, app.state.changed = 0, threading.Condition()
    kept: list[Any] = []  # what is in it can't be closed by the garbage collector

    def change(by: int) -> None:
        with app.state.changed:
            app.state.lent += by
            app.state.changed.notify_all()

    @event.listens_for(database.engine, "checkout")
    def lend(_driver: Any, _record: Any, lent: Any) -> None:
        kept.append(lent)
        change(1)

    @event.listens_for(database.engine, "checkin")
    def take_back(*_: Any) -> None:
        change(-1)


def wait_until_given_back(app: Any) -> int:
    """Wait until all lent connections are given back, two seconds at most; tell how many are not."""
    with app.state.changed:
        app.state.changed.wait_for(lambda: app.state.lent <= 0, 2)
        left: int = app.state.lent
        return left


def expect_all_given_back(apps: Apps, what: str) -> None:
    """A pool without a limit hides a leak and doesn't close it: count instead."""
    left = apps.probe(wait_until_given_back, "app", compare=False).yours
    apps.expect(
        left == 0,
        f"{what}, then the connections that were not given back",
        expected="0",
        yours=left,
        why="A session gives its connection back when it is closed, whatever the pool's settings.",
    )


def exhaust(apps: Apps, path: str, lent: int, what: str) -> None:
    """Send as many requests as the pool lends connections, then one that needs another connection."""
    for _ in range(lent):
        apps.get(path, status_only=True, why=what)
    apps.get(
        "/health",
        status_only=True,
        why=f"This was request {lent + 1}, after {lent} of GET {path}. {what} In this check the pool lends "
        f"{lent} connections, and a session gives its own back when it is closed.",
    )


@step("1.5")
def test_each_request_has_its_own_session(apps: Apps) -> None:
    """Each request has a session of its own, which is closed after the answer."""
    apps.probe(add_meeting_route, "app", "database")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda path: apps.yours.get(path, timeout=10), ["/check/meet"] * 2))
    statuses = [answer.status for answer in answers]
    one, other = (answer.body for answer in answers)
    apps.expect(
        statuses == [200, 200] and one != other,
        "Two requests at the same time, each with Depends(get_db)",
        expected="two sessions",
        yours="one session for both" if one == other else f"answers {statuses}",
        why="What one request adds or rolls back, the other would add or roll back too. "
        "Make the session inside get_db.",
    )
    lent = apps.probe(be_strict, "database", compare=False).yours
    apps.probe(count_lent_connections, "app", "database")
    exhaust(apps, "/health", lent, "Its route uses a session of get_db.")
    expect_all_given_back(apps, f"{lent + 1} requests GET /health")


@step("1.5")
def test_a_session_is_closed_after_an_error(apps: Apps) -> None:
    """A session is closed as well when the route raises a 404 or crashes."""
    lent = apps.probe(be_strict, "database", compare=False).yours
    apps.probe(add_failing_routes, "app", "database")
    apps.probe(count_lent_connections, "app", "database")
    exhaust(apps, "/check/404", lent, "Its route uses a session of get_db, then raises HTTPException(404).")
    exhaust(apps, "/check/500", lent, "Its route uses a session of get_db, then raises RuntimeError.")
    expect_all_given_back(apps, "Requests whose routes fail")


# Step 1.8


@step("1.8")
def test_routes_give_connections_back(apps: Apps) -> None:
    """Every request of the blog gives its connection back, whatever its answer."""
    apps.probe(count_lent_connections, "app", "database")
    ann = apps.post("/users", json={"username": "ann"})
    apps.post("/users", json={"username": "ann"})
    apps.get("/users")
    apps.get("/users/{}", ann["id"])
    apps.get("/users/99")
    apps.post("/posts", json={"title": "Hello", "owner_id": ann["id"]})
    apps.post("/posts", json={"title": "Lost", "owner_id": 99})
    apps.get("/posts")
    expect_all_given_back(apps, "One request of each kind")
