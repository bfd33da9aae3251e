"""Lesson 5: migrations that are really run, up and down, on tables that hold rows.

A learner's revision ids, file names and number of migrations are their own. So a check looks for the
migration that did something by what is in the tables after it, and cuts the chain off there.
"""

import ast
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Never

import sqlalchemy as sa

from workshop import postgres
from workshop.checks import Apps, Both, Ran, step
from workshop.compare import PARTS
from workshop.verdicts import Failure, Finding, Unavailable

ALL = [*PARTS, "names"]
VERSIONS = "alembic/versions"
PSQL_SECONDS = 20
ANN = {"username": "ann", "email": "ann@example.com", "password": "correct horse"}
BOB = {"username": "bob", "email": "bob@example.com", "password": "correct horse"}
USERS = "SELECT username, email FROM users"
STATUSES = "SELECT username, status FROM users"
FLAGS = "SELECT title, is_published FROM posts"
OWNED = "SELECT title, username FROM posts JOIN users ON users.id = owner_id"
LOST_POSTS = (
    "On SQLite, batch mode drops the old users table. With PRAGMA foreign_keys = ON, that deletes the posts "
    "too (ON DELETE CASCADE). env.py needs an engine of its own, without the app's pragma."
)
CUT_OFF = (
    "A migration that was run is never changed, for it isn't run again. What comes later comes in a "
    "migration of its own: alembic revision."
)

# Finding the migration that did something

WALK = '''
"""Run the migrations on an empty database, and tell after each one which tables there are."""

import json
import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

configure = EnvironmentContext.configure


def tell(ctx, step, **_):
    inspector = inspect(ctx.connection)
    tables = {
        name: {
            "columns": {column["name"]: column["nullable"] for column in inspector.get_columns(name)},
            "checks": [check["name"] for check in inspector.get_check_constraints(name)],
        }
        for name in inspector.get_table_names()
    }
    print(json.dumps({"revision": step.up_revision_id, "tables": tables}))


def configure_and_tell(self, *arguments, on_version_apply=(), **keywords):
    more = on_version_apply if isinstance(on_version_apply, (list, tuple)) else [on_version_apply]
    configure(self, *arguments, on_version_apply=[*more, tell], **keywords)


EnvironmentContext.configure = configure_and_tell
Path("walk.sqlite").unlink(missing_ok=True)
config = Config("alembic.ini")
scripts = ScriptDirectory.from_config(config)
print(json.dumps({script.revision: os.path.relpath(script.path) for script in scripts.walk_revisions()}))
command.upgrade(config, "head")
'''
SCRATCH = {"DATABASE_URL": "sqlite:///walk.sqlite"}
Tables = Mapping[str, Any]


@dataclass(frozen=True)
class History:
    """The tables after each migration, oldest first; and how the run ended."""

    states: tuple[tuple[str, Tables], ...]  # revision → tables
    files: Mapping[str, str]  # revision → file, of all migrations
    ran: Ran

    def first(self, holds: Callable[[Tables], bool]) -> int | None:
        """The place of the first state of which something holds."""
        return next((place for place, (_, tables) in enumerate(self.states) if holds(tables)), None)

    def revision(self, place: int) -> str:
        """The revision at a place; ``base`` is the one before the first."""
        return self.states[place][0] if place >= 0 else "base"


@dataclass(frozen=True)
class Point:
    """The migration that did something: its revision and the one before it, on both sides."""

    at: Both
    before: Both
    last: Both  # the one right before `at`, if the work is spread over several
    gone: Both  # `files` without it


_walked: dict[str, History] = {}


def history(apps: Apps) -> tuple[History, History]:
    """What the migrations do, the reference's and the learner's. One walk serves all checks of a version."""
    expected = _read(apps.reference.run("walk.py", files={"walk.py": WALK}, environment=SCRATCH))
    folder, found = apps.yours.folder, hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".ini", ".toml"}):
        found.update(f"{file.relative_to(folder)}".encode() + file.read_bytes())
    key = found.hexdigest()
    if key not in _walked:
        ran = apps.yours.run("walk.py", files={"walk.py": WALK}, environment=SCRATCH, fails=None)
        for left in ("walk.py", "walk.sqlite"):
            (folder / left).unlink(missing_ok=True)
        _walked[key] = _read(ran)
    return expected, _walked[key]


def _read(ran: Ran) -> History:
    lines = [json.loads(line) for line in ran.output.splitlines() if line.startswith("{")]
    files, *states = lines or [{}]
    return History(tuple((state["revision"], state["tables"]) for state in states), files, ran)


Place = Callable[[History, int], int]


def find(
    apps: Apps,
    what: str,
    holds: Callable[[Tables], bool],
    why: str = "",
    *,
    alone: bool = True,
    at: Place = lambda _, place: place,
    before: Place = lambda _, place: place - 1,
) -> Point:
    """The migration after which `holds` is true first. The learner's later ones are removed.

    Work may be spread over several: `at` is the last, `before` comes before the first.
    """
    expected, yours = history(apps)
    place = yours.first(holds)
    if place is None:
        _fail_to_find(apps, yours, what, why)
    apps.expect(
        not alone or place != yours.first(_has_tables),
        f"The migration that adds {what}",
        expected="one of its own, after the one that makes the tables",
        yours="the one that makes the tables adds it too",
        why=CUT_OFF,
    )
    _cut_off(apps, yours, at(yours, place))
    sides = [(expected, expected.first(holds) or 0), (yours, place)]
    return Point(
        at=Both(*(one.revision(at(one, place)) for one, place in sides)),
        before=Both(*(one.revision(before(one, place)) for one, place in sides)),
        last=Both(*(one.revision(at(one, place) - 1) for one, place in sides)),
        gone=Both(*({one.files[one.revision(place)]: None} for one, place in sides)),
    )


def _cut_off(apps: Apps, yours: History, place: int) -> None:
    kept = {revision for revision, _ in yours.states[: place + 1]}
    for revision, file in yours.files.items():
        if revision not in kept:
            (apps.yours.folder / file).unlink(missing_ok=True)


def _fail_to_find(apps: Apps, yours: History, what: str, why: str) -> Never:
    asked = "alembic upgrade head, on an empty database"
    if yours.ran.code:
        said = yours.ran.messages.strip().splitlines() or ["it fails"]
        error = yours.ran.error or said[-1]
        frames = tuple(frame for frame in yours.ran.frames if frame.file != "walk.py")
        raise Failure(Finding("error", asked, yours=error, frames=frames, why=advice(error)))
    tables = yours.states[-1][1] if yours.states else {}
    there = "; ".join(
        f"{name} with {', '.join([*table['columns'], *filter(None, table['checks'])])}"
        for name, table in tables.items()
        if name != "alembic_version"
    )
    raise Failure(Finding("difference", asked, "", what, f"there is {there or 'no table'}", why=why))


PERCENT = (
    "In an ini file % has a meaning: set_main_option stumbles over it. create_engine takes the URL as it is."
)
BOOLEAN = "On PostgreSQL, 0 is no boolean: sa.false() is right on both databases."
ADVICE = {
    "NOT NULL column with default value NULL": "Rows that are there need a value: server_default=.",
    "No support for ALTER of constraints": "SQLite can't alter a table: with op.batch_alter_table(...)",
    'near "ALTER": syntax error': "SQLite can't alter a column: with op.batch_alter_table(...)",
    "multiple head": "Two migrations follow the same one: see alembic heads, and give one of them the "
    "other's id as down_revision.",
    "is of type boolean but default": BOOLEAN,
    "no such table: users": "The first migration makes the tables. Is it empty? Then they were there when "
    "autogenerate compared.",
    "password authentication failed": "str(url) has stars in place of the password: pass the URL itself.",
    "No module named 'models'": "A migration describes a moment of the past, models.py is of today.",
    "interpolation syntax": PERCENT,
    "No module named 'psycopg'": "postgresql:// alone means another driver. env.py takes the URL from "
    "the app: database.url.",
}


def advice(error: str) -> str:
    """What to look at when Alembic says this."""
    return next((told for said, told in ADVICE.items() if said.lower() in error.lower()), "")


def alembic(apps: Apps, *arguments: Any, why: str = "", **keywords: Any) -> Both:
    """Run ``alembic`` in both, and say what helps where it stops with a well-known error."""
    try:
        return apps.alembic(*arguments, **keywords)
    except Failure as failure:
        helps = advice(failure.finding.yours) or why
        raise Failure(replace(failure.finding, why=helps)) from None


def _has_tables(tables: Tables) -> bool:
    return {"users", "posts"} <= tables.keys()


def _has(table: str, column: str) -> Callable[[Tables], bool]:
    return lambda tables: column in tables.get(table, {"columns": {}})["columns"]


def _is_required(column: str) -> Callable[[Tables], bool]:
    return lambda tables: tables.get("users", {"columns": {}})["columns"].get(column) is False


def expect_no_imports(apps: Apps) -> None:
    """No migration that is still there imports a module of the app."""
    folder = apps.yours.folder
    own = {path.stem for path in folder.glob("*.py")}
    own |= {path.parent.name for path in folder.glob("*/__init__.py")} - {"alembic"}
    for file in sorted((folder / VERSIONS).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            used = own.intersection(name.partition(".")[0] for name in names)
            apps.expect(
                not used,
                f"{VERSIONS}/{file.name}",
                expected="it imports sqlalchemy, alembic.op and such, and no module of the app",
                yours=f"it imports {', '.join(used)}",
                why="A migration is history, and your modules change. Write the names and types of that day "
                "into it; for changes of rows, op.execute with SQL.",
            )


# Rows, and what is left of them


def add_users(apps: Apps, *names: str, **columns: str) -> None:
    """Insert users as another program would, with more columns for all of them."""
    for name in names:
        more = "".join(f", {column}" for column in columns)
        values = "".join(f", '{value}'" for value in columns.values())
        apps.sql(
            f"INSERT INTO users (username, email, password_hash{more}) VALUES (:name, :email, '-'{values})",
            why="An INSERT of another program leaves out what it doesn't know: that needs a server default.",
            name=name,
            email=f"{name}@example.com",
        )


def add_posts(apps: Apps, flag: str, **posts: bool) -> None:
    """Insert posts of ann by title; `flag` is what the column is called at this point."""
    for title, published in posts.items():
        apps.sql(
            f"INSERT INTO posts (title, content, {flag}, owner_id)"
            f" SELECT :title, '-', {'true' if published else 'false'}, id FROM users WHERE username = 'ann'",
            title=title,
        )


def expect_no_column(apps: Apps, table: str, column: str, after: str, why: str = "") -> None:
    """The learner's table doesn't have the column."""
    apps.expect(
        column not in apps.yours.schema()[table]["columns"],
        f"{after}, then the columns of {table}",
        expected=f"no {column}",
        yours=f"{column} is there",
        why=why,
    )


def problem_with(apps: Apps, statement: str) -> str:
    """Why the learner's database refuses the statement; '' if it doesn't."""
    try:
        with apps.yours.connection() as connection:
            connection.execute(sa.text(statement))
    except sa.exc.DBAPIError as error:
        return str(error.orig).splitlines()[0]
    return ""


def table_names(apps: Apps) -> list[str]:
    """The tables of the learner's database, also if there is no database yet."""
    url = apps.yours.url
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return []
    with apps.yours.connection() as connection:
        return sorted(sa.inspect(connection).get_table_names())


# A migration that a check adds

LATER = '''
"""A later migration, of a colleague."""

import sqlalchemy as sa
from alembic import op

revision = "later"
down_revision = {head!r}


def upgrade():
{body}


def downgrade():
    pass
'''


def later(head: str | None, *operations: str) -> dict[str, str]:
    """A file with one more migration."""
    body = "\n".join(f"    {operation}" for operation in operations)
    return {f"{VERSIONS}/later.py": LATER.format(head=head, body=body)}


LABELS = 'op.create_table("labels", sa.Column("id", sa.Integer(), primary_key=True))'


# 5.1


@step("5.1")
def test_alembic_uses_the_apps_database_and_models(apps: Apps) -> None:
    """From any folder, Alembic uses the app's database and knows its tables."""
    _expect_no_url_in_the_ini(apps)
    forget_migrations(apps)
    elsewhere = ["-c", "../alembic.ini"]
    alembic(
        apps,
        *elsewhere,
        "upgrade",
        "head",
        cwd="elsewhere",
        files=later(None, LABELS),
        why="env.py takes the URL from the app: database.url. In alembic.ini, prepend_sys_path says where "
        "the app's modules are; a dot is the folder you happen to be in, %(here)s the ini file's own.",
    )
    apps.expect(
        "labels" in table_names(apps),
        "A migration that makes a table labels, then the tables of the database that DATABASE_URL names",
        expected="labels",
        yours=", ".join(table_names(apps)) or "no table",
        why="Alembic worked on another database, or ran nothing. env.py takes the URL from the app, "
        "database.url, and calls run_migrations_online().",
    )
    ran = alembic(apps, *elsewhere, "check", cwd="elsewhere", fails=None).yours
    said = ran.output + ran.messages
    missing = [name for name in ("users", "posts") if f"Table('{name}'" not in said]
    apps.expect(
        not missing,
        "alembic check, on an empty database",
        expected="it finds that users and posts are missing",
        yours=ran.error or (said.strip().splitlines() or ["nothing"])[-1],
        why="target_metadata is Base.metadata, and it knows only the models that were imported.",
    )


def forget_migrations(apps: Apps) -> None:
    """Remove the learner's migrations: a fault in one of them is told by the steps that need them."""
    for file in (apps.yours.folder / VERSIONS).rglob("*.py"):
        file.unlink()


def _expect_no_url_in_the_ini(apps: Apps) -> None:
    ini = apps.yours.folder / "alembic.ini"
    lines = ini.read_text(encoding="utf-8").splitlines() if ini.exists() else []
    urls = [line for line in lines if re.match(r"\s*sqlalchemy\.url\s*[=:]\s*\S", line)]
    apps.expect(
        not urls,
        "alembic.ini",
        expected="no sqlalchemy.url",
        yours=urls[0].strip() if urls else "",
        why="A second place for the URL is one that is forgotten, and git keeps the password. env.py takes "
        "the URL from the app.",
    )


@step("5.1")
def test_a_url_may_hold_a_percent_sign(apps: Apps) -> None:
    """A URL with a percent sign in it works."""
    forget_migrations(apps)
    ran = apps.yours.run(
        "alembic", "current", environment={"DATABASE_URL": _url_with_percent(apps)}, fails=None
    )
    said = ran.error or (ran.messages.strip().splitlines() or ["it fails"])[-1]
    apps.expect(
        not ran.code,
        "alembic current, with a % in DATABASE_URL",
        expected="it works",
        yours=said.replace(apps.yours.prefix or "\0", ""),
        why=PERCENT,
    )


def _url_with_percent(apps: Apps) -> str:
    """A way to the learner's server, or to a new file, that isn't plain."""
    url = apps.yours.url
    if apps.database == "sqlite":
        return url.set(database=str(apps.yours.folder / "100%s.sqlite")).render_as_string()
    role, password = f"{apps.yours.prefix}ann", "p@ss%word"
    with apps.yours.connection() as connection:
        connection.execute(sa.text(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'"))
    return url.set(username=role, password=password).render_as_string(hide_password=False)


def call_alembic_from_the_app() -> str:
    """Alembic called from Python, with its ini file and without, after a logger was made."""
    import logging

    from alembic import command
    from alembic.config import Config

    logger = logging.getLogger("blog.orders")
    command.current(Config("alembic.ini"))
    bare = Config()
    bare.set_main_option("script_location", "alembic")
    command.current(bare)
    return "the logger is silent" if logger.disabled else "the logger works"


@step("5.1", databases=["sqlite"])
def test_alembic_leaves_the_loggers_alone(apps: Apps) -> None:
    """Called from Python, Alembic works and silences no logger."""
    forget_migrations(apps)
    apps.start(lifespan=False)
    apps.probe(
        call_alembic_from_the_app,
        why="fileConfig disables every logger that its file doesn't name, unless "
        "disable_existing_loggers=False; and without a file there is nothing to configure.",
    )


# 5.2


@step("5.2")
def test_the_first_migration_makes_the_tables_of_the_models(apps: Apps) -> None:
    """The first migration makes the tables as the models say, and its downgrade removes them."""
    point = find(
        apps,
        "tables users and posts",
        _has_tables,
        "Autogenerate compares with the database: where the tables exist, it finds nothing to do. Run it on "
        "an empty one.",
        alone=False,
    )
    expect_no_imports(apps)
    alembic(apps, "upgrade", point.at, why=BOOLEAN)
    apps.same_schema(
        "users",
        "posts",
        parts=ALL,
        why="Read what autogenerate wrote. alembic check compares the tables with the models.",
    )
    add_users(apps, "ann")
    own = (
        "A default that is a text is stored as a text, and sa.text('now()') is PostgreSQL's alone. Right on "
        "both databases: sa.func.now() and sa.false()."
    )
    apps.sql("INSERT INTO posts (title, content, owner_id) SELECT 'Hello', '-', id FROM users", why=own)
    dated = "BETWEEN '2020-01-01' AND '2100-01-01'"
    apps.same_rows(f"SELECT username, created_at {dated} AS dated FROM users", why=own)
    apps.same_rows(
        f"SELECT title, published, created_at {dated} AND updated_at {dated} AS dated FROM posts", why=own
    )
    alembic(apps, "downgrade", "base", why="downgrade() undoes upgrade(), in the opposite order.")
    left = [name for name in table_names(apps) if name != "alembic_version"]
    apps.expect(
        not left,
        "alembic upgrade head, alembic downgrade base, then the tables",
        expected="only Alembic's own",
        yours=", ".join(left),
        why="downgrade() undoes all that upgrade() did, in the opposite order.",
    )


@step("5.2", databases=["sqlite"])
def test_autogenerate_writes_a_migration_that_runs(apps: Apps) -> None:
    """What autogenerate writes for an empty database runs as it is."""
    gone = Both(*(dict.fromkeys(one.files.values()) for one in history(apps)))
    why = (
        "Autogenerate writes a type of your own as models.UtcDateTime, which isn't imported there. In "
        "env.py, render_item can return the text to write instead, with sa. in front, and False for every "
        "other type; and configure() must be given it."
    )
    alembic(apps, "revision", "--autogenerate", "-m", "from models", files=gone, why=why)
    alembic(apps, "upgrade", "head", why=why)
    expect_no_imports(apps)
    apps.same_schema("users.username", "users.created_at", "posts.updated_at", parts=["type"], why=why)


@step("5.2", databases=["postgresql"])
def test_a_changed_default_is_noticed(apps: Apps) -> None:
    """Alembic notices a server default that the models have and the table hasn't."""
    point = find(apps, "tables users and posts", _has_tables, alone=False)
    alembic(apps, "upgrade", point.at)
    apps.sql("ALTER TABLE users ALTER COLUMN created_at DROP DEFAULT")
    ran = alembic(apps, "check", fails=None).yours
    apps.expect(
        "modify_default" in ran.output and "'created_at'" in ran.output,
        "alembic check, after users.created_at has lost its default",
        expected="it finds that the default is another one",
        yours="nothing about created_at",
        why="compare_server_default=True makes autogenerate look at defaults, too.",
    )


# 5.3


def expect_refusal(apps: Apps, situation: str, files: Mapping[str, str] | None = None) -> None:
    """The learner's app refuses to start, and says what to run."""
    asked = f"Starting the app {situation}"
    try:
        refusal = apps.yours.fails_to_start(files=files)
    except Failure as failure:
        why = "The app serves only if the database's revision is the newest one among its own migrations."
        raise Failure(replace(failure.finding, asked=asked, why=why)) from None
    apps.expect(
        "alembic upgrade head" in refusal.output,
        asked,
        expected="a message that says: alembic upgrade head",
        yours=(refusal.message.splitlines() or ["it ends without a word"])[-1],
        why="Whoever starts the app at night reads only this message. Compare the database's revision with "
        "the newest one, and raise an error that says what to run.",
    )
    apps.expect(
        "application startup" in refusal.output,  # uvicorn says it between the import and the lifespan
        asked,
        expected="main can be imported, and the refusal comes when the server starts",
        yours="the refusal comes while main is imported",
        why="Tests and tools import main too, without a database. Call it in lifespan.",
    )


@step("5.3")
def test_the_app_makes_no_tables(apps: Apps) -> None:
    """On an empty database the app refuses to start, and makes no table."""
    expect_refusal(apps, "on an empty database")
    apps.expect(
        not table_names(apps),
        "Starting the app on an empty database, then the tables",
        expected="none: only migrations make them",
        yours=", ".join(table_names(apps)),
        why="create_all is gone, and the app doesn't run migrations by itself.",
    )


@step("5.3", databases=["sqlite"])
def test_the_app_starts_on_the_newest_schema_only(apps: Apps) -> None:
    """The app starts at the newest migration, and neither before nor after it."""
    point = find(apps, "tables users and posts", _has_tables, alone=False)
    alembic(apps, "upgrade", "head")
    apps.start(why="The database is at the newest migration, so the app serves.")
    apps.get("/health")
    apps.stop()
    expect_refusal(apps, "when a migration hasn't run yet", later(point.at.yours, LABELS))
    (apps.yours.folder / VERSIONS / "later.py").unlink()
    apps.sql("UPDATE alembic_version SET version_num = '0badc0ffee'")
    expect_refusal(apps, "on a database with a migration that the app doesn't know")


# 5.4


@step("5.4")
def test_old_rows_get_a_status(apps: Apps) -> None:
    """Rows that were there get the status, and the way back keeps the rows."""
    point = find(
        apps,
        "users.status",
        _has("users", "status"),
        "A column comes in a new migration.",
        at=lambda one, place: one.first(_is_required("status")) or place,
    )
    expect_no_imports(apps)
    alembic(apps, "upgrade", point.before)
    add_users(apps, "ann", "bob")
    add_posts(apps, "published", Hello=True)
    alembic(
        apps, "upgrade", point.at, why="The table holds rows already; they need a value: server_default=."
    )
    why = "default= is known to SQLAlchemy only; server_default= to the database, which fills in old rows."
    apps.same_rows(STATUSES, why=why)
    add_users(apps, "raw")
    apps.same_rows(STATUSES, why=why)
    kind = "sa.String(20), nullable=False, server_default=: required, 20 characters, and active by default."
    apps.same_schema("users.status", parts=["type", "nullable", "default"], why=kind)
    alembic(apps, "downgrade", point.before)
    expect_no_column(apps, "users", "status", "alembic downgrade", "downgrade() undoes upgrade().")
    apps.same_rows(USERS, why="The way back removes the column and nothing else.")
    apps.same_rows(OWNED, why=LOST_POSTS)


@step("5.4")
def test_the_app_shows_the_status(apps: Apps) -> None:
    """A new user is active, and answers show each user's status."""
    if not go_to_the_newest(apps, "users.status", _has("users", "status")):
        return
    apps.post("/users", json=ANN, why="UserOut shows the status, and the model has the column.")
    apps.post("/users", json=BOB)
    apps.same_rows(STATUSES)
    apps.sql("UPDATE users SET status = 'banned' WHERE username = 'bob'")
    apps.get("/users", why="The status that is shown is the one that is stored.")
    eve = {"username": "eve", "email": "eve@example.com", "password": "correct horse", "status": "banned"}
    answer = apps.yours.post("/users", json=eve)
    stored = [row["status"] for row in apps.yours.sql("SELECT status FROM users WHERE username = 'eve'")]
    apps.expect(
        (answer.status, stored) in [(201, ["active"]), (422, [])],
        'POST /users with "status": "banned"',
        expected="201 and active, or 422",
        yours=f"{answer.status} and {', '.join(stored) or 'nothing'} stored",
        why="A new user is active, whatever is sent: the status is no field of UserCreate.",
    )


def go_to_the_newest(apps: Apps, what: str, holds: Callable[[Tables], bool]) -> bool:
    """Upgrade to the newest migration; False if the learner's fails, later than at `what`.

    Then they work on a later step, whose check tells it.
    """
    _, yours = history(apps)
    if yours.first(holds) is None:
        _fail_to_find(apps, yours, what, CUT_OFF)
    if yours.ran.code:
        return False
    alembic(apps, "upgrade", "head")
    return True


# 5.5


def _is_renamed(tables: Tables) -> bool:
    return _has("posts", "is_published")(tables) and not _has("posts", "published")(tables)


@step("5.5")
def test_the_rename_keeps_what_was_published(apps: Apps) -> None:
    """published becomes is_published, and every post stays what it was, up and down."""
    point = find(
        apps,
        "posts.is_published",
        _has("posts", "is_published"),
        "A migration gives the column its new name: alter_column(..., new_column_name=...).",
        at=lambda one, place: one.first(_is_renamed) or place,
    )
    expect_no_imports(apps)
    alembic(apps, "upgrade", point.before)
    add_users(apps, "ann")
    add_posts(apps, "published", Draft=False, Hello=True, News=True)
    alembic(apps, "upgrade", point.at)
    why = "A new column has none of the old one's values. Rename it: alter_column(new_column_name=...)."
    apps.same_rows(FLAGS, why=why)
    apps.same_rows(OWNED)
    expect_no_column(apps, "posts", "published", "alembic upgrade", "A rename leaves one column, not two.")
    apps.same_schema("posts", parts=ALL, why="The rename changes the name and nothing else.")
    add_posts(apps, "is_published", Late=True)
    alembic(apps, "downgrade", point.before)
    apps.same_rows(
        "SELECT title, published FROM posts", why="downgrade() gives the old name back: a rename, too."
    )
    apps.same_schema("posts", parts=ALL, why="The way back changes the name and nothing else.")


@step("5.5")
def test_the_api_keeps_the_old_name(apps: Apps) -> None:
    """The API still says published, whatever the column is called."""
    if not go_to_the_newest(apps, "posts.is_published", _has("posts", "is_published")):
        return
    user = apps.post("/users", json=ANN)
    why = "The field is a promise to the clients: published. validation_alias= tells where to find it."
    renamed = "The model's attribute has a new name here, too, and PostOut reads it by its validation_alias."
    post = apps.post("/posts", json={"title": "Hello", "content": "-", "owner_id": user["id"]}, why=why)
    apps.post("/posts/{}/publish", post["id"], why=renamed)
    apps.post("/posts", json={"title": "Draft", "content": "-", "owner_id": user["id"]})
    apps.same_rows(FLAGS, why="Publishing sets the column that is stored.")
    apps.get("/posts", why=why)


# 5.6

CHECK = "ck_users_known_status"


def _has_check(tables: Tables) -> bool:
    return CHECK in tables.get("users", {"checks": []})["checks"]


@step("5.6")
def test_only_known_statuses_are_stored(apps: Apps) -> None:
    """The table refuses an unknown status; rows, rules and posts stay, up and down."""
    point = find(
        apps,
        f"a check {CHECK} on users",
        _has_check,
        "On SQLite a rule can only be added in batch mode. The naming convention puts ck_users_ before the "
        "name, unless the name is written as op.f(...).",
    )
    expect_no_imports(apps)
    alembic(apps, "upgrade", point.before)
    add_users(apps, "ann")
    add_users(apps, "bob", status="banned")
    add_posts(apps, "is_published", Hello=True, Draft=False)
    alembic(apps, "upgrade", point.at, why="active and banned are the known statuses.")
    _expect_everything_kept(apps)
    for status in ("nonsense", "Active", "banana", "deleted", ""):
        apps.expect(
            bool(problem_with(apps, f"UPDATE users SET status = '{status}'")),
            f"UPDATE users SET status = '{status}'",
            expected="the database refuses it",
            yours="it is stored",
            why="The condition of the check is: status IN ('active', 'banned').",
        )
    add_users(apps, "eve", status="banned")
    alembic(apps, "downgrade", point.before, why="A constraint is dropped by its name.")
    _expect_everything_kept(apps)
    checks = [check["name"] for check in apps.yours.schema()["users"]["checks"]]
    apps.expect(
        CHECK not in checks,
        "alembic downgrade, then the checks of users",
        expected=f"no {CHECK}",
        yours=", ".join(checks),
        why="downgrade() undoes upgrade(): drop_constraint, by name.",
    )


def _expect_everything_kept(apps: Apps) -> None:
    apps.same_rows(STATUSES)
    apps.same_rows(OWNED, why=LOST_POSTS)
    apps.same_rows(FLAGS)
    why = "Batch mode makes a new table from the old one. All its rules must be in the new one, too."
    apps.same_schema("users", "posts", parts=ALL, why=why)


@step("5.6", databases=["sqlite"])
def test_autogenerate_notices_the_rule(apps: Apps) -> None:
    """The models know the rule, and Alembic notices where the table lacks it."""
    point = find(apps, f"a check {CHECK} on users", _has_check)
    alembic(apps, "upgrade", "head", files=point.gone)
    ran = alembic(apps, "check", fails=None).yours
    apps.expect(
        bool(re.search(rf"\b{CHECK}\b", ran.output)),
        "alembic check, before the migration that adds the rule",
        expected=f"it finds that {CHECK} is missing",
        yours=f"it finds ck_users_{CHECK}" if CHECK in ran.output else f"nothing about {CHECK}",
        why="The rule is in the model, too, in __table_args__: CheckConstraint(..., name=...), where the "
        "naming convention puts ck_users_ before the name. And Alembic looks at checks only if configure() "
        "names the plugin, beside its own: autogenerate_plugins=[...].",
    )


# 5.7


@step("5.7", databases=["postgresql"])
def test_the_script_makes_the_same_tables(apps: Apps) -> None:
    """alembic upgrade head --sql prints a script that psql runs to the same tables."""
    _expect_the_script(apps, find(apps, f"a check {CHECK} on users", _has_check))


def _expect_the_script(apps: Apps, point: Point) -> None:
    """What ``alembic upgrade head --sql`` prints makes the tables at this point."""
    nowhere = {"DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/nowhere"}
    ran = apps.yours.run("alembic", "upgrade", "head", "--sql", environment=nowhere, fails=None)
    asked = "alembic upgrade head --sql, with the URL of a PostgreSQL that isn't there"
    if ran.code or not ran.output.strip():
        said = ran.error or (ran.messages.strip().splitlines() or ["it fails"])[-1]
        reads = any(frame.file.startswith(VERSIONS) for frame in ran.frames)
        why = (
            "A migration that reads the database can't be printed, for there is none: let op.execute do it."
            if reads
            else "run_migrations_offline runs the migrations, and needs the app's URL only to know which SQL "
            "to write."
        )
        yours = said if ran.code else "the script is empty"
        expected = "a script, for nothing connects"
        raise Failure(Finding("error", asked, expected=expected, yours=yours, frames=ran.frames, why=why))
    problem = run_psql(apps, ran.output)
    apps.expect(
        not problem,
        "alembic upgrade head --sql, then psql -v ON_ERROR_STOP=1 with it on an empty database",
        expected="every statement works",
        yours=problem,
        why="The script has placeholders in place of values: configure() needs literal_binds=True."
        if re.search(r"%\(\w+\)s", ran.output)
        else "The script is all that goes to the standard output, so nothing else may be printed there.",
    )
    apps.reference.run("alembic", "upgrade", "head")
    why = "Rules without a name get one from the naming convention only if configure() knows target_metadata."
    apps.same_schema("users", "posts", parts=ALL, why=why)
    found = [row["version_num"] for row in apps.yours.sql("SELECT version_num FROM alembic_version")]
    apps.expect(
        found == [point.at.yours],
        "The script, then SELECT version_num FROM alembic_version",
        expected=point.at.yours,
        yours=", ".join(found) or "no row",
    )


def run_psql(apps: Apps, script: str) -> str:
    """Run a script on the learner's database; returns its first error, or ''."""
    program = postgres.psql()
    if program is None:
        raise Unavailable("psql is missing: install PostgreSQL's client programs")
    address = apps.yours.url.set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [program, "-X", "-w", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", address],
        input=script,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=PSQL_SECONDS,
        check=False,
    )
    errors = [line for line in done.stderr.splitlines() if "NOTICE:" not in line]
    first = "\n".join(errors[:3]).removeprefix("psql:<stdin>:")
    return (first or f"psql ends with {done.returncode}") if done.returncode else ""


# 5.8

HALF = (
    LABELS,
    'op.add_column("users", sa.Column("nickname", sa.String(20)))',
    "op.execute(\"UPDATE users SET status = 'banned'\")",
)
FAILING = 'op.execute("INSERT INTO nowhere VALUES (1)")'


@step("5.8")
def test_a_migration_happens_whole_or_not_at_all(apps: Apps) -> None:
    """A migration that fails half-way leaves nothing behind, and works once it is mended."""
    point = find(apps, f"a check {CHECK} on users", _has_check)
    alembic(apps, "upgrade", "head")
    add_users(apps, "ann")
    add_posts(apps, "is_published", Hello=True)
    files = Both(later(point.at.expected, *HALF, FAILING), later(point.at.yours, *HALF, FAILING))
    through = "The migration fails, so the command has to fail: env.py lets the error through."
    alembic(apps, "upgrade", "head", files=files, fails=True, why=through)
    _expect_nothing_of_it(apps, point)
    mended = Both(later(point.at.expected, *HALF), later(point.at.yours, *HALF))
    alembic(apps, "upgrade", "head", files=mended, why="The first try has left something behind.")
    apps.same_schema("users.nickname", "labels", why="Mended, it is run whole.")
    apps.same_rows(STATUSES)
    apps.same_rows(OWNED, why=LOST_POSTS)


def _expect_nothing_of_it(apps: Apps, point: Point) -> None:
    asked = "alembic upgrade head, with a migration whose last operation fails"
    why = (
        "PostgreSQL undoes it all by itself, unless every statement is committed at once (AUTOCOMMIT). "
        "Python's sqlite3 begins no transaction for CREATE and ALTER: "
        "begin one yourself (BEGIN), and tell Alembic: transactional_ddl=True."
    )
    schema = apps.yours.schema()
    left = [
        *(["the table labels"] if "labels" in schema else []),
        *(["the column users.nickname"] if "nickname" in schema["users"]["columns"] else []),
    ]
    apps.expect(
        not left, asked, expected="nothing of it is left", yours=f"{' and '.join(left)} stayed", why=why
    )
    apps.same_rows(STATUSES, why=f"The failed migration changed rows. {why}")
    found = [row["version_num"] for row in apps.yours.sql("SELECT version_num FROM alembic_version")]
    apps.expect(
        found == [point.at.yours],
        f"{asked}, then alembic current",
        expected=point.at.yours,
        yours=", ".join(found) or "nothing: the migrations before it are undone as well",
        why=why,
    )


# 5.9


def backup(apps: Apps, *arguments: str, variables: Mapping[str, Any] | None = None, **keywords: Any) -> Both:
    """Run backup.py, with PostgreSQL's programs on the PATH."""
    program = postgres.psql()
    more = [str(program.parent)] if program else []
    environment = {"PATH": os.pathsep.join([*more, os.environ.get("PATH", "")]), **(variables or {})}
    return apps.run("backup.py", *arguments, environment=environment, **keywords)


@step("5.9")
def test_a_backup_brings_everything_back(apps: Apps) -> None:
    """A backup made while the app serves brings back tables, rows and revision."""
    find(apps, f"a check {CHECK} on users", _has_check)
    alembic(apps, "upgrade", "head")
    if apps.database == "sqlite":
        apps.sql("PRAGMA journal_mode = WAL")
    apps.start()
    with apps.yours.connection() as reading:  # so that nobody tidies up meanwhile
        reading.execute(sa.text("SELECT count(*) FROM users")).all()
        _save_and_go_on(apps)
    apps.stop()
    backup(apps, "restore", "copy.bak")
    why = "What was saved comes back, and what was made since is gone."
    if apps.database == "sqlite":
        why += (
            " In WAL mode, a copy of blog.db misses what stands in blog.db-wal, and a file that is copied "
            "back meets an old blog.db-wal: sqlite3's backup() is right both ways."
        )
    apps.same_rows(STATUSES, why=why)
    apps.same_rows(OWNED, why=why)
    apps.same_schema("users", "posts", parts=ALL)
    apps.expect(
        "labels" not in table_names(apps),
        "backup.py restore, then the tables",
        expected="no table that was made after the backup",
        yours=", ".join(table_names(apps)),
        why="A migration that made this table would fail when it is run again. Empty the database first.",
    )
    apps.start(why="The revision is restored as well, so the app starts.")
    add_posts(apps, "is_published", New=False)
    apps.same_rows(OWNED)


def _save_and_go_on(apps: Apps) -> None:
    """Rows, a backup while the app serves, and changes after it."""
    add_users(apps, "ann", "bob")
    add_posts(apps, "is_published", Hello=True)
    backup(apps, "save", "copy.bak")
    made = (apps.yours.folder / "copy.bak").exists()
    apps.expect(made, "backup.py save copy.bak", expected="copy.bak is made", yours="no such file")
    apps.get("/health")
    apps.sql("DELETE FROM users WHERE username = 'ann'")
    add_users(apps, "eve")
    apps.sql("CREATE TABLE labels (id INTEGER PRIMARY KEY)")
    apps.sql("UPDATE alembic_version SET version_num = 'later'")


NOT_OVER_IT = (
    "A backup is never overwritten, for it may be the last good one. An error is an exit code: sys.exit(...)."
)


def _not_the_usual_way(
    apps: Apps,
) -> tuple[Callable[[], AbstractContextManager[sa.Connection]], dict[str, Any]]:
    """How to reach a database, and its DATABASE_URL: not blog.db, and with a password that is asked for."""
    if apps.database == "sqlite":
        url = f"sqlite:///{apps.yours.folder / 'orders.sqlite'}"
        return sa.create_engine(url, poolclass=sa.NullPool).begin, {"DATABASE_URL": Both("", url)}
    url = _url_with_percent(apps)
    with apps.yours.connection() as connection:
        connection.execute(sa.text(f"GRANT pg_read_all_data TO {apps.yours.prefix}ann"))
    return apps.yours.connection, {"DATABASE_URL": Both("", url)}


@step("5.9")
def test_a_backup_is_never_overwritten(apps: Apps) -> None:
    """An existing file is never overwritten, and a missing one changes nothing."""
    file, (connect, variables) = apps.yours.folder / "old.bak", _not_the_usual_way(apps)
    with connect() as connection:
        connection.execute(sa.text("CREATE TABLE kept (id INTEGER)"))
    why = (
        "The whole URL is needed. In PostgreSQL's it holds a password here, and in str(url) there are stars."
    )
    backup(apps, "save", "old.bak", variables=variables, why=why)
    apps.expect(file.exists(), "backup.py save old.bak", expected="old.bak is made", yours="no such file")
    old = file.read_bytes()
    if apps.database == "sqlite" and b"kept" not in old:  # perhaps it is compressed
        with connect() as connection:
            connection.execute(sa.text("DROP TABLE kept"))
        backup(apps, "restore", "old.bak", variables=variables)
        with connect() as connection:
            tables = sa.inspect(connection).get_table_names()
        apps.expect(
            "kept" in tables,
            "backup.py save and restore, with the name of another file in DATABASE_URL",
            expected="they work on that file",
            yours="its table is neither saved nor restored",
            why="The database isn't always blog.db. The app knows its name: url.database.",
        )
    with connect() as connection:
        connection.execute(sa.text("INSERT INTO kept VALUES (1)"))
    backup(apps, "save", "old.bak", variables=variables, fails=True, why=NOT_OVER_IT)
    apps.expect(
        file.read_bytes() == old,
        "backup.py save old.bak, which exists",
        expected="the file is as it was",
        yours="it was overwritten",
        why=NOT_OVER_IT,
    )
    why = (
        "Look whether the file is there before anything is emptied. sqlite3.connect makes a file that is "
        "missing. An error is an exit code, too: sys.exit(...)."
    )
    if apps.database == "postgresql":
        variables = {}  # by the owner, who could empty the database
    backup(apps, "restore", "missing.bak", variables=variables, fails=True, why=why)
    with connect() as connection:
        tables = sa.inspect(connection).get_table_names()
    apps.expect(
        tables == ["kept"],
        "backup.py restore missing.bak, which doesn't exist",
        expected="the database is as it was",
        yours=f"its tables are: {', '.join(tables) or 'none'}",
        why=why,
    )
    apps.expect(
        not (apps.yours.folder / "missing.bak").exists(),
        "backup.py restore missing.bak, which doesn't exist",
        expected="and doesn't exist afterwards",
        yours="an empty missing.bak was made",
        why=why,
    )


# 5.10


def find_expand(apps: Apps) -> Point:
    """The migration that adds users.display_name, which may be NULL after it."""
    _, yours = history(apps)
    added = yours.first(_has("users", "display_name"))
    if added is not None:
        apps.expect(
            yours.states[added][1]["users"]["columns"]["display_name"],
            "The migration that adds users.display_name",
            expected="it may be NULL",
            yours="it is NOT NULL at once",
            why="The app of before still serves, and its INSERTs don't fill the column in.",
        )
    return find(
        apps,
        "users.display_name",
        _has("users", "display_name"),
        "A new column, a new migration.",
        at=lambda one, _: (one.first(_is_required("display_name")) or len(one.states)) - 1,
    )


NAMES = "SELECT username, display_name FROM users"


@step("5.10")
def test_the_old_app_goes_on_serving(apps: Apps) -> None:
    """The app of before and the new one serve on the same tables, and old rows get a name."""
    _, walked = history(apps)
    point = find_expand(apps)
    expect_no_imports(apps)
    alembic(apps, "upgrade", point.before)
    add_users(apps, "old", "older")
    add_users(apps, "banned", status="banned")
    alembic(apps, "upgrade", point.at)
    apps.same_schema("users.display_name", parts=["type", "nullable", "default"])
    apps.same_rows(
        NAMES, why="Rows that are there get their username as display_name: UPDATE, in the migration."
    )
    with apps.older("5.9") as before:
        fits = _fits_the_newest_app(walked, point.at.yours)
        if fits:
            apps.yours.start(lifespan=False)
        ann = before.post("/users", json=ANN)
        _expect(apps, "POST /users to the app of before", ann.status, 201)
        post = {"title": "Hello", "content": "-", "owner_id": ann["id"]}
        _expect(apps, "POST /posts to the app of before", before.post("/posts", json=post).status, 201)
        bob = (apps.yours if fits else before).post("/users", json=BOB)
        name = "Whoever sends no display_name is stored with the username."
        _expect(apps, "POST /users to the new app, without a display_name", bob.status, 201, name)
        for path in ("/users", "/posts"):
            _expect(apps, f"GET {path} from the app of before", before.get(path).status, 200)
        gone = before.delete(f"/users/{bob['id']}")
        _expect(apps, "DELETE /users/{id}, the app of before", gone.status, 204)
    apps.same_schema(
        "users", "posts", parts=ALL, why="The migration adds a column, and changes nothing else."
    )
    rows = {row["username"]: row["display_name"] for row in apps.yours.sql(NAMES)}
    _expect(apps, "The display_name of the row that the app of before made", rows.get("ann"), None)
    apps.yours.sql("DELETE FROM posts")
    apps.yours.sql("DELETE FROM users WHERE username = 'ann'")
    alembic(apps, "downgrade", point.before)
    expect_no_column(apps, "users", "display_name", "alembic downgrade", "downgrade() undoes upgrade().")
    apps.same_rows(USERS, why="The way back removes the column, and no row.")
    apps.same_schema("users", "posts", parts=ALL, why="The way back removes the column and nothing else.")


@step("5.10", databases=["postgresql"])
def test_the_script_fills_the_names_in(apps: Apps) -> None:
    """alembic upgrade head --sql still prints a script that psql runs to the same tables."""
    _expect_the_script(apps, find_expand(apps))


def _fits_the_newest_app(walked: History, revision: str) -> bool:
    """Whether no migration after this one adds a column, which the newest app would then ask for."""
    here, newest = dict(walked.states)[revision], walked.states[-1][1]
    return all(here[name]["columns"].keys() == newest[name]["columns"].keys() for name in ("users", "posts"))


SUITS_BOTH = (
    "While both serve, the table must suit both: nothing that the old app knows changes, and it need not "
    "fill in what is new."
)


def _expect(apps: Apps, asked: str, yours: object, expected: object, why: str = SUITS_BOTH) -> None:
    apps.expect(yours == expected, asked, expected=expected, yours=yours, why=why)


@step("5.10")
def test_the_new_app_has_display_names(apps: Apps) -> None:
    """A user has the display name that was given, or else the username."""
    if not go_to_the_newest(apps, "users.display_name", _has("users", "display_name")):
        return
    chosen = "Ann A. with 50 characters".ljust(50, ".")
    apps.post("/users", json=ANN | {"display_name": chosen}, why="UserCreate takes it, UserOut shows it.")
    apps.post("/users", json=BOB, why="Who gives none is shown by the username.")
    apps.same_rows(NAMES)
    eve = ANN | {"username": "eve", "email": "eve@example.com"}
    for bad in ("x" * 51, ""):
        why = "A display name has 1 to 50 characters."
        apps.post("/users", json={"display_name": bad} | eve, status_only=True, why=why)
    apps.post("/users", json={"display_name": "E"} | eve, why="One character is enough.")
    if apps.yours.schema()["users"]["columns"]["display_name"]["nullable"]:
        add_users(apps, "raw")
    answer = apps.get(
        "/users", status_only=True, why="The app of before leaves it NULL: UserOut must allow that."
    )
    shown = {user["username"]: user.get("display_name") for user in answer.yours}
    apps.expect(
        shown.get("ann") == chosen and shown.get("raw") in {None, "raw"},
        "GET /users",
        expected="each user with the display_name that is stored",
        yours=shown,
    )


# 5.11


@step("5.11")
def test_every_user_ends_up_with_a_name(apps: Apps) -> None:
    """Rows of the app of before get their name, the column is required, and nothing is lost."""
    _, walked = history(apps)
    point = find(
        apps,
        "users.display_name, NOT NULL",
        _is_required("display_name"),
        "One more migration: contract.",
        before=lambda one, place: one.first(_has("users", "display_name")) or place - 1,
    )
    expect_no_imports(apps)
    alembic(apps, "upgrade", point.before)
    add_users(apps, "left", "also_left")
    if point.last.yours != point.before.yours:
        apps.yours.run("alembic", "upgrade", point.last.yours)
    add_users(apps, "ann", display_name="Ann A.")
    add_posts(apps, "is_published", Hello=True, Draft=False)
    alembic(
        apps, "upgrade", point.at, why="The app of before has left rows without a name: UPDATE them first."
    )
    apps.same_rows(NAMES, why="Only rows without a display name get the username.")
    _expect_everything_kept(apps)
    ran = alembic(apps, "check", fails=None).yours
    apps.expect(
        not ran.code or not _fits_the_newest_app(walked, point.at.yours),
        "alembic check",
        expected="No new upgrade operations detected.",
        yours=(ran.output.strip().splitlines() or [ran.error])[-1][:200],
        why="Models and tables say the same at the end of a migration.",
    )
    alembic(apps, "downgrade", point.before)
    apps.same_schema("users.display_name", parts=["nullable"], why="downgrade() allows NULL again.")
    apps.same_rows(f"{NAMES} WHERE username = 'ann'", why="The way back changes no names.")
    _expect_everything_kept(apps)


@step("5.11", databases=["postgresql"])
def test_the_script_makes_all_of_it(apps: Apps) -> None:
    """alembic upgrade head --sql prints a script for all your migrations."""
    _expect_the_script(apps, find(apps, "users.display_name, NOT NULL", _is_required("display_name")))
