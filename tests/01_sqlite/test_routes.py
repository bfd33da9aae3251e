"""Steps 1.6 to 1.8: routes that write to the database, read it, and let it refuse."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from workshop.checks import Apps, step

# Step 1.6


def let_commits_fail(app: Any, database: Any) -> None:
    """Let every commit fail, as on a full disk."""
    from sqlalchemy import event
    from sqlalchemy.exc import OperationalError

    app.state.failed_commits = 0

    @event.listens_for(database.engine, "commit")
    def fail(_connection: Any) -> None:
        app.state.failed_commits += 1
        raise OperationalError("COMMIT", {}, Exception("the disk is full, says the check"))


def count_failed_commits(app: Any) -> int:
    """Tell how many commits have failed."""
    found: int = app.state.failed_commits
    return found


def expect_no_success(apps: Apps, path: str, body: dict[str, Any], why: str) -> None:
    """A request that can't be committed isn't answered with success."""
    apps.yours.probe(let_commits_fail, "app", "database")
    answer = apps.yours.post(path, json=body)
    failed = apps.yours.probe(count_failed_commits, "app")  # none if the app commits in a way of its own
    apps.expect(
        answer.status >= 400 or (failed == 0 and answer.status == 201 and _is_stored(apps, path, body)),
        f"POST {path} {body} while no commit succeeds (the disk is full)",
        expected="an error, such as 500",
        yours=answer.status,
        why=why,
    )


def _is_stored(apps: Apps, path: str, body: dict[str, Any]) -> bool:
    column = next(iter(body))
    table = path.strip("/")
    return bool(apps.yours.sql(f"SELECT 1 FROM {table} WHERE {column} = :value", value=body[column]))


@step("1.6")
def test_a_user_is_stored(apps: Apps) -> None:
    """POST /users stores a user, and then answers 201 with it."""
    apps.post(
        "/users",
        json={"username": "ann"},
        why="The body is a UserCreate, the answer 201 with the id and the name of the new user. "
        "The database gives the id when the row is written: commit, then return the user.",
    )
    apps.same_rows(
        "SELECT username FROM users",
        why="The answer came, but the row isn't in the database. Only commit writes for good: commit before "
        "you return. What add and flush do is undone when the session is closed.",
    )
    expect_no_success(
        apps,
        "/users",
        {"username": "bea"},
        "The answer says that bea is stored, and she isn't. Commit before you return: what get_db does "
        "after its yield comes too late, when the answer is on its way. And let the error go on.",
    )


@step("1.6")
def test_all_users_are_listed(apps: Apps) -> None:
    """GET /users lists every user in the database, also those that another program stored."""
    apps.get("/users", why="The answer is a list of UserOut, and the list is empty at first.")
    apps.post("/users", json={"username": "ann"})
    apps.sql("INSERT INTO users (username) VALUES ('bea')")
    apps.get("/users", why="ann came through POST /users, bea was stored by another program.")
    apps.sql("INSERT INTO users (username) VALUES " + ", ".join(f"('reader {n}')" for n in range(1200)))
    apps.get("/users", why="Another program stored 1200 more users, and the list holds them all.")
    apps.sql("DELETE FROM users WHERE username = 'bea'")
    numbers = "The database numbers the rows, also where others have stored and deleted some."
    apps.post("/users", json={"username": "cleo"}, why=numbers)


@step("1.6")
def test_users_survive_a_restart(apps: Apps) -> None:
    """Users are still there when the server has been restarted."""
    apps.post("/users", json={"username": "ann"})
    apps.restart()
    apps.get("/users", why="ann was stored, then the server was restarted.")
    apps.post("/users", json={"username": "bea"}, why="The server was restarted, and goes on numbering.")
    apps.same_rows("SELECT username FROM users")


# Step 1.7


def let_inserts_meet(database: Any) -> None:
    """Hold each INSERT until a second request is about to send one too."""
    import threading
    from contextlib import suppress

    from sqlalchemy import event

    meeting = threading.Barrier(2)

    @event.listens_for(database.engine, "before_cursor_execute")
    def wait_for_the_other(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.upper().startswith("INSERT INTO USERS"):
            with suppress(threading.BrokenBarrierError):  # the other one doesn't come: they take turns
                meeting.wait(2)


def let_another_program_be_first(app: Any, database: Any, before: str, statement: str) -> None:
    """Let another program send a statement at the last moment, before the app sends one that begins so."""
    import sqlite3

    from sqlalchemy import event

    app.state.was_first = False

    @event.listens_for(database.engine, "before_cursor_execute")
    def be_first(connection: Any, _cursor: Any, sent: str, *_: Any) -> None:
        if sent.upper().startswith(before) and not app.state.was_first:
            file = connection.connection.execute("PRAGMA database_list").fetchone()[2]
            other = sqlite3.connect(file, timeout=0, isolation_level=None)
            try:
                other.execute(statement)
                app.state.was_first = True
            except sqlite3.OperationalError:
                pass  # the app holds the lock already
            finally:
                other.close()


def tell_whether_it_was_first(app: Any) -> bool:
    """Tell whether the other program had its chance."""
    found: bool = app.state.was_first
    return found


@step("1.7")
def test_one_user_is_found(apps: Apps) -> None:
    """GET /users/{user_id} finds a user by id, and answers 404 when there is none."""
    apps.sql("INSERT INTO users (id, username) VALUES (7, 'gus')")
    apps.get("/users/7", why="gus has the id 7, and is the only user.")
    apps.sql("UPDATE users SET username = 'guy' WHERE id = 7")
    apps.get("/users/7", why="Another program has renamed gus. Every request asks the database anew.")
    apps.get("/users/8", why="There is no user 8.")


@step("1.7")
def test_a_name_is_taken_once(apps: Apps) -> None:
    """POST /users answers 409 for a taken name, and the next request works."""
    apps.post("/users", json={"username": "ann"})
    apps.post(
        "/users",
        json={"username": "ann"},
        why="ann is taken: 409 Conflict. The commit raises IntegrityError, because username is UNIQUE.",
    )
    apps.sql("INSERT INTO users (username) VALUES ('bea')")
    apps.post("/users", json={"username": "bea"}, why="bea was stored by another program, so it is taken.")
    apps.post("/users", json={"username": "Cleo"}, why="Cleo is free. The request before was refused.")
    apps.sql("DELETE FROM users WHERE username = 'ann'")
    free = "Another program has deleted ann, so the name is free again. The database knows, and nobody else."
    apps.post("/users", json={"username": "ann"}, why=free)
    apps.get("/users")


@step("1.7")
def test_two_requests_at_once_get_one_name(apps: Apps) -> None:
    """When two requests want the same name at once, one gets 201 and the other 409."""
    insert = "INSERT INTO users (username) VALUES ('dora')"
    first = {"before": "INSERT INTO USERS", "statement": insert}
    apps.yours.probe(let_another_program_be_first, "app", "database", **first)
    answer = apps.yours.post("/users", json={"username": "dora"})
    apps.expect(
        answer.status == 409 or not apps.yours.probe(tell_whether_it_was_first, "app"),
        "POST /users {'username': 'dora'}, while another program inserts dora right before your INSERT",
        expected="409",
        yours=f"{answer.status}  {answer.error}",
        why="No lock and no list in your app knows what other programs write. The database does: "
        "catch IntegrityError around the commit, and answer 409.",
    )
    apps.yours.probe(let_inserts_meet, "database")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: apps.yours.post("/users", json={"username": "ann"}), range(2)))
    statuses = sorted(answer.status for answer in answers)
    apps.expect(
        statuses == [201, 409],
        'Two requests at once: POST /users {"username": "ann"}',
        expected="201 and 409",
        yours="  ".join([" and ".join(map(str, statuses)), *(one.error for one in answers if one.error)]),
        why="Both asked before either had written, and the database refused the second INSERT. "
        "Looking first can't prevent that: catch IntegrityError around the commit. Another error? Then two "
        "requests share a session or a connection.",
    )
    with ThreadPoolExecutor(2) as pool:
        names = {"username": "bea"}, {"username": "cleo"}
        answers = list(pool.map(lambda name: apps.yours.post("/users", json=name), names))
    apps.expect(
        [answer.status for answer in answers] == [201, 201],
        "Two requests at once: POST /users for bea, and for cleo",
        expected="201 and 201",
        yours="  ".join(f"{answer.status} {answer.error}".strip() for answer in answers),
        why="Both names are free. Who numbers rows without the database gives two of them one number.",
    )


# Step 1.8


@step("1.8")
def test_a_post_is_stored(apps: Apps) -> None:
    """POST /posts stores a post and answers 201 with it, and GET /posts lists all posts."""
    apps.get("/posts", why="There are no posts yet: 200 with an empty list.")
    apps.post("/users", json={"username": "ann"})
    bea = apps.post("/users", json={"username": "bea"})
    apps.post(
        "/posts",
        json={"title": "Hello", "owner_id": bea["id"]},
        why="bea exists, so she can own a post. The answer is 201 with the post's id, title and owner_id. "
        "If it is a 409, look whether owner_id is handed over: the database refuses a post without it.",
    )
    apps.same_rows(
        "SELECT title, owner_id FROM posts",
        why="The answer came, but the row isn't in the database. Only commit writes for good.",
    )
    apps.sql("INSERT INTO posts (title, owner_id) VALUES ('Again', :owner)", owner=bea["id"])
    apps.get("/posts", why="Hello came through POST /posts, Again was stored by another program.")
    apps.post("/posts", json={"title": "Hello", "owner_id": bea["id"]}, why="A title may be used twice.")
    apps.get("/users", why="bea has some posts by now, and the list of users is as it was.")
    apps.get("/users/{}", bea["id"], why="bea has some posts by now, and is found as before.")
    apps.restart()
    apps.get("/posts", why="Two posts were stored, then the server was restarted.")
    apps.sql("DELETE FROM posts WHERE title = 'Again'")
    numbers = "The database numbers the rows, also where others have stored and deleted some."
    apps.post("/posts", json={"title": "Third", "owner_id": bea["id"]}, why=numbers)
    more = ", ".join(f"('Part {n}', :owner)" for n in range(1200))
    apps.sql(f"INSERT INTO posts (title, owner_id) VALUES {more}", owner=bea["id"])
    apps.get("/posts", why="Another program stored 1200 more posts, and the list holds them all.")
    expect_no_success(
        apps,
        "/posts",
        {"title": "Unsaved", "owner_id": bea.yours["id"]},
        "The answer says that the post is stored, and it isn't. Commit before you return, and let the "
        "error go on.",
    )


@step("1.8")
def test_a_post_needs_an_owner(apps: Apps) -> None:
    """POST /posts answers 409 when the owner doesn't exist, or no longer, and stores nothing."""
    ann = apps.post("/users", json={"username": "ann"})
    apps.post(
        "/posts",
        json={"title": "Lost", "owner_id": 99},
        why="There is no user 99: 409 Conflict. The commit raises IntegrityError, because owner_id is "
        "a foreign key. If it is a 201, the foreign keys of this connection aren't enforced (step 1.2).",
    )
    apps.same_rows("SELECT title FROM posts", why="A refused post isn't stored.")
    apps.post("/posts", json={"title": "Hello", "owner_id": ann["id"]}, why="The request before was refused.")
    apps.sql("DELETE FROM posts")
    first = {"before": "INSERT INTO POSTS", "statement": "DELETE FROM users"}
    apps.yours.probe(let_another_program_be_first, "app", "database", **first)
    answer = apps.yours.post("/posts", json={"title": "Late", "owner_id": ann.yours["id"]})
    apps.expect(
        answer.status == 409 or not apps.yours.probe(tell_whether_it_was_first, "app"),
        "POST /posts, while another program deletes the owner right before your INSERT",
        expected="409",
        yours=f"{answer.status}  {answer.error}".strip(),
        why="Looking first can't prevent that: catch IntegrityError around the commit, and answer 409.",
    )
