"""Lesson 3: what the tables promise, what goes in and out, and what the app keeps to itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pwdlib import PasswordHash

from workshop.checks import Apps, Both, step

PASSWORD = "correct horse"
SHORT = "secret7"
ANN = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
BOB = {"username": "bob", "email": "bob@example.com", "password": PASSWORD}
HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo"
ZONE = "Answers show it with a zone: without one it could be any hour. A TypeDecorator can add it."
RELABELLED = "replace(tzinfo=UTC) changes the label and keeps the hour; astimezone(UTC) keeps the moment."
FORGOTTEN = "A line in one route is forgotten in the next; onupdate=func.now() on the column isn't."
LONGEST_EMAIL = "a" * 60 + "@" + "b" * 35 + ".com"  # 100 characters


# 3.1


def name_the_rules_of_a_new_table(database: Any) -> dict[str, str]:
    """The names that Base.metadata gives to the rules of a new table."""
    from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, Table

    metadata = database.Base.metadata
    label = Table(
        "labels",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("word", Integer, unique=True),
        Column("owner_id", ForeignKey("users.id"), index=True),
        CheckConstraint("word > 0", name="positive"),
    )
    metadata.remove(label)
    rules: list[Any] = [*label.constraints, *label.indexes]
    names = {type(rule).__name__: str(rule.name) for rule in rules}
    kinds = {
        "primary key": "PrimaryKeyConstraint",
        "foreign key": "ForeignKeyConstraint",
        "index": "Index",
        "unique": "UniqueConstraint",
        "check": "CheckConstraint",
    }
    return {kind: names[rule] for kind, rule in kinds.items()}


@step("3.1")
def test_rules_have_names_in_the_database(apps: Apps) -> None:
    """The database knows its rules by the agreed names."""
    why = "Base.metadata takes a naming convention, with a pattern for each kind of rule."
    if "ix_users_username" in str(apps.yours.schema()):
        why = "unique=True and index=True together make an index, named as one. unique=True is enough."
    apps.same_schema("users", "posts", parts=["names"], why=why)


@step("3.1")
def test_a_new_table_gets_names_too(apps: Apps) -> None:
    """The names come from a convention, so a new table gets them too."""
    apps.probe(
        name_the_rules_of_a_new_table,
        "database",
        why="Names by hand end with the next table. In Base, metadata = MetaData(naming_convention=...)"
        " takes five patterns: pk, fk, ix, uq, ck.",
    )


# 3.2


def name_the_tables(database: Any) -> str:
    """The tables after importing main, without starting the server."""
    from sqlalchemy import inspect

    return ", ".join(sorted(inspect(database.engine).get_table_names())) or "none"


@step("3.2")
def test_the_tables_are_made_at_start_up(apps: Apps) -> None:
    """Importing main makes no tables; starting the server makes them."""
    apps.start(lifespan=False)
    apps.probe(
        name_the_tables,
        "database",
        why="Tests and migrations import your modules too: create_all belongs in lifespan.",
    )
    apps.start()
    apps.same_schema("users.username", "users.email", parts=[])


@step("3.2")
def test_the_rules_for_users_are_in_the_database(apps: Apps) -> None:
    """Username and email have their rules in the database itself."""
    apps.same_schema(
        "users.username",
        "users.email",
        parts=["type", "nullable", "unique"],
        why="A rule in the table holds for every program, also for those that don't use your schemas.",
    )


@step("3.2")
def test_an_email_is_stored_in_lower_case_and_once(apps: Apps) -> None:
    """An email is stored in lower case, so it can't register again in capitals."""
    why = "Lower the email before it is stored: data.email.lower()."
    answer = apps.post("/users", json=ANN | {"email": "Ann@Example.com"}, status_only=True)
    apps.same_rows("SELECT username, email FROM users", why=why)
    apps.expect(
        "ann@example.com" in str(answer.yours),
        "POST /users with the email Ann@Example.com",
        expected="an answer with the email ann@example.com",
        yours=str(answer.yours),
        why="UserOut lists what goes out. The email is the one that is stored.",
    )
    apps.post(
        "/users",
        json=BOB | {"email": "ANN@example.com"},
        status_only=True,
        why="The address is the same; only the capitals differ, and the email column is unique.",
    )


@step("3.2")
def test_bad_names_and_emails_are_refused(apps: Apps) -> None:
    """A username or an email that breaks a rule is answered with 422."""
    limit = "The same limit belongs in the schema: SQLite ignores the column's, PostgreSQL raises an error."
    refused = [
        (ANN | {"username": "a" * 60}, limit),
        (ANN | {"email": "a" + LONGEST_EMAIL}, limit),
        (ANN | {"email": "ann"}, "EmailStr tells an address from any other text."),
        ({"username": "ann", "password": PASSWORD}, "The email is required."),
    ]
    for body, why in refused:
        apps.post("/users", json=body, status_only=True, why=why)
    longest = {"username": "a" * 50, "email": LONGEST_EMAIL}
    apps.post("/users", json=ANN | longest, status_only=True, why="50 and 100 characters are allowed.")
    apps.same_rows("SELECT username, email FROM users")


# 3.3


@step("3.3")
def test_only_a_salted_hash_is_stored(apps: Apps) -> None:
    """The table holds an argon2 hash of the password, never the password."""
    apps.same_schema(
        "users.password_hash",
        parts=["type", "nullable"],
        why="A name that says hash keeps the next person from storing a password in it.",
    )
    for body in (ANN, BOB):
        apps.post("/users", json=body, status_only=True)
    apps.same_rows("SELECT username FROM users")
    rows = apps.sql("SELECT * FROM users").yours
    plain = [name for name, value in rows[0].items() if PASSWORD in str(value)]
    apps.expect(
        not plain,
        "POST /users, then the row in the database",
        expected="no column holds the password",
        yours=f"column {', '.join(plain)} holds it",
        why="Whoever reads the table can log in as your users, here and elsewhere.",
    )
    first, second = (str(row["password_hash"]) for row in rows)
    apps.expect(
        first.startswith("$argon2id$"),
        "POST /users, then users.password_hash",
        expected="a text that begins with $argon2id$",
        yours=first[:40],
        why="A password's hash must be slow and salted: pwdlib's PasswordHash.recommended().hash(...).",
    )
    apps.expect(
        _belongs(PASSWORD, first),
        f"The hash of the password {PASSWORD!r}",
        expected="the password matches it",
        yours="the password doesn't match it",
        why="A SecretStr turned into a text is ten stars; .get_secret_value() gives what is inside.",
    )
    apps.expect(
        first != second,
        "Two users with the same password",
        expected="two different hashes",
        yours="the same hash twice",
        why="A new salt for each hash hides who has the same password. PasswordHash adds it by itself.",
    )


def _belongs(password: str, stored: str) -> bool:
    try:
        return PasswordHash.recommended().verify(password, stored)
    except Exception:  # a text that only looks like a hash
        return False


@step("3.3")
def test_no_answer_repeats_the_password(apps: Apps) -> None:
    """No answer contains the password or its hash, not even a 422."""
    _expect_silence(apps, apps.post("/users", json=ANN, status_only=True), "POST /users")
    _expect_silence(apps, apps.get("/users", status_only=True), "GET /users")
    why = "A password has 8 to 128 characters."
    for password in (SHORT, "s" * 129):
        answer = apps.post("/users", json=BOB | {"password": password}, status_only=True, why=why)
        _expect_silence(apps, answer, "POST /users with a password of the wrong length", password)
    answer = apps.post("/users", json={"username": "bob", "password": PASSWORD}, status_only=True)
    _expect_silence(apps, answer, "POST /users without an email")


def _expect_silence(apps: Apps, answer: Both, asked: str, password: str = PASSWORD) -> None:
    text = str(answer.yours)
    secrets = {"the password": password in text, "the hash": "$argon2" in text}
    told = " and ".join(secret for secret, is_told in secrets.items() if is_told)
    apps.expect(
        not told,
        asked,
        expected="an answer without the password and its hash",
        yours=f"the answer contains {told}",
        why="FastAPI's own 422 repeats what was sent, as input: make an exception handler for "
        "RequestValidationError that answers type, loc and msg."
        if "input" in text
        else "UserOut lists what may go out. Whatever isn't in it stays inside.",
    )


@step("3.3")
def test_the_log_keeps_the_secret(apps: Apps) -> None:
    """Nothing that the app prints shows the password or its hash."""
    apps.same_schema("users.password_hash", parts=[])
    apps.post("/users", json=ANN, status_only=True)
    apps.post("/users", json=BOB | {"password": SHORT}, status_only=True)
    apps.sql("DROP TABLE posts")
    apps.sql("DROP TABLE users")
    apps.yours.post("/users", json=BOB)
    apps.yours.get("/")  # the error is logged after its answer is sent, and before the next request
    secrets = (PASSWORD, SHORT, "$argon2")
    lines = [line for line in apps.yours.output.splitlines() if any(secret in line for secret in secrets)]
    apps.expect(
        not lines,
        "What the app printed after POST /users, also when it failed",
        expected="no password and no hash",
        yours=lines[0] if lines else "",
        why="A database error repeats the values it was sent, unless the engine has hide_parameters=True."
        if "parameters" in "".join(lines)
        else "A log is read by many people and kept for long. Log the username instead.",
    )


# 3.4


def _add_user(apps: Apps, username: str = "raw") -> Both:
    """Insert a user as another program would; returns the id."""
    rows = apps.sql(
        "INSERT INTO users (username, email, password_hash) VALUES (:name, :email, :hash) RETURNING id",
        name=username,
        email=f"{username}@example.com",
        hash=HASH,
    )
    return rows[0]["id"]


def _expect_now(apps: Apps, answer: Both, field: str, asked: str, why: str = RELABELLED) -> None:
    """The answer's field, which is an aware time, is the current time in UTC."""
    value, now = answer.yours[field], datetime.now(UTC)
    moment = datetime.fromisoformat(value)
    apps.expect(
        moment.utcoffset() == timedelta(0),
        f"{asked}: {field}",
        expected="a time in UTC, which ends in Z or +00:00",
        yours=value,
        why="PostgreSQL returns the zone of its session: let the column's type turn it into UTC.",
    )
    apps.expect(
        abs(moment - now) < timedelta(minutes=10),
        f"{asked}: {field}",
        expected=f"the current time, {now:%Y-%m-%dT%H:%M:%SZ}",
        yours=value,
        why=why,
    )


def keep_a_moment_of_tokyo(database: Any, models: Any, user_id: int) -> str:
    """user.created_at = 2026-01-01 12:00 in Tokyo (+09:00), a commit, and what a new session reads."""
    from datetime import datetime, timedelta

    with database.SessionLocal() as session:
        user = session.get(models.User, user_id)
        user.created_at = datetime.fromisoformat("2026-01-01T12:00:00+09:00")
        session.commit()
    with database.SessionLocal() as session:
        read = session.get(models.User, user_id).created_at
        zone = "without a time zone" if read.tzinfo is None else f"{read:%z}"
        return f"{read:%Y-%m-%d %H:%M:%S} {'UTC' if read.utcoffset() == timedelta(0) else zone}"


@step("3.4")
def test_the_database_sets_created_at(apps: Apps) -> None:
    """The database sets created_at, and answers give it in UTC."""
    apps.same_schema(
        "users.created_at",
        parts=["type", "nullable", "default"],
        why="server_default=func.now() makes the database set it, whoever inserts the row.",
    )
    answer = apps.get("/users/{}", _add_user(apps), why=ZONE)
    _expect_now(apps, answer, "created_at", "GET /users/{id} of a row that plain SQL inserted")


@step("3.4")
def test_a_moment_survives_the_database(apps: Apps) -> None:
    """A moment of any time zone comes back as the same moment, aware and in UTC."""
    apps.probe(
        keep_a_moment_of_tokyo,
        "database",
        "models",
        user_id=_add_user(apps),
        why="On the way in, astimezone(UTC). On the way out, a naive value is in UTC: replace(tzinfo=UTC).",
    )


@step("3.4", databases=["postgresql"])
def test_the_time_zone_of_the_session_does_not_matter(apps: Apps) -> None:
    """Times are right and in UTC when the sessions of PostgreSQL are in Tokyo."""
    apps.sql(
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database())"
        " || ' SET timezone = ''Asia/Tokyo'''; END $$"
    )
    apps.restart()
    answer = apps.get("/users/{}", _add_user(apps), why=ZONE)
    _expect_now(apps, answer, "created_at", "GET /users/{id}, with a session in Asia/Tokyo")


# 3.5


@step("3.5")
def test_the_rules_for_posts_are_in_the_database(apps: Apps) -> None:
    """Title, content and published have their rules in the database."""
    apps.same_schema(
        "posts.title",
        "posts.content",
        "posts.published",
        parts=["type", "nullable"],
        why="String(200) has a limit, Text has none, and a bool is true or false: no number and no None.",
    )


@step("3.5")
def test_a_foreign_key_has_an_index_and_a_primary_key_no_second_one(apps: Apps) -> None:
    """The foreign key has an index, and the primary keys have no second one."""
    posts = apps.yours.schema().get("posts", {"indexes": []})
    indexes = [index["columns"] for index in posts["indexes"]]
    apps.expect(
        any(columns[:1] == ["owner_id"] for columns in indexes),
        "What the database says of its tables: posts.owner_id",
        expected="an index",
        yours="no index",
        why="SQLite and PostgreSQL don't index a foreign key by themselves: index=True.",
    )
    apps.same_schema(
        "users.id",
        "posts.id",
        parts=["indexes"],
        why="A primary key has an index; index=True makes a second one that every write must update.",
    )


@step("3.5")
def test_a_new_post_is_a_draft(apps: Apps) -> None:
    """A new post is a draft, for the database itself says so."""
    apps.same_schema(
        "posts.published",
        parts=["default"],
        why="default= is filled in by SQLAlchemy only; server_default= by the database, for everyone.",
    )
    owner = _add_user(apps)
    apps.post("/posts", json={"title": "Hello", "content": "First.", "owner_id": owner})
    apps.same_rows("SELECT title, content, published FROM posts")
    apps.get("/posts")
    empty = {"title": "Empty", "content": "", "owner_id": owner}
    apps.post("/posts", json=empty, status_only=True, why="The content has at least one character.")


# 3.6


def _add_post(apps: Apps) -> Both:
    """Insert a user and a post of the year 2020 as another program would; returns the post's id."""
    rows = apps.sql(
        "INSERT INTO posts (title, content, owner_id, created_at, updated_at)"
        " VALUES ('Old', 'From 2020.', :owner, '2020-06-15 12:00:00', '2020-06-15 12:00:00') RETURNING id",
        owner=_add_user(apps),
    )
    return rows[0]["id"]


def change_the_title(database: Any, models: Any, post_id: int) -> dict[str, str]:
    """A session changes the title of a post of 2020, and commits."""
    with database.SessionLocal() as session:
        session.get(models.Post, post_id).title = "New"
        session.commit()
    with database.SessionLocal() as session:
        post = session.get(models.Post, post_id)
        return {"created_at": post.created_at.isoformat(), "updated_at": post.updated_at.isoformat()}


def _expect_2020(apps: Apps, answer: Both, asked: str) -> None:
    """The post's created_at is still what _add_post has set."""
    apps.expect(
        answer.yours["created_at"].startswith("2020-06-15"),
        f"{asked}: created_at",
        expected="it stays on 2020-06-15, when the post was made",
        yours=answer.yours["created_at"],
        why="onupdate belongs to updated_at only.",
    )


@step("3.6")
def test_a_new_post_has_both_times(apps: Apps) -> None:
    """A new post has created_at and updated_at, set by the database, in UTC."""
    apps.same_schema(
        "posts.created_at",
        "posts.updated_at",
        parts=["type", "nullable", "default"],
        why="The type of 3.4, with server_default for the first value and onupdate for the later ones.",
    )
    body = {"title": "Hello", "content": "First.", "owner_id": _add_user(apps)}
    answer = apps.post("/posts", json=body, why=ZONE)
    for field in ("created_at", "updated_at"):
        _expect_now(apps, answer, field, "POST /posts")


@step("3.6")
def test_a_post_is_published(apps: Apps) -> None:
    """Publishing a post makes it public and moves updated_at."""
    why = "post.published = True changes the object, and session.commit() the row."
    answer = apps.post("/posts/{}/publish", _add_post(apps), why=why)
    apps.same_rows("SELECT title, published FROM posts", why=why)
    asked = "POST /posts/{id}/publish of a post of 2020"
    _expect_now(apps, answer, "updated_at", asked, why=FORGOTTEN)
    _expect_2020(apps, answer, asked)
    missing = "session.get(Post, post_id) is None for an id that isn't there."
    apps.post("/posts/4711/publish", status_only=True, why=missing)


@step("3.6")
def test_every_update_moves_updated_at(apps: Apps) -> None:
    """Any change through a session moves updated_at, and leaves created_at."""
    post = apps.probe(change_the_title, "database", "models", post_id=_add_post(apps))
    asked = "A session changes the title of a post of 2020"
    _expect_now(apps, post, "updated_at", asked, why=FORGOTTEN)
    _expect_2020(apps, post, asked)


# 3.7


def show_as_text(database: Any, models: Any, user_id: int, post_id: int) -> list[str]:
    """repr(user) and repr(post)."""
    with database.SessionLocal() as session:
        return [repr(session.get(models.User, user_id)), repr(session.get(models.Post, post_id))]


@step("3.7")
def test_a_repr_names_its_row(apps: Apps) -> None:
    """repr() of a user or a post tells which one it is."""
    for shown, needed in zip(*_shown(apps), strict=True):
        missing = [part for part in needed if part not in shown]
        apps.expect(
            not missing,
            f"repr() of the {needed[0].lower()} with id {needed[1]}",
            expected=f"a text with {', '.join(needed)}",
            yours=shown,
            why="A method __repr__(self) that returns a text is what a log and a debugger show.",
        )


@step("3.7")
def test_a_repr_has_no_secret(apps: Apps) -> None:
    """repr(user) shows the username and not the hash."""
    user = _shown(apps)[0][0]
    apps.expect(
        HASH not in user and "raw" in user,
        "repr() of a user",
        expected="a text with the username and without the hash",
        yours=user,
        why="A __repr__ ends up in logs. Name the few attributes that it may show.",
    )


def _shown(apps: Apps) -> tuple[list[str], list[list[str]]]:
    """What repr() gives in the learner's app for a user and a post, and what each must contain."""
    post_id = _add_post(apps)
    user_id = apps.sql("SELECT id FROM users")[0]["id"]
    texts = apps.probe(
        show_as_text,
        "database",
        "models",
        user_id=user_id,
        post_id=post_id,
        compare=False,
        why="__repr__(self) returns a text; a print returns nothing.",
    )
    return texts.yours, [["User", str(user_id.yours), "raw"], ["Post", str(post_id.yours), "Old"]]
