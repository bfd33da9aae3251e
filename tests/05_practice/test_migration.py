"""Steps 5.12 and 5.13: an app on either database, and the migration that makes its tables."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from workshop.checks import Apps, Both, step
from workshop.verdicts import Failure

NO_VARIABLE = {"DATABASE_URL": None}
CATEGORY = "INSERT INTO categories (id, name) VALUES (1, 'Books')"
PRODUCT = "INSERT INTO products (name, price, category_id) VALUES ('Atlas', 0, 1), ('Globe', 99999999.99, 1)"


# 5.12


@step("5.12")
def test_the_app_is_on_the_database_of_its_environment(apps: Apps) -> None:
    """GET /health asks the database that DATABASE_URL names, and tells its kind."""
    apps.alembic("upgrade", "head", fails=None)  # an app of a later step may want its tables before it serves
    apps.start(why="DATABASE_URL is sqlite:///... or postgresql://..., and the installed driver is psycopg2.")
    with apps.recorded() as statements:
        apps.get(
            "/health", why="engine.dialect.name is sqlite or postgresql, for the engine of DATABASE_URL."
        )
    apps.expect(
        bool(statements.yours),
        "GET /health",
        expected="at least one SQL statement, such as SELECT 1",
        yours="no statement",
        why="An answer that never asked the database says nothing about it.",
    )


@step("5.12", databases=["sqlite"])
def test_without_the_variable_it_is_a_file_of_the_app(apps: Apps) -> None:
    """Without DATABASE_URL the app is on SQLite, and leaves no database in the folder it is started from."""
    apps.alembic("upgrade", "head", environment=NO_VARIABLE, fails=None)
    why = "Without DATABASE_URL the app works on a SQLite file in its own folder."
    apps.start(NO_VARIABLE, cwd="elsewhere", why=why)
    apps.get("/health", why=why)
    apps.expect(
        any(_is_database(file) for file in _files(apps.yours.folder)),
        "Starting the app without DATABASE_URL, and GET /health",
        expected="a SQLite file in the app's own folder",
        yours="there is none",
        why="The database lies elsewhere, or in memory. Build the path from __file__.",
    )
    strays = [file.name for file in _files(apps.yours.folder / "elsewhere") if _is_database(file)]
    apps.expect(
        not strays,
        "Starting the app from a folder named elsewhere, without DATABASE_URL",
        expected="the database is a file in the app's own folder",
        yours=f"it is elsewhere/{', '.join(strays)}",
        why="A relative path begins where the app is started. Build the path from __file__.",
    )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _is_database(file: Path) -> bool:
    """Whether it is a SQLite file; an empty one is known by its name."""
    with file.open("rb") as opened:
        begin = opened.read(16)
    return begin == b"SQLite format 3\0" or (not begin and file.suffix not in {".py", ".log", ".txt"})


# 5.13


@step("5.13")
def test_the_migration_makes_the_tables(apps: Apps) -> None:
    """alembic upgrade head makes the two tables, and starting the app makes none."""
    with suppress(Failure):  # an app may refuse an empty database, or answer with errors
        apps.yours.start()
        apps.yours.get("/categories")
    apps.yours.stop()
    with apps.yours.connection() as connection:
        made = sorted(sa.inspect(connection).get_table_names())
    apps.expect(
        not made,
        "Starting the app on an empty database, and GET /categories",
        expected="no table is made: that is the migration's work",
        yours=f"it made {', '.join(made)}",
        why="Alembic doesn't know of tables that create_all made, and its first upgrade fails. Leave it out.",
    )
    prepared = "The checks run this in your folder, as alembic init prepares it. DATABASE_URL may hold a %."
    apps.alembic("upgrade", "head", why=prepared)
    why = "The README's table of columns says what they are."
    if "categories" not in apps.yours.schema():
        why = (
            "The migration is empty: made without the models, or while the tables were there. Make it again."
        )
        if other := _other_databases(apps):
            why = f"The tables are in {other}. env.py must use the URL of DATABASE_URL, as the app does."
    keys = ("categories.id", "products.id", "products.category_id")
    apps.same_schema(*keys, parts=["nullable", "default", "primary key"], why=why)
    columns = ("categories.name", "categories.description", "products.name", "products.price")
    apps.same_schema(*columns, "products.stock", parts=["type", "nullable"], why=why)
    why = "server_default= is filled in by the database, for everyone; default= by SQLAlchemy only."
    apps.same_schema(*columns, "products.stock", parts=["default"], why=why)
    apps.same_schema("products.created_at", parts=["nullable", "default"], why=f"{why} It is func.now().")


def _other_databases(apps: Apps) -> str:
    """The names of SQLite files in the app's folder that aren't the database of the check."""
    files = [file for file in _files(apps.yours.folder) if _is_database(file) and file.stat().st_size]
    return ", ".join(file.name for file in files if str(file) != apps.yours.url.database)


@step("5.13")
def test_the_database_keeps_its_rules(apps: Apps) -> None:
    """The database itself refuses what must not be, and has an index on the foreign key."""
    apps.alembic("upgrade", "head")
    apps.sql(CATEGORY)
    why = "The stock has a default, a price of 0 and one of 99999999.99 are allowed, in one category."
    apps.sql(PRODUCT, why=why)
    apps.same_rows("SELECT stock FROM products")
    refused = {
        "INSERT INTO categories (name) VALUES ('Books')": "The name of a category is unique.",
        "INSERT INTO products (name, price, category_id) VALUES ('Lost', 1, 4711)": "It is a foreign key.",
        "UPDATE products SET price = -0.01": "CHECK (price >= 0): a CheckConstraint of the table.",
        "UPDATE products SET stock = -1": "CHECK (stock >= 0): a CheckConstraint of the table.",
        "DELETE FROM categories": "A category that has products stays: no ON DELETE rule, or RESTRICT.",
    }
    for statement, why in refused.items():
        apps.expect(
            _is_refused(apps, statement),
            statement,
            expected="the database refuses it",
            yours="it is done",
            why=f"{why} It must be in the migration, too.",
        )
    indexes = [index["columns"] for index in apps.yours.schema()["products"]["indexes"]]
    apps.expect(
        any(columns[:1] == ["category_id"] for columns in indexes),
        "What the database says of its tables: products.category_id",
        expected="an index",
        yours="no index",
        why="SQLite and PostgreSQL don't index a foreign key by themselves: index=True.",
    )


def _is_refused(apps: Apps, statement: str) -> bool:
    """Whether the learner's database refuses a statement. Nothing of it stays."""
    try:
        with apps.yours.connection() as connection:
            if apps.database == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.execute(sa.text(statement))
            connection.rollback()
    except sa.exc.IntegrityError:
        return True
    return False


def _with_percent_sign(apps: Apps) -> dict[str, Any]:
    """DATABASE_URL with a letter of the user's name encoded. The reference takes its own file instead."""
    url = apps.yours.url
    text = url.render_as_string(hide_password=False)
    if url.username:
        first, rest = url.username[0], url.username[1:]
        text = text.replace(f"://{first}{rest}", f"://%{ord(first):X}{rest}", 1)
    return {"DATABASE_URL": Both("", text)}


def _with_password(apps: Apps) -> dict[str, Any]:
    """DATABASE_URL of somebody who must give a password with a % in it, and may read."""
    if apps.database == "sqlite":
        return _with_percent_sign(apps)
    role, password = f"{apps.yours.prefix}ann", "p@ss%word"
    with apps.yours.connection() as connection:
        connection.execute(sa.text(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'"))
        connection.execute(sa.text(f"GRANT SELECT ON alembic_version TO {role}"))
    url = apps.yours.url.set(username=role, password=password)
    return {"DATABASE_URL": Both("", url.render_as_string(hide_password=False))}


@step("5.13")
def test_the_migration_goes_down_and_up(apps: Apps) -> None:
    """The migration goes down to nothing and up to the same again, and alembic check is clean."""
    apps.alembic("upgrade", "head")
    first = apps.yours.schema()
    apps.alembic("downgrade", "base", why="downgrade() undoes what upgrade() does, in the opposite order.")
    left = sorted(apps.yours.schema().keys() - {"alembic_version"})
    apps.expect(
        not left,
        "alembic downgrade base",
        expected="no table is left but alembic_version",
        yours=f"{', '.join(left)} is left",
        why="downgrade() undoes what upgrade() does, in the opposite order.",
    )
    again = "After a downgrade to base, an upgrade makes the same tables as the first one."
    percent = _with_percent_sign(apps)
    apps.alembic("upgrade", "head", environment=percent, why=f"{again} The URL holds a % here.")
    same = apps.yours.schema() == first
    apps.expect(
        same, "alembic upgrade head, once more", expected="the same tables", yours="others", why=again
    )
    apps.alembic(
        "check",
        environment=_with_password(apps),
        why="It compares your models with the database. target_metadata in env.py must know the models: "
        "import them there. Then make model and migration say the same. (The URL holds a password here, with "
        "a %. str(url) has three stars in its place.)",
    )
