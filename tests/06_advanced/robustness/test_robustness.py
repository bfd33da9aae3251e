"""Lesson 6, robustness, steps 6.25 to 6.27: locks, errors of the database, and a search."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workshop.checks import Apps, Both, explained, step

PASSWORD = "correct horse"
ANN = ("ann", PASSWORD)
SHORT = {"SQLITE_BUSY_TIMEOUT": "30"}  # milliseconds


def sign_up(apps: Apps, name: str = "ann") -> int:
    """Create a user in the learner's app alone; returns the id."""
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "display_name": name}
    answer = apps.yours.post("/users", json=body)
    apps.expect(
        answer.status == 201, answer.asked, expected="201", yours=f"{answer.status}  {answer.error}".strip()
    )
    return int(answer["id"])


def write_post(apps: Apps, owner_id: int, title: str) -> int:
    """Insert a post into the learner's database as another program would; returns the id."""
    statement = "INSERT INTO posts (title, content, owner_id) VALUES (:title, 'A text.', :owner) RETURNING id"
    return int(apps.yours.sql(statement, title=title, owner=owner_id)[0]["id"])


def expect_status(
    apps: Apps, method: str, path: str, status: int, why: str, when: str = "", **keywords: Any
) -> Any:
    """The learner's app answers with this status; returns the answer."""
    answer = apps.yours.request(method, path, **keywords)
    apps.expect(
        answer.status == status,
        f"{method} {path}{when}",
        expected=status,
        yours=f"{answer.status}  {answer.error}".strip(),
        why=why,
    )
    return answer


# 6.25


@contextmanager
def locked(apps: Apps, how: str) -> Iterator[None]:
    """Another program holds SQLite's lock."""
    connection = sqlite3.connect(str(apps.yours.url.database), isolation_level=None)
    try:
        connection.execute(f"BEGIN {how}")
        yield
    finally:
        connection.close()


def read_pragmas(database: Any) -> dict[str, Any]:
    """What PRAGMA says on a connection of the engine."""
    with database.engine.connect() as connection:
        names = ("journal_mode", "busy_timeout", "foreign_keys")
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}


WHY_PRAGMAS = {
    "journal_mode": "PRAGMA journal_mode = WAL, in set_pragmas. The file remembers it, also after a restart.",
    "busy_timeout": "It is SQLITE_BUSY_TIMEOUT, a field of the settings, in milliseconds; 10000 without it.",
    "foreign_keys": "This one was there before, and has to stay.",
}


def expect_pragmas(apps: Apps, timeout: int, when: str) -> None:
    found = apps.yours.probe(read_pragmas, "database")
    for name, value in {"journal_mode": "wal", "busy_timeout": timeout, "foreign_keys": 1}.items():
        apps.expect(
            found[name] == value,
            f"PRAGMA {name} on a connection of engine, {when}",
            expected=value,
            yours=found[name],
            why=WHY_PRAGMAS[name],
        )


def _import_without_a_database(apps: Apps) -> None:
    """Importing the modules opens no connection."""
    usual = apps.yours.url.render_as_string(hide_password=False)
    with explained("Importing a module opens no connection: PRAGMA belongs into set_pragmas."):
        apps.yours.start({"DATABASE_URL": "sqlite:////nowhere/at/all/blog.db"}, lifespan=False)
    apps.yours.stop()
    apps.yours.start({"DATABASE_URL": usual}, lifespan=False)


@step("6.25", databases=["sqlite"])
def test_readers_never_wait_and_writers_as_long_as_you_say(apps: Apps) -> None:
    """While another program writes, reading goes on, and writing waits for SQLITE_BUSY_TIMEOUT."""
    _import_without_a_database(apps)
    apps.yours.start(SHORT)
    sign_up(apps)
    expect_pragmas(apps, 30, "started with SQLITE_BUSY_TIMEOUT=30")
    with locked(apps, "EXCLUSIVE"):
        when = ", while another program has the database for writing"
        why = "With the journal mode WAL a reader sees what was committed before, and waits for nobody."
        expect_status(
            apps, "GET", "/posts", 200, why + " A GET begins with BEGIN, not with BEGIN IMMEDIATE.", when
        )
        why = "Nobody got the lock within the busy timeout: that is 503, as after the lessons before."
        bob = {"username": "bob", "email": "bob@example.com", "password": PASSWORD}
        expect_status(apps, "POST", "/users", 503, why, when, json=bob)
    why = "The lock is free again. A transaction that failed must be rolled back and its session closed."
    sign_up(apps, "bob")
    expect_status(apps, "GET", "/users", 200, why)


def try_in_transaction(database: Any, file: str) -> dict[str, Any]:
    """Call in_transaction with work that succeeds, that fails, and that finds a database locked twice."""
    import sqlite3
    from unittest.mock import patch

    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session

    insert = text(
        "INSERT INTO users (username, email, password_hash, display_name) VALUES (:name, :name, '-', :name)"
    )
    busy = create_engine(f"sqlite:///{file}", connect_args={"timeout": 0})
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("CREATE TABLE busy (n)")
    other.execute("BEGIN IMMEDIATE")
    found: dict[str, Any] = {}
    in_transaction = database.in_transaction

    def run(name: str, *, fails: int, fail: Any) -> None:
        sessions = []

        def work(session: Any) -> str:
            sessions.append(session)
            session.execute(insert, {"name": f"{name} {len(sessions)}"})
            if len(sessions) <= fails:
                fail(session)
            return f"result {len(sessions)}"

        try:
            outcome = in_transaction(work)
        except Exception as error:
            outcome = type(error).__name__
        found[name] = {
            "work is called": len(sessions),
            "it returns or raises": outcome,
            "with a Session": all(isinstance(session, Session) for session in sessions),
        }

    def refuse(session: Any) -> None:
        session.execute(insert, {"name": "twice"})
        session.execute(insert, {"name": "twice"})

    def misspell(session: Any) -> None:
        session.execute(text("SELECT nothing FROM locks"))

    def find_locked(session: Any) -> None:
        with busy.begin() as connection:
            connection.execute(text("INSERT INTO busy VALUES (1)"))

    def give_up(session: Any) -> None:
        raise LookupError("of the check")

    run("good", fails=0, fail=None)
    run("own error", fails=9, fail=give_up)
    run("broken rule", fails=9, fail=refuse)
    run("broken SQL", fails=9, fail=misspell)
    if database.engine.dialect.name == "sqlite":
        waits: list[float] = []
        with patch("time.sleep", waits.append):  # how long is what counts, so nobody waits
            run("locked", fails=2, fail=find_locked)
        found["locked"]["waits"] = waits
    other.close()
    busy.dispose()
    return found


RETRIES = {
    "good": (1, ["result 1"], "in_transaction commits, and returns what work returned."),
    "own error": (
        1,
        ["LookupError"],
        "Only a locked database is worth another try. reraise=True, and no RetryError.",
    ),
    "broken rule": (
        1,
        ["IntegrityError"],
        "A name that is taken is taken the next time, too: only a locked database is worth another try.",
    ),
    "broken SQL": (
        1,
        ["OperationalError", "ProgrammingError"],
        "SQLite's OperationalError has many reasons. Look for 'database is locked' in its text.",
    ),
    "locked": (
        3,
        ["result 3"],
        "Try three times in all, the whole of work each time, in a new transaction: a retried COMMIT stores "
        "nothing, for the rollback has undone what was to be committed.",
    ),
}


@step("6.25")
def test_a_whole_transaction_is_tried_again(apps: Apps) -> None:
    """in_transaction(work) stores all or nothing, and calls work again only where SQLite was locked."""
    if apps.database == "sqlite":
        expect_pragmas(apps, 10_000, "without SQLITE_BUSY_TIMEOUT")
    file = str(apps.yours.folder.with_name("busy.db"))
    found = apps.yours.probe(try_in_transaction, "database", file=file)
    for name, told in found.items():
        calls, outcomes, why = RETRIES[name]
        right = told["work is called"] == calls and told["it returns or raises"] in outcomes
        apps.expect(
            right and told["with a Session"],
            f"in_transaction(work), where work meets: {name}",
            expected=f"work(session) is called {calls} times, then: {' or '.join(outcomes)}",
            yours=f"called {told['work is called']} times, then: {told['it returns or raises']}",
            why=why,
        )
        longest = max(told.get("waits", []), default=0)
        apps.expect(
            longest < 1,
            f"in_transaction(work), where work meets: {name}, then the wait between two calls",
            expected="less than a second",
            yours=f"time.sleep({longest})",
            why="A client waits for the answer. A lock is held for milliseconds: try again soon, or give up.",
        )
    rows = sorted(row["username"] for row in apps.yours.sql("SELECT username FROM users"))
    expected = ["good 1", "locked 3"] if apps.database == "sqlite" else ["good 1"]
    apps.expect(
        rows == expected,
        "in_transaction(work), where each call of work inserts a row, then the rows",
        expected=", ".join(expected),
        yours=", ".join(rows) or "none",
        why="What succeeded is committed. A call of work that failed leaves nothing: each has a transaction "
        "of its own, which is rolled back.",
    )


def lock_for_a_while(database: Any) -> None:
    """Hold SQLite's write lock until the app has met it twice."""
    import sqlite3

    from sqlalchemy import Engine, event

    file = database.engine.url.database
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    database.locks_met = []

    def let_go(context: Any) -> None:
        if "locked" in str(context.original_exception):
            database.locks_met.append(str(context.statement))
            if len(database.locks_met) == 2:
                other.close()

    engines = [
        one for one in vars(database).values() if isinstance(one, Engine)
    ]  # there may be one that writes
    for engine in {id(one.dialect): one for one in engines}.values():
        event.listen(engine, "handle_error", let_go)


def count_locks_met(database: Any) -> int:
    """How often the app has met the lock."""
    return len(database.locks_met)


@step("6.25", databases=["sqlite"])
def test_publishing_survives_a_lock(apps: Apps) -> None:
    """POST /posts/{post_id}/publish tries three times, then answers 503, and nothing is half done."""
    apps.yours.start(SHORT)
    expect_pragmas(apps, 30, "started with SQLITE_BUSY_TIMEOUT=30")
    ann = sign_up(apps)
    first, second = (write_post(apps, ann, title) for title in ("First", "Second"))
    apps.yours.probe(lock_for_a_while, "database")
    when = ", while another program has the write lock until you have met it twice"
    why = "The route does its work in in_transaction, with the session that work gets."
    answer = expect_status(apps, "POST", f"/posts/{first}/publish", 200, why, when, auth=ANN)
    expect_published(apps, ["First"], f"POST /posts/{first}/publish answered 200{when}")
    apps.expect(
        answer["published"] is True, answer.asked, expected="published: true", yours=str(answer.body), why=why
    )
    met = apps.yours.probe(count_locks_met, "database")
    with locked(apps, "IMMEDIATE"):
        when = ", while another program keeps the write lock"
        why = (
            "After the third time, what SQLAlchemy raised is raised (reraise=True), and is answered with 503."
        )
        expect_status(apps, "POST", f"/posts/{second}/publish", 503, why, when, auth=ANN)
    met = apps.yours.probe(count_locks_met, "database") - met
    apps.expect(
        met == 3,
        f"POST /posts/{second}/publish{when}",
        expected="3 times in all",
        yours=f"{met} times",
        why="stop_after_attempt(3). Who tries for ever, makes all others wait for ever.",
    )
    expect_published(apps, ["First"], f"POST /posts/{second}/publish answered 503{when}")
    why = "The lock is free: nothing of the attempts before may be in the way."
    expect_status(apps, "POST", f"/posts/{second}/publish", 200, why, auth=ANN)
    why = "Nobody has written this post. NotFound is no reason to try again, and reaches the client."
    expect_status(apps, "POST", "/posts/4711/publish", 404, why, auth=ANN)
    expect_published(apps, ["First", "Second"], "The lock is free, and both posts were published")


def expect_published(apps: Apps, titles: list[str], asked: str) -> None:
    rows = apps.yours.sql("SELECT title FROM posts WHERE is_published ORDER BY title")
    found = [row["title"] for row in rows]
    apps.expect(
        found == titles,
        f"{asked}, then the published posts",
        expected=", ".join(titles),
        yours=", ".join(found) or "none",
        why="What was answered with 200 is committed, and what was answered with 503 is not. Run the whole "
        "work again in a new transaction: after a rollback, a COMMIT alone stores nothing.",
    )


# 6.26


TELLTALE = (  # what is in capitals here counts only in capitals
    *("INSERT INTO", "SELECT ", "sqlite3", "psycopg", "sqlalchemy", "integrityerror", "statementerror"),
    *("operationalerror", "multipleresults", "multiple rows", "bind parameter", "constraint failed:"),
    *("KEY constraint", "duplicate key", "users.username", "password_hash", "display_name", "owner_id"),
    *("unable to open", "4711", "s3cret", "uq_", "fk_", "traceback", "background on this error"),
)


def add_routes_that_fail(app: Any, database: Any, models: Any) -> None:
    """Add routes with `session: SessionDep` that make mistakes with the database."""
    from sqlalchemy import create_engine, text

    insert = text(
        "INSERT INTO users (username, email, password_hash, display_name) VALUES (:name, :name, '-', :name)"
    )

    def duplicate(session: Any) -> None:
        session.execute(insert, {"name": "s3cret value"})
        session.execute(insert, {"name": "s3cret value"})

    def orphan(session: Any) -> None:
        session.add(models.Post(title="s3cret value", content="-", owner_id=4711))  # sent by the commit

    def incomplete(session: Any) -> None:
        session.execute(text("SELECT username FROM users WHERE username = :name AND email = 's3cret value'"))

    def too_many(session: Any) -> None:
        session.execute(text("SELECT 1 AS username UNION ALL SELECT 2")).one()

    def unreachable(session: Any) -> None:
        with create_engine("sqlite:////nowhere/at/all/s3cret value.db").connect():
            pass

    def crash(session: Any) -> None:
        raise RuntimeError("of the check")

    for route in (duplicate, orphan, incomplete, too_many, unreachable, crash):
        route.__annotations__ = {"session": database.SessionDep}
        app.add_api_route(f"/check/{route.__name__}", route, methods=["POST"])


BROKEN_RULE = "the database refuses what it sends (IntegrityError)"
BROKEN = "SQLAlchemy or the database can't do what it asks (another SQLAlchemyError)"


ROUTES_THAT_FAIL = (
    ("duplicate", 409, "IntegrityError", BROKEN_RULE),
    ("orphan", 409, "", BROKEN_RULE),
    ("incomplete", 500, "StatementError", BROKEN),
    ("too_many", 500, "", BROKEN),
    ("unreachable", 503, "", "a database can't be reached (OperationalError)"),
)


@step("6.26")
def test_errors_of_the_database_stay_inside(apps: Apps) -> None:
    """An error of the database is logged in full, and answered with a sentence that tells nothing."""
    sign_up(apps)
    apps.yours.probe(add_routes_that_fail, "app", "database", "models")
    for route, status, error, what in ROUTES_THAT_FAIL:
        before = len(apps.yours.output)
        why = "IntegrityError: 409. OperationalError: 503, as before. Any other SQLAlchemyError: 500."
        answer = expect_status(apps, "POST", f"/check/{route}", status, why, f", a route where {what}")
        _expect_no_secrets(apps, answer.body, f"{answer.asked}, a route where {what}")
        if error:
            _expect_in_log(apps, before, error, route, f"{answer.asked}, a route where {what}: the log")
        expect_status(apps, "GET", "/posts", 200, "The next request has a session of its own.")
    why = "No error of a database: leave it to FastAPI, which answers 500 and logs it."
    expect_status(apps, "POST", "/check/crash", 500, why, ", a route that raises RuntimeError")
    rows = [row["username"] for row in apps.yours.sql("SELECT username FROM users")]
    why = "The first INSERT belongs to a request that failed: it is rolled back."
    apps.expect(rows == ["ann"], "The rows of users", expected="ann", yours=", ".join(rows), why=why)
    sign_up(apps, "bob")
    again = {"username": "bob", "email": "bob2@example.com", "password": PASSWORD}
    why = "The route catches this one itself, to say more. The handlers are for what nobody caught."
    expect_status(apps, "POST", "/users", 409, why, ", with a name that is taken", json=again)


def _expect_no_secrets(apps: Apps, body: Any, asked: str) -> None:
    """The body of an error is JSON with a detail, and has nothing of the error in it."""
    apps.expect(
        isinstance(body, dict) and isinstance(body.get("detail"), str),
        asked,
        expected='JSON, such as {"detail": "a sentence"}',
        yours=str(body)[:80],
        why="A handler for SQLAlchemyError answers in the same form as every other error of this app.",
    )
    told = [word for word in TELLTALE if word in str(body) or word in str(body).lower()]
    apps.expect(
        not told,
        asked,
        expected="a fixed sentence, without SQL, values, names of tables or names of classes",
        yours=str(body),
        why=f"It contains {told[:1]}. The error's own text and the name of its class belong in the log.",
    )


def _expect_in_log(apps: Apps, since: int, error: str, route: str, asked: str) -> None:
    """The log has the traceback; what is written after the answer gets a moment to arrive."""
    wanted = ("Traceback (most recent call last)", error, f"in {route}")
    missing = [*wanted]
    for _ in range(25):
        log = apps.yours.output[since:]
        missing = [words for words in wanted if words not in log]
        if not missing:
            break
        time.sleep(0.02)
    apps.expect(
        not missing,
        asked,
        expected="the error with its traceback, down to the route",
        yours=f"no {missing[:1]} in it",
        why="logger.error(..., exc_info=error) writes the traceback. logger.exception and exc_info=True "
        "don't in a plain def handler: it runs in another thread, where no error is being handled.",
    )


# 6.27


TITLES = (
    *("Pure wool, 100% of it", "Wool: 100 sheep", "snake_case", "snakeXcase", "and/or", "and or"),
    *(r"C:\temp", "C:temp", "O'Reilly", "50%_off", r"50\%_off", "Robert'); DROP TABLE posts; --"),
    *("2*3 [ab]", "2 and 3 a", "Café", "Cafe"),
)
FIELDS = {"id", "title", "content", "published", "created_at", "updated_at", "owner_id"}


def insert_posts(apps: Apps) -> list[Both]:
    """Two users, and posts of both with odd titles."""
    users = apps.sql(
        "INSERT INTO users (username, email, password_hash, display_name) VALUES"
        " ('ann', 'ann@example.com', '-', 'ann'), ('bob', 'bob@example.com', '-', 'bob') RETURNING id"
    )
    ann, bob = users[0]["id"], users[1]["id"]
    rows = ", ".join(f"(:title{number}, 'Nothing.', :owner{number % 2})" for number in range(len(TITLES)))
    titles = {f"title{number}": title for number, title in enumerate(TITLES)}
    apps.sql(
        f"INSERT INTO posts (title, content, owner_id) VALUES {rows},"
        " ('Zebra', 'Likes WOOL, 7% fat.', :owner0)",
        owner0=ann,
        owner1=bob,
        **titles,
    )
    return [ann, bob]


def expect_found(apps: Apps, params: dict[str, Any], why: str) -> Both:
    """The search finds the same titles as the reference, in the same order; returns what was found."""
    why = f"The search was {params}. {why}"
    found = apps.get("/posts/search", params=params, status_only=True, why=why)
    titles = {side: [post["title"] for post in getattr(found, side)] for side in ("expected", "yours")}
    apps.expect(
        titles["expected"] == titles["yours"],
        "GET /posts/search",
        expected=f"{len(titles['expected'])}: {titles['expected'][:3]}",
        yours=f"{len(titles['yours'])}: {titles['yours'][:3]}",
        why=why,
    )
    return found


@step("6.27")
def test_a_search_finds_titles_and_contents(apps: Apps) -> None:
    """GET /posts/search finds the text in title or content, in any letters, page by page."""
    owners = insert_posts(apps)
    apps.sql("UPDATE posts SET content = 'Nothing.' WHERE title LIKE 'Pure%'")  # PostgreSQL finds it last now
    why = "Title or content, in capitals or not: icontains. In the order of the ids."
    expect_found(apps, {"q": "wool"}, why)
    expect_found(apps, {"q": "WOOL"}, why)
    zebra = expect_found(apps, {"q": "zebra"}, why)
    apart = "Nothing is found: an empty list. All of q stands in the title, or all of q in the content."
    for q in ("case nothing", "casenothing", "x" * 100):
        expect_found(apps, {"q": q}, apart)
    expect_found(apps, {"q": " or"}, "A space is a character, too. Look for q as it was sent.")
    expect_found(apps, {"q": "o", "skip": 1, "limit": 2}, "The page after skip, of limit posts at most.")
    missing = FIELDS - zebra.yours[0].keys()
    apps.expect(
        not missing,
        "GET /posts/search, a post",
        expected=", ".join(sorted(FIELDS)),
        yours=f"no {', '.join(sorted(missing))}",
        why="The answer is a list of posts, as GET /posts answers them.",
    )
    why = "422: q has 1 to 100 characters, and no NUL: Annotated[str, text(100)] from schemas.py."
    for params in ({}, {"q": ""}, {"q": "x" * 101}, {"q": "a\0b"}, {"q": "x", "limit": 0}):
        asked = f"The search was {str(params)[:40]}. {why}"
        apps.get("/posts/search", params=params, status_only=True, why=asked)
    if "deleted_at" in apps.yours.schema()["users"]["columns"]:
        apps.sql("UPDATE users SET deleted_at = CURRENT_TIMESTAMP WHERE id = :id", id=owners[1])
        expect_found(apps, {"q": "s"}, "bob was deleted softly (6.9), and his posts are hidden everywhere.")


@step("6.27")
def test_what_was_typed_is_text(apps: Apps) -> None:
    """A search takes %, _, quotes and backslashes as they are, and nobody can smuggle SQL into it."""
    insert_posts(apps)
    why = "In LIKE, % and _ stand for any text and any character. autoescape=True takes them as they are."
    for q in ("100%", "%", "_", "e_c", "%_"):
        expect_found(apps, {"q": q}, why)
    for q in ("2*3", "[ab]", "Café"):
        expect_found(apps, {"q": q}, "Every character that was typed stands for itself.")
    why = "The character that escapes % and _ must be escaped itself: autoescape=True does that, too."
    for q in ("/", "\\", "d/o", "\\%", "C:\\t"):
        expect_found(apps, {"q": q}, why)
    why = "What was typed goes to the database as a parameter, never as a part of the SQL."
    for q in (
        "'",
        "O'Reilly",
        "x' OR '1'='1",
        "x%' OR '1'='1' --",
        "%' UNION SELECT id, password_hash, email, true, created_at, created_at, id FROM users --",
        "Robert'); DROP TABLE posts; --",
        '"',
        ":q",
        "%(q)s",
    ):
        expect_found(apps, {"q": q}, why)
    apps.same_rows("SELECT title FROM posts", why=why)
