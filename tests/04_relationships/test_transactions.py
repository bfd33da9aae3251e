"""Lesson 4, steps 4.6 and 4.7: one transaction for a request, and what a deletion takes along."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from workshop.checks import Apps, Both, step

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo"
ANN = {"username": "ann", "email": "ann@example.com", "password": "correct horse"}
BOB = {"username": "bob", "email": "bob@example.com", "password": "correct horse"}
AT_ONCE = 4
FLUSH = (
    "session.flush() sends the INSERT, so the answer has the id. "
    "A commit in the route ends the transaction before get_db does."
)
ROUTES = "Routes take their session with session: SessionDep, from database.py, also those of this check."
COMMIT_FIRST = (
    "The client is told of a success, and the commit that fails comes later or is never sent. get_db "
    'commits after its yield, and scope="function" ends it before the answer is sent.'
)


def add_users(apps: Apps, *names: str) -> list[Both]:
    """Insert users as another program would; returns their ids."""
    values = ", ".join(f"('{name}', '{name}@example.com', '{HASH}')" for name in names)
    rows = apps.sql(f"INSERT INTO users (username, email, password_hash) VALUES {values} RETURNING id")
    return [rows[number]["id"] for number in range(len(names))]


def add_posts(apps: Apps, owner: Both, title: str, times: int = 1) -> None:
    """Insert posts as another program would."""
    apps.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :times)"
        " INSERT INTO posts (title, content, owner_id) SELECT :title || i, 'A text.', :owner FROM n",
        title=title,
        times=times,
        owner=owner,
    )


# 4.6


def add_routes_that_write(app: Any, database: Any, models: Any, password_hash: str) -> None:
    """Add routes with `session: SessionDep` that write and don't commit."""
    from fastapi import HTTPException
    from sqlalchemy import inspect
    from sqlalchemy.orm import configure_mappers

    configure_mappers()

    def new(name: str) -> Any:
        user = inspect(models.User).class_manager.new_instance()
        user.username, user.email, user.password_hash = name, f"{name}@example.com", password_hash
        return user

    def keep(session: Any) -> None:
        session.add(new("kept"))
        session.flush()
        session.add(new("late"))

    def refuse(session: Any) -> None:
        session.add(new("refused"))
        session.flush()
        raise HTTPException(409)

    def crash(session: Any) -> None:
        session.add(new("first"))
        session.flush()
        session.add(new("kept"))
        session.flush()

    def stumble(session: Any) -> None:
        session.add(new("fallen"))
        session.flush()
        raise RuntimeError("of the check")

    for route in (keep, refuse, crash, stumble):
        route.__annotations__ = {"session": database.SessionDep}
        app.add_api_route(f"/check/{route.__name__}", route, methods=["POST", "PUT"])


def let_inserts_meet(database: Any) -> None:
    """Hold each INSERT of a user until another request is about to send one."""
    import threading
    from contextlib import suppress

    from sqlalchemy import event

    meeting = threading.Barrier(2)

    @event.listens_for(database.engine, "before_cursor_execute")
    def wait_for_another(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.upper().startswith("INSERT INTO USERS"):
            with suppress(threading.BrokenBarrierError):  # nobody comes: the others have been refused
                meeting.wait(0.5)


def _names(apps: Apps) -> list[str]:
    return sorted(row["username"] for row in apps.yours.sql("SELECT username FROM users"))


def _expect_users(apps: Apps, asked: str, expected: list[str], why: str) -> None:
    """The learner's table holds these users; what is stored after the answer gets a moment to arrive."""
    found = _names(apps)
    for _ in range(20):
        if found == expected:
            break
        time.sleep(0.02)
        found = _names(apps)
    apps.expect(
        found == expected,
        f"{asked}, then the rows of users",
        expected=", ".join(expected) or "none",
        yours=", ".join(found) or "none",
        why=why,
    )


@step("4.6")
def test_a_request_is_stored_whole_or_not_at_all(apps: Apps) -> None:
    """All that a route did is stored when it returns, and nothing when it raises."""
    apps.probe(add_routes_that_write, "app", "database", "models", password_hash=HASH, why=ROUTES)
    asked = "A route with session: SessionDep"
    answer = apps.yours.put("/check/keep")
    apps.expect(
        answer.status == 200,
        f"{asked} adds two users and returns",
        expected="200",
        yours=f"{answer.status}  {answer.error}".strip(),
        why="get_db gives the route a session, and commits when the route has returned.",
    )
    why = "get_db commits when the route has returned. A session that is only closed undoes everything."
    kept = ["kept", "late"]
    _expect_users(apps, f"{asked} adds two users and returns", kept, why)
    apps.post(
        "/check/refuse", status_only=True, why="What a route raises must reach FastAPI: raise it again."
    )
    why = "The error arrives at the yield of get_db. Whoever commits in finally, commits half of a request."
    _expect_users(apps, f"{asked} adds a user, flushes, and raises HTTPException(409)", kept, why)
    why = "The first INSERT belongs to the same request: rollback undoes both."
    _expect_undone(apps, "/check/crash", f"{asked} sends two INSERTs, and the second fails", kept, why)
    why = "Whatever a route raises undoes its work, not only errors of HTTP and of the database."
    _expect_undone(
        apps, "/check/stumble", f"{asked} adds a user, flushes, and raises RuntimeError", kept, why
    )
    user = apps.post("/users", json=ANN, why=FLUSH)
    body = {"title": "Hello", "content": "A text.", "owner_id": user["id"]}
    post = apps.post("/posts", json=body, why=FLUSH)
    apps.post("/posts/{}/publish", post["id"], why=FLUSH)
    lost = {"title": "Lost", "content": "A text.", "owner_id": 4711}
    apps.post("/posts", json=lost, status_only=True, why="Flush within try: the database refuses the owner.")
    apps.same_rows("SELECT title, published FROM posts", why="What a route has answered is stored.")
    _expect_one_of_many(apps, ["ann", *kept])


def _expect_undone(apps: Apps, path: str, asked: str, kept: list[str], why: str) -> None:
    """The route fails, the client is told so, and nothing of it is stored."""
    answer = apps.yours.post(path)
    apps.expect(
        answer.status >= 400,
        asked,
        expected="an error, such as 500",
        yours=answer.status,
        why="get_db swallows the error, so the client is told that all went well. Raise it again.",
    )
    _expect_users(apps, asked, kept, why)


def _expect_one_of_many(apps: Apps, before: list[str]) -> None:
    """Several requests for one name at once: the database lets one through."""
    apps.yours.probe(let_inserts_meet, "database")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sent = [pool.submit(apps.yours.post, "/users", json=BOB, timeout=15) for _ in range(AT_ONCE)]
    statuses = sorted(one.result().status for one in sent)
    asked = f"POST /users with the username bob, {AT_ONCE} times at once"
    apps.expect(
        statuses == [201] + [409] * (AT_ONCE - 1),
        asked,
        expected=f"once 201, {AT_ONCE - 1} times 409",
        yours=", ".join(f"{statuses.count(status)} times {status}" for status in sorted(set(statuses))),
        why="The unique rule of the table decides. Flush in the route, within try, and turn IntegrityError "
        "into 409. Looking first doesn't help, for all of them may look at once.",
    )
    _expect_users(apps, asked, sorted([*before, "bob"]), "Who got 201 is stored; who got 409 isn't.")


def _set_trap(apps: Apps, *tables: str) -> None:
    """From now on an INSERT into these tables succeeds, and the COMMIT after it fails."""
    apps.yours.sql("CREATE TABLE trap (n INTEGER REFERENCES posts (id) DEFERRABLE INITIALLY DEFERRED)")
    body = "BEGIN INSERT INTO trap VALUES (-1); END"
    if apps.database == "postgresql":
        apps.yours.sql(
            "CREATE FUNCTION spring() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO trap VALUES (-1); RETURN NULL; END $$"
        )
        body = "FOR EACH ROW EXECUTE FUNCTION spring()"
    for table in tables:
        apps.yours.sql(f"CREATE TRIGGER trap_{table} AFTER INSERT ON {table} {body}")


def _expect_failure(apps: Apps, path: str, asked: str, body: Any = None) -> None:
    answer = apps.yours.post(path, json=body)
    apps.expect(
        answer.status >= 400,
        f"{asked}, while every COMMIT fails",
        expected="an error, such as 500",
        yours=answer.status,
        why=COMMIT_FIRST,
    )


@step("4.6")
def test_a_success_is_stored_before_it_is_told(apps: Apps) -> None:
    """A COMMIT that fails is answered with an error, and leaves nothing behind."""
    (ann,) = add_users(apps, "ann")
    add_posts(apps, ann, "Draft ")
    post_id = apps.yours.sql("SELECT id FROM posts")[0]["id"]
    taken = "The email is taken. Flush within try: the database refuses it, and the answer is 409."
    apps.post("/users", json=ANN | {"username": "anna"}, status_only=True, why=taken)
    apps.probe(add_routes_that_write, "app", "database", "models", password_hash=HASH, why=ROUTES)
    _set_trap(apps, "users", "posts")
    _expect_failure(apps, "/check/keep", "A route with session: SessionDep that adds users and returns")
    _expect_next_request(apps, "GET", "/users")
    _expect_failure(apps, "/users", "POST /users", BOB)
    post = {"title": "Lost", "content": "A text.", "owner_id": ann.yours}
    _expect_failure(apps, "/posts", "POST /posts", post)
    _expect_users(
        apps, "Requests whose COMMIT failed", ["ann"], "An error is answered, so nothing is stored."
    )
    _expect_next_request(apps, "POST", f"/posts/{post_id}/publish")


def _expect_next_request(apps: Apps, method: str, path: str) -> None:
    """After a COMMIT that failed, a request works and sees nothing of the one before."""
    answer = apps.yours.request(method, path)
    left = "kept" in str(answer.body) or "bob" in str(answer.body)
    apps.expect(
        answer.status == 200 and not left,
        f"A request whose COMMIT failed, then {answer.asked}",
        expected="200, and nothing of the request before",
        yours="the row that was not stored" if left else f"{answer.status}  {answer.error}".strip(),
        why="The transaction is still open: close alone doesn't end it after a COMMIT that failed. Roll back "
        "when the commit raises, too; with SessionLocal.begin() does both.",
    )


# 4.7


def delete_with_plain_sql(database: Any, user_id: int) -> None:
    """Delete a user with plain SQL, on a connection of the app's engine."""
    from sqlalchemy import text

    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM users WHERE id = :id"), {"id": user_id})


def take_a_post_out(database: Any, models: Any, user_id: int) -> list[str]:
    """user.posts.remove(post), for a user whose posts have been loaded, and a commit."""
    from sqlalchemy import select
    from sqlalchemy.orm import configure_mappers, selectinload

    configure_mappers()
    with database.SessionLocal() as session:
        query = select(models.User).where(models.User.id == user_id).options(selectinload(models.User.posts))
        user = session.scalars(query).one()
        user.posts.remove(min(user.posts, key=lambda post: post.title))
        session.commit()
        return sorted(session.scalars(select(models.Post.title)).all())


def delete_a_post(database: Any, models: Any, user_id: int) -> list[str]:
    """session.delete(post), for a post whose owner has been loaded, and a commit."""
    from sqlalchemy import select
    from sqlalchemy.orm import configure_mappers, joinedload

    configure_mappers()
    with database.SessionLocal() as session:
        query = select(models.Post).where(models.Post.owner_id == user_id).order_by(models.Post.title)
        session.delete(session.scalars(query.options(joinedload(models.Post.owner))).first())
        session.commit()
        return sorted(session.scalars(select(models.Post.title)).all())


def delete_a_user(database: Any, models: Any, user_id: int) -> list[str]:
    """session.delete(user), for a user whose posts have been loaded, and a commit."""
    from sqlalchemy import select
    from sqlalchemy.orm import configure_mappers, selectinload

    configure_mappers()
    with database.SessionLocal() as session:
        query = select(models.User).where(models.User.id == user_id).options(selectinload(models.User.posts))
        session.delete(session.scalars(query).one())
        session.commit()
        return sorted(session.scalars(select(models.Post.title)).all())


@step("4.7")
def test_the_database_deletes_the_posts_of_a_user(apps: Apps) -> None:
    """Whoever deletes a user, even with plain SQL, deletes the posts: the table says so."""
    apps.same_schema(
        "posts.owner_id",
        parts=["type", "nullable", "foreign keys"],
        why='The rule is part of the foreign key: ForeignKey("users.id", ondelete="CASCADE").',
    )
    posts = apps.yours.schema()["posts"]
    apps.expect(
        any(rule["columns"][:1] == ["owner_id"] for rule in posts["indexes"] + posts["unique"]),
        "What the database says of its tables: posts.owner_id",
        expected="an index, as before",
        yours="no index",
        why="Without index=True, each user who is deleted costs a walk through all posts.",
    )
    ann, bob = add_users(apps, "ann", "bob")
    add_posts(apps, bob, "Of bob ")
    add_posts(apps, ann, "Of ann ", times=2)
    apps.probe(delete_with_plain_sql, "database", user_id=ann)
    apps.same_rows("SELECT title FROM posts", why="ann was deleted with plain SQL, and bob was not.")


@step("4.7")
def test_a_user_is_deleted_with_the_posts(apps: Apps) -> None:
    """DELETE /users/{user_id} deletes the user with the posts, and doesn't read them first."""
    ann, bob, cleo, dora = add_users(apps, "ann", "bob", "cleo", "dora")
    for owner, times in ((bob, 2), (ann, 40), (cleo, 1)):
        add_posts(apps, owner, "A post ", times)
    apps.get("/users", status_only=True)
    counts = []
    for owner in (cleo, ann):
        with apps.yours.recorded() as statements:
            apps.delete("/users/{}", owner, why="204 for a user that was there. A 204 has no body.")
        counts.append(statements)
        apps.same_rows("SELECT username FROM users", why="One user was deleted, and the others stay.")
        apps.same_rows("SELECT title, owner_id FROM posts", why="The posts of others stay.")
    one, many = counts
    apps.expect(
        len(one) == len(many) <= 3 and not any(_reads_posts(statement) for statement in many),
        "The SQL of DELETE /users/{user_id} with one post, and with 40",
        expected="the same number of statements, 3 at most, and none that reads posts",
        yours=f"{len(one)} with one, {len(many)} with 40",
        why="The posts are loaded, only to be deleted. passive_deletes=True leaves them to the database.",
        statements=many,
    )
    apps.delete("/users/{}", ann, status_only=True, why="ann is gone already, so there is no such user: 404.")
    apps.delete("/users/{}", dora, why="dora has no posts.")
    answer = apps.yours.request("DELETE", f"/users/{10**20 - 1}")
    apps.expect(
        answer.status in {404, 422},
        answer.asked,
        expected="404 or 422",
        yours=f"{answer.status}  {answer.error}".strip(),
        why="RowId is the type of every id that a client sends.",
    )
    apps.get("/posts")


def _reads_posts(statement: str) -> bool:
    return bool(re.match(r"\s*select\b.*\bposts\b", statement, re.IGNORECASE | re.DOTALL))


@step("4.7")
def test_no_post_is_left_without_an_owner(apps: Apps) -> None:
    """In a session, posts go with their user and when they are taken out of the list, and users stay."""
    ann, bob = add_users(apps, "ann", "bob")
    add_posts(apps, bob, "Of bob ", times=2)
    add_posts(apps, ann, "Of ann ", times=4)
    steps = {
        take_a_post_out: "A post of nobody can't be stored, for owner_id is NOT NULL. "
        "With delete-orphan in the cascade of User.posts it is deleted.",
        delete_a_post: "The other posts and the user stay: "
        "the cascade belongs on User.posts, not on Post.owner.",
        delete_a_user: "Without a cascade, the ORM sets owner_id to NULL first. "
        'cascade="all, delete-orphan" on User.posts tells it that the posts go, too.',
    }
    for function, why in steps.items():
        apps.probe(function, "database", "models", user_id=ann, why=why)
    apps.same_rows("SELECT username FROM users", why="Only ann was deleted.")
