"""Lesson 3: what the tables promise, what goes in and out, and what the app keeps to itself."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from pwdlib import PasswordHash

from workshop.checks import Apps, Both, step

PASSWORD = "correct horse"
SHORT = "secret7"
ANN = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
BOB = {"username": "bob", "email": "bob@example.com", "password": PASSWORD}
HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo"
ZONE = "The schema shows it, with a zone: without one it could be any hour. A TypeDecorator can add it."
HOURS_OFF = (
    "replace(tzinfo=UTC) changes the label and keeps the hour; astimezone(UTC) keeps the moment."
    " A naive time, as of utcnow() or timezone('utc', now()), is taken for one of the local zone."
)
FORGOTTEN = "A line in one route is forgotten in the next; onupdate=func.now() on the column isn't."
MOMENT = "On the way in, astimezone(UTC). On the way out, a naive value is in UTC: replace(tzinfo=UTC)."
LONGEST_EMAIL = "a" * 60 + "@" + "b" * 35 + ".com"  # 100 characters
LONGEST_PASSWORD = " Correct Horse" + "!" * 113 + " "  # 128 characters


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
    apps.ready()
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
    """Importing main makes no tables; starting the server makes them, and keeps what is there."""
    apps.start(lifespan=False)
    apps.probe(
        name_the_tables,
        "database",
        why="Tests and migrations import your modules too: create_all belongs in lifespan.",
    )
    apps.start()
    apps.same_schema("users.username", "users.email", parts=[])
    apps.post("/users", json=ANN, status_only=True)
    apps.restart()
    apps.same_rows(
        "SELECT username FROM users",
        why="A restart keeps every row: create_all makes what is missing; drop_all has no place in an app.",
    )


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
    why = "Lower the email before it is stored: data.email.lower(). All else stays as it was sent."
    ann = {"username": "Ann", "email": "Ann+Blog@Example.com", "password": PASSWORD}
    answer = apps.post("/users", json=ann, status_only=True)
    apps.same_rows("SELECT username, email FROM users", why=why)
    apps.expect(
        "ann+blog@example.com" in str(answer.yours),
        "POST /users with the email Ann+Blog@Example.com",
        expected="an answer with the email ann+blog@example.com",
        yours=str(answer.yours),
        why="UserOut lists what goes out. The email is the one that is stored.",
    )
    apps.post(
        "/users",
        json=BOB | {"email": "ANN+BLOG@example.com"},
        status_only=True,
        why="The address is the same; only the capitals differ, and the email column is unique.",
    )
    apps.post("/users", json=BOB | {"username": "Ann"}, status_only=True, why="The username is taken.")
    apps.same_rows(
        "SELECT username, email FROM users",
        why="Who is answered with 409 isn't stored: lower the email first.",
    )


@step("3.2")
def test_bad_names_and_emails_are_refused(apps: Apps) -> None:
    """A username or an email that breaks a rule is answered with 422."""
    limit = "The same limit belongs in the schema: SQLite ignores the column's, PostgreSQL raises an error."
    email = "EmailStr tells an address from any other text, and knows domains that can't exist."
    refused = [
        (ANN | {"username": "a" * 51}, limit),
        (ANN | {"username": ""}, "A username has 1 to 50 characters."),
        (ANN | {"email": "a" + LONGEST_EMAIL}, limit),
        (ANN | {"email": "ann"}, email),
        (ANN | {"email": "ann@blog.test"}, email),
        ({"username": "ann", "password": PASSWORD}, "The email is required."),
    ]
    for body, why in refused:
        apps.post("/users", json=body, status_only=True, why=why)
    allowed = "1 and 50 characters are allowed, and 100 for the email."
    longest = {"username": "a" * 50, "email": LONGEST_EMAIL}
    for body in (ANN | {"username": "a"}, ANN | longest):
        apps.post("/users", json=body, status_only=True, why=allowed)
    apps.same_rows("SELECT username, email FROM users")


# 3.3


@step("3.3")
def test_only_a_salted_hash_is_stored(apps: Apps) -> None:
    """The table holds an argon2 hash of the password, never the password."""
    apps.same_schema(
        "users.password_hash",
        parts=[],
        why="A name that says hash keeps the next person from storing a password in it.",
    )
    apps.same_schema(
        "users.password_hash",
        parts=["type", "nullable"],
        why="A hash has about 100 characters, another method's may have more, and each user has one.",
    )
    for body in (ANN, BOB):
        apps.post("/users", json=body, status_only=True, why="Any 8 to 128 characters are a password.")
    apps.same_rows("SELECT username FROM users")
    tables = {table: apps.yours.sql(f'SELECT * FROM "{table}"') for table in apps.yours.schema()}
    plain = [
        f"{table}.{name}"
        for table, rows in tables.items()
        for name in (rows[0] if rows else ())
        if any(PASSWORD in str(row[name]) for row in rows)
    ]
    apps.expect(
        not plain,
        "POST /users, then the rows in the database",
        expected="no column holds the password",
        yours=f"column {', '.join(plain)} holds the password",
        why="Whoever reads the table can log in as your users, here and elsewhere.",
    )
    first, second = (str(row["password_hash"]) for row in tables["users"])
    apps.expect(
        first.startswith("$argon2id$"),
        "POST /users, then users.password_hash",
        expected="a text that begins with $argon2id$",
        yours=first[:40],
        why="A password's hash must be slow and salted: pwdlib's PasswordHash.recommended().hash(...).",
    )
    _expect_hash_of(apps, PASSWORD, first)
    apps.expect(
        first != second,
        "Two users with the same password",
        expected="two different hashes",
        yours="the same hash twice",
        why="A new salt for each hash hides who has the same password. PasswordHash adds it by itself.",
    )


@step("3.3")
def test_a_password_is_taken_as_it_is(apps: Apps) -> None:
    """A password of 8 to 128 characters is required, and hashed exactly as it was sent."""
    for username, password in {"ann": "Pass wo.", "bob": LONGEST_PASSWORD}.items():
        body = {"username": username, "email": f"{username}@example.com", "password": password}
        apps.post("/users", json=body, status_only=True, why="Any 8 to 128 characters are a password.")
        stored = apps.sql("SELECT password_hash FROM users WHERE username = :username", username=username)
        _expect_hash_of(apps, password, str(stored.yours[0]["password_hash"] if stored.yours else None))
    why = "A password has 8 to 128 characters, is required, and has no default. Otherwise the answer is 422."
    body = {"username": "cleo", "email": "cleo@example.com"}
    for wrong in ({"password": SHORT}, {"password": "s" * 129}, {}):
        apps.post("/users", json=body | wrong, status_only=True, why=why)
    apps.same_rows("SELECT username FROM users")


def _expect_hash_of(apps: Apps, password: str, stored: str) -> None:
    stars = any(_belongs(text, stored) for text in ("**********", "SecretStr('**********')"))
    apps.expect(
        _belongs(password, stored),
        f"The hash of the password {password!r}",
        expected="the password matches it",
        yours="the password doesn't match it",
        why="A SecretStr turned into a text is ten stars; .get_secret_value() gives what is inside."
        if stars
        else "Hash it as it was sent, and once: nothing added, nothing cut off, no lower() and no strip().",
    )


def _belongs(password: str, stored: str) -> bool:
    try:
        return PasswordHash.recommended().verify(password, stored)
    except Exception:  # a text that only looks like a hash
        return False


@step("3.3")
def test_no_answer_repeats_the_password(apps: Apps) -> None:
    """No answer contains the password or its hash, not even a 422."""
    listed = "UserOut lists what may go out. Whatever isn't in it stays inside."
    _expect_silence(apps, apps.post("/users", json=ANN, status_only=True).yours, "POST /users", listed)
    _expect_silence(apps, apps.get("/users", status_only=True).yours, "GET /users", listed)
    user = apps.same_rows("SELECT id, username FROM users")[0]["id"]
    answer = apps.get("/users/{}", user, status_only=True).yours
    _expect_silence(apps, answer, "GET /users/{id}", listed)
    apps.get("/users/{}", user, why="UserOut has no field for a password, not even one full of stars.")
    answer = apps.post("/users", json=ANN, status_only=True).yours
    taken = "POST /users with a username that is taken"
    _expect_silence(apps, answer, taken, "Say that it is taken, and repeat nothing of what was sent.")
    for password in (SHORT, "s" * 129):
        answer = apps.post("/users", json=BOB | {"password": password}, status_only=True).yours
        _expect_silence(apps, answer, "POST /users with a password of the wrong length", REPEATED, password)
    answer = apps.post("/users", json={"username": "bob", "password": PASSWORD}, status_only=True).yours
    _expect_silence(apps, answer, "POST /users without an email", REPEATED)


REPEATED = (
    "FastAPI's own 422 repeats what was sent, as input: make an exception handler for RequestValidationError"
    " that answers type, loc and msg, and put no values into a msg of your own."
)


def _expect_silence(apps: Apps, body: object, asked: str, why: str, password: str = PASSWORD) -> None:
    secrets = {"the password": password in str(body), "the hash": "$argon2" in str(body)}
    told = " and ".join(secret for secret, is_told in secrets.items() if is_told)
    apps.expect(
        not told,
        asked,
        expected="an answer without the password and its hash",
        yours=f"the answer contains {told}",
        why=why,
    )


@step("3.3")
def test_the_log_keeps_the_secret(apps: Apps) -> None:
    """Nothing that the app prints shows the password or its hash."""
    apps.same_schema("users.password_hash", parts=[])
    for body in (ANN, ANN, BOB | {"password": SHORT}):
        apps.post("/users", json=body, status_only=True)
    apps.sql("ALTER TABLE users RENAME TO users_gone")
    answer = apps.yours.post("/users", json=BOB)
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
    gone = "POST /users when the tables are gone"
    _expect_silence(
        apps, answer.body, gone, "The text of an error is for the log, and hide_parameters=True for it."
    )


# 3.4


def _add_user(apps: Apps) -> Both:
    """Insert a user as another program would; returns the id."""
    rows = apps.sql(
        "INSERT INTO users (username, email, password_hash)"
        " VALUES ('raw', 'somebody@example.com', :hash) RETURNING id",
        hash=HASH,
    )
    return rows[0]["id"]


def _expect_now(apps: Apps, answer: Both, field: str, asked: str, why: str = HOURS_OFF) -> None:
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
        why=HOURS_OFF if abs(moment - now) < timedelta(days=1) else why,
    )


def _expect_two_moments(apps: Apps, times: list[str], asked: str) -> None:
    """Times that are equal to the microsecond were computed once."""
    first, second = times
    apps.expect(
        first != second or not datetime.fromisoformat(first).microsecond,
        asked,
        expected="two moments",
        yours=f"{first}, twice",
        why="datetime.now(UTC) in a class is computed once, when the file is imported. func.now() is computed"
        " for each row, and so is a function without its brackets, or a lambda.",
    )


def keep_a_moment_of_tokyo(database: Any, models: Any, user_id: int) -> dict[str, str]:
    """On a machine in New York: user.created_at = 2026-07-01 12:00 in Tokyo (+09:00), committed and read."""
    import os
    import time
    from datetime import UTC, datetime, timedelta

    from sqlalchemy import insert, select

    def insert_another() -> str:
        values = {"username": "another", "email": "another@example.com", "password_hash": "-"}
        with database.SessionLocal() as session:
            session.execute(insert(models.User).values(**values))
            session.commit()
            read = session.scalars(select(models.User.created_at).filter_by(username="another")).one()
            off = abs(read.replace(tzinfo=None) - datetime.now(UTC).replace(tzinfo=None))
            return "the current time" if off < timedelta(minutes=10) else str(read)

    def read() -> str:
        with database.SessionLocal() as session:
            moment = session.get(models.User, user_id).created_at
            zone = "without a time zone" if moment.tzinfo is None else f"{moment:%z}"
            return f"{moment:%Y-%m-%d %H:%M:%S} {'UTC' if moment.utcoffset() == timedelta(0) else zone}"

    def change(**values: Any) -> str:
        with database.SessionLocal() as session:
            user = session.get(models.User, user_id)
            for name, value in values.items():
                setattr(user, name, value)
            session.commit()
        return read()

    zone = os.environ.get("TZ")
    try:
        os.environ["TZ"] = "EST5EDT,M3.2.0,M11.1.0"
        getattr(time, "tzset", int)()  # Windows has none
        return {
            "created_at": change(created_at=datetime.fromisoformat("2026-07-01T12:00:00+09:00")),
            "created_at, after a new username": change(username="renamed"),
            "created_at of another user": insert_another(),
        }
    finally:
        os.environ.pop("TZ") if zone is None else os.environ.update(TZ=zone)
        getattr(time, "tzset", int)()


@step("3.4")
def test_the_database_sets_created_at(apps: Apps) -> None:
    """The database sets created_at, and answers give it in UTC."""
    whys = {
        "type": "impl = DateTime(timezone=True), in a type of your own that changes values on their way.",
        "nullable": "Mapped[datetime], without None: every row has it.",
        "default": "server_default=func.now() makes the database set it, whoever inserts the row.",
    }
    for part, why in whys.items():
        apps.same_schema("users.created_at", parts=[part], why=why)
    answer = apps.get("/users/{}", _add_user(apps), why=ZONE)
    _expect_now(apps, answer, "created_at", "GET /users/{id} of a row that plain SQL inserted")
    answers = [apps.post("/users", json=body, why=ZONE) for body in (ANN, BOB)]
    _expect_now(apps, answers[0], "created_at", "POST /users")
    times = [answer["created_at"].yours for answer in answers]
    _expect_two_moments(apps, times, "created_at of two users who were created one after the other")


@step("3.4")
def test_a_moment_survives_the_database(apps: Apps) -> None:
    """A moment of any time zone comes back as the same moment, aware and in UTC, and stays."""
    why = f"{MOMENT} No onupdate here, and no default without a zone."
    apps.probe(keep_a_moment_of_tokyo, "database", "models", user_id=_add_user(apps), why=why)
    if apps.database == "sqlite":
        stored = str(
            apps.yours.sql("SELECT created_at FROM users WHERE username = 'renamed'")[0]["created_at"]
        )
        apps.expect(
            bool(re.fullmatch(r"2026-07-01 03:00:00(\.\d+)?", stored)),
            "SELECT created_at FROM users, for 2026-07-01 12:00 in Tokyo",
            expected="2026-07-01 03:00:00, with or without a fraction of a second",
            yours=stored,
            why="CURRENT_TIMESTAMP writes it so, and SQLite compares texts: all must have one form.",
        )


@step("3.4", databases=["postgresql"])
def test_the_time_zone_of_the_session_does_not_matter(apps: Apps) -> None:
    """Times are right and in UTC when the sessions of PostgreSQL are in Tokyo."""
    apps.sql(
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database())"
        " || ' SET timezone = ''Asia/Tokyo'''; END $$"
    )
    apps.restart()
    user = _add_user(apps)
    answer = apps.get("/users/{}", user, why=ZONE)
    _expect_now(apps, answer, "created_at", "GET /users/{id}, with a session in Asia/Tokyo")
    why = f"{MOMENT} PostgreSQL takes a naive value for one of the session's zone: send it with its label."
    apps.probe(keep_a_moment_of_tokyo, "database", "models", user_id=user, why=why)


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
    apps.same_schema(
        "posts.owner_id",
        parts=["type", "nullable", "foreign keys"],
        why="Every post has an owner: a foreign key to users.id that is never NULL.",
    )
    keys = [key for key in apps.yours.schema()["posts"]["foreign keys"] if key["columns"] == ["owner_id"]]
    taking = [key["what"] for key in keys if re.search("ON DELETE (CASCADE|SET)", key["what"])]
    apps.expect(
        not taking,
        "What the database says of its tables: the foreign key posts.owner_id",
        expected="no rule ON DELETE",
        yours=f"a foreign key{taking[0]}" if taking else "",
        why="It would delete or change posts without a word. Here a user with posts can't be deleted.",
    )


@step("3.5")
def test_a_foreign_key_has_an_index_and_a_primary_key_no_second_one(apps: Apps) -> None:
    """The foreign key has an index, and the primary keys have no second one."""
    apps.ready()
    tables = apps.yours.schema()
    empty: dict[str, Any] = {"indexes": [], "unique": []}
    posts = tables.get("posts", empty)
    unique = [rule["columns"] for rule in posts["unique"]]
    columns = [index["columns"] for index in posts["indexes"]] + [rule for rule in unique if len(rule) > 1]
    apps.expect(
        any(found[:1] == ["owner_id"] for found in columns),
        "What the database says of its tables: posts.owner_id",
        expected="an index",
        yours="unique" if ["owner_id"] in unique else "no index",
        why="With unique=True a user can have one post only: index=True alone."
        if ["owner_id"] in unique
        else "SQLite and PostgreSQL don't index a foreign key by themselves: index=True.",
    )
    for name in ("users", "posts"):
        table = tables.get(name, empty)
        second = [rule["name"] for rule in table["indexes"] + table["unique"] if rule["columns"] == ["id"]]
        apps.expect(
            not second,
            f"What the database says of its tables: {name}.id",
            expected="no index beside the key's own",
            yours=f"another index, {second[0] or 'without a name'}" if second else "",
            why="A primary key is unique and has an index; index=True or unique=True makes a second one,"
            " which every write must update.",
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
    hello = {"title": "Hello", "content": "First.", "owner_id": owner}
    shown = (
        "PostOut shows content and published. To SQLite, server_default='false' is a text; false() is right."
    )
    apps.post("/posts", json=hello, why=shown)
    apps.same_rows("SELECT title, content, published FROM posts")
    apps.get("/posts")
    sent = {"title": "Sent", "content": "As published.", "owner_id": owner.yours, "published": True}
    answer = apps.yours.post("/posts", json=sent)
    public = apps.yours.sql("SELECT title FROM posts WHERE published")
    apps.expect(
        answer.status in (201, 422) and not public,
        answer.asked,
        expected="a draft, or 422",
        yours=f"{answer.status}, and the post is published" if public else str(answer.status),
        why="A post begins as a draft: PostCreate has no published, and what it doesn't know stays outside.",
    )


@step("3.5")
def test_a_post_has_its_limits_in_the_schema_too(apps: Apps) -> None:
    """What a post may be is stored as it came; what it may not be is answered with 422 or 409."""
    post = {"title": "T" * 200, "content": "A long text." * 400, "owner_id": _add_user(apps)}
    for why in (
        "200 characters are allowed for the title, and any number for the content.",
        "Titles repeat.",
    ):
        apps.post("/posts", json=post, status_only=True, why=why)
    limit = "The title has 1 to 200 characters, in the schema as well."
    refused = [
        (post | {"title": "T" * 201}, limit),
        (post | {"title": ""}, limit),
        (post | {"content": ""}, "The content has at least one character."),
        ({"title": "Hello", "owner_id": post["owner_id"]}, "The content is required."),
        (post | {"owner_id": 4711}, "The foreign key refuses an owner who isn't there, and that is a 409."),
    ]
    for body, why in refused:
        apps.post("/posts", json=body, status_only=True, why=why)
    apps.same_rows("SELECT title, content FROM posts", why="What is answered with 201 is stored, all of it.")


# 3.6


def _add_post(apps: Apps, title: str = "Old") -> Both:
    """Insert a post of the year 2020, of the only user, as another program would; returns the post's id."""
    users = apps.sql("SELECT id FROM users")
    rows = apps.sql(
        "INSERT INTO posts (title, content, owner_id, created_at, updated_at)"
        " VALUES (:title, 'From 2020.', :owner, '2020-06-15 12:00:00', '2020-06-15 12:00:00') RETURNING id",
        title=title,
        owner=users[0]["id"] if users.expected else _add_user(apps),
    )
    return rows[0]["id"]


def change_the_title(database: Any, models: Any, post_id: int) -> dict[str, str]:
    """On a machine in New York, a session changes the title of a post of 2020, and commits."""
    import os
    import time

    zone = os.environ.get("TZ")
    try:
        os.environ["TZ"] = "EST5EDT,M3.2.0,M11.1.0"
        getattr(time, "tzset", int)()  # Windows has none
        with database.SessionLocal() as session:
            session.get(models.Post, post_id).title = "New"
            session.commit()
    finally:
        os.environ.pop("TZ") if zone is None else os.environ.update(TZ=zone)
        getattr(time, "tzset", int)()
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
        why="The type of 3.4, not NULL, with server_default for the first value and onupdate for later ones.",
    )
    owner = _add_user(apps)
    apps.sql(
        "INSERT INTO posts (title, content, owner_id) VALUES ('Raw', 'From SQL.', :owner)",
        owner=owner,
        why="Another program gives no more than title, content and owner: what else is required has a default"
        " in the database.",
    )
    apps.same_rows("SELECT title, published FROM posts")
    body = {"title": "Hello", "content": "First.", "owner_id": owner}
    answer = apps.post("/posts", json=body, why=ZONE)
    for field in ("created_at", "updated_at"):
        _expect_now(apps, answer, field, "POST /posts")


@step("3.6")
def test_a_post_is_published(apps: Apps) -> None:
    """Publishing a post makes it public and moves updated_at."""
    other, post_id = _add_post(apps), _add_post(apps, "Also old")
    why = (
        "The route answers 200 with this post, as it is after the commit."
        " post.published = True changes the object, and session.commit() the row."
    )
    answer = apps.post("/posts/{}/publish", post_id, why=why)
    apps.same_rows("SELECT title, published FROM posts", why=why)
    asked = "POST /posts/{id}/publish of a post of 2020"
    _expect_now(
        apps, answer, "updated_at", asked, why=f"{FORGOTTEN} And answer after the commit, not before."
    )
    _expect_2020(apps, answer, asked)
    again = "It is public, and published again it stays so: no error, and nothing is turned round."
    apps.post("/posts/{}/publish", post_id, why=again)
    times = [answer["updated_at"].yours, apps.post("/posts/{}/publish", other, why=why)["updated_at"].yours]
    _expect_two_moments(apps, times, "updated_at of two posts that were published one after the other")
    apps.same_rows("SELECT title, published FROM posts", why="To publish a post changes no other post.")
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
        HASH[:7] not in user and HASH[-6:] not in user and "raw" in user,
        "repr() of a user",
        expected="a text with the username and without the hash, or a part of it",
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
