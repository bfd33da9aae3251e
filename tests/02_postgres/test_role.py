"""Step 2.3: setup.sql is really run, and the app is started as the role that it makes."""

import re
import subprocess

import sqlalchemy as sa

from workshop import postgres
from workshop.checks import App, Apps, step
from workshop.verdicts import Unavailable

PASSWORD = "it's a s3cret"
IN_QUOTES = "'it''s a s3cret'"
SCRIPT_SECONDS = 20
OWN_NAMES = re.compile(r"(?<!\w)(bloguser|blogdb)", re.IGNORECASE)


def run_setup(apps: Apps) -> sa.URL:
    """Run the learner's setup.sql as an administrator; returns the URL of blogdb as bloguser.

    The names get the prefix of this check, for another run may do the same at this moment.
    """
    app = apps.yours
    file = app.folder / "setup.sql"
    apps.expect(file.exists(), "setup.sql", expected="a file in the lesson's folder", yours="no such file")
    script = OWN_NAMES.sub(rf"{app.prefix}\1", file.read_text(encoding="utf-8", errors="replace"))
    problem, statements = run_psql(app, script)
    asked = f'psql -v ON_ERROR_STOP=1 -v password="{PASSWORD}" -f setup.sql'
    apps.expect(not problem, asked, expected="every statement works", yours=problem.replace(app.prefix, ""))
    with_password = [line for line in statements.splitlines() if "password" in line.lower()]
    apps.expect(
        IN_QUOTES in statements,
        asked,
        expected=f"the password in the statement is {IN_QUOTES}",
        yours=with_password[0].replace(app.prefix, "").strip()
        if with_password
        else "no statement gives a role a password",
        why="The password is a variable of psql. PASSWORD :'password' puts it in, in quotes: the colon "
        "stands before the quote. No password stands in the file itself.",
    )
    return app.url.set(username=f"{app.prefix}bloguser", password=PASSWORD, database=f"{app.prefix}blogdb")


def run_psql(app: App, script: str) -> tuple[str, str]:
    """Run a script as the server's administrator; returns its first error, and the statements as sent."""
    folder = app.folder.with_name("script")
    folder.mkdir()
    (folder / "setup.sql").write_text(script, encoding="utf-8")
    program = postgres.psql()
    if program is None:
        raise Unavailable("psql is missing: install PostgreSQL's client programs")
    address = app.url.set(drivername="postgresql").render_as_string(hide_password=False)
    options = ["-X", "-w", "-q", "-e", "-v", "ON_ERROR_STOP=1", "-v", f"password={PASSWORD}"]
    try:
        done = subprocess.run(
            [program, *options, "-f", "setup.sql", address],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SCRIPT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done within {SCRIPT_SECONDS} s", ""
    errors = [line for line in done.stderr.splitlines() if "NOTICE:" not in line]
    first = "\n".join(errors[:3]).removeprefix("psql:") or f"psql ends with {done.returncode}"
    return first if done.returncode else "", done.stdout


def problem_with(url: sa.URL, *statements: str) -> str:
    """Log in there and run the statements; returns what the server refuses, or ''."""
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg2"), poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError as error:
        lines = str(error.orig).splitlines()
        return lines[0].partition("FATAL:  ")[2] or lines[0]
    return ""


def expect_login(apps: Apps, url: sa.URL) -> None:
    """bloguser can log in to blogdb."""
    problem = problem_with(url)
    apps.expect(
        not problem,
        f'Log in as bloguser, after psql -v password="{PASSWORD}" -f setup.sql',
        expected="the server lets bloguser in",
        yours=problem.replace(apps.yours.prefix, ""),
        why="To log in, a role needs LOGIN (CREATE USER has it), its password, and CONNECT on the database.",
    )


@step("2.3", databases=["postgresql"])
def test_the_app_runs_as_bloguser(apps: Apps) -> None:
    """After setup.sql, the app logs in as bloguser, makes its tables, writes and reads."""
    url = run_setup(apps)
    expect_login(apps, url)
    problem = problem_with(url, "CREATE TABLE try_out (id integer)", "DROP TABLE try_out")
    apps.expect(
        not problem,
        "CREATE TABLE, in blogdb as bloguser",
        expected="the table is made",
        yours=problem.replace(apps.yours.prefix, ""),
        why="A table lives in a schema, and since PostgreSQL 15 only the owner of a database may make tables "
        "in its schema public. GRANT ... ON DATABASE says nothing about schemas. Make bloguser the owner of "
        "blogdb.",
    )
    apps.yours.start({"DATABASE_URL": url.render_as_string(hide_password=False)})
    ann = apps.post("/users", json={"username": "Ann"})
    apps.post("/posts", json={"title": "Hello", "owner_id": ann["id"]})
    apps.get("/posts")


TOO_MUCH = """
    SELECT CASE WHEN rolname = :role THEN 'bloguser' ELSE 'its role ' || rolname END AS role,
           concat_ws(', ', CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END,
                     CASE WHEN rolcreaterole THEN 'CREATEROLE' END) AS rights
    FROM pg_roles
    WHERE (rolsuper OR rolcreatedb OR rolcreaterole) AND pg_has_role(:role, oid, 'MEMBER')
    ORDER BY rolname <> :role
"""
OPEN_SCHEMAS = """
    SELECT nspname FROM pg_namespace
    WHERE has_schema_privilege('public', oid, 'CREATE')
      AND current_setting('server_version_num')::int >= 150000
"""


@step("2.3", databases=["postgresql"])
def test_bloguser_may_do_nothing_else(apps: Apps) -> None:
    """bloguser is no superuser and makes no databases or roles, and nobody else may make tables in blogdb."""
    url = run_setup(apps)
    expect_login(apps, url)
    prefix = apps.yours.prefix
    too_much = apps.yours.sql(TOO_MUCH, role=url.username)
    apps.expect(
        not too_much,
        "What bloguser may do on the server, after setup.sql",
        expected="no SUPERUSER, no CREATEDB, no CREATEROLE",
        yours="".join(f"{row['role']} has {row['rights']}" for row in too_much[:1]).replace(prefix, ""),
        why="Whoever takes over your app can do what its role may do. A superuser can even run programs on "
        "the server.",
    )
    engine = sa.create_engine(
        apps.yours.url.set(drivername="postgresql+psycopg2", database=url.database), poolclass=sa.NullPool
    )
    with engine.connect() as connection:
        schemas = connection.scalars(sa.text(OPEN_SCHEMAS)).all()
    apps.expect(
        not schemas,
        "Who may make tables in blogdb, after setup.sql",
        expected="bloguser and nobody else",
        yours=f"every role (PUBLIC), in schema {', '.join(schemas)}",
        why="PUBLIC means every role of the server, today's and tomorrow's. Grant to bloguser alone.",
    )
