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
MADE = re.compile(
    r'^\s*CREATE\s+(?:ROLE|USER|GROUP|DATABASE)\s+"?(?!IF\b|MAPPING\b)(\w+)', re.IGNORECASE | re.MULTILINE
)
REMARK = re.compile(r"/\*.*?\*/", re.DOTALL)
WHY_PASSWORD = (
    "The password is a variable of psql. PASSWORD :'password' puts it in, in quotes: the colon stands before "
    "the quote. Inside other quotes, or between $$, psql replaces nothing. No password stands in the file "
    "itself."
)
WHY_NO_LOGIN = {
    "does not exist": "setup.sql makes two things: the role bloguser and the database blogdb.",
    "permission denied": "To come in, a role needs CONNECT on the database. Its owner has it.",
    "not permitted": "To log in, a role needs LOGIN. CREATE USER is CREATE ROLE with LOGIN.",
    "": "To log in, the role bloguser (in lower case) needs LOGIN and the password of the variable.",
}


def run_setup(apps: Apps) -> sa.URL:
    """Run the learner's setup.sql as an administrator; returns the URL of blogdb as bloguser.

    The names get the prefix of this check, for another run may do the same at this moment.
    """
    app = apps.yours
    file = app.folder / "setup.sql"
    apps.expect(file.exists(), "setup.sql", expected="a file in the lesson's folder", yours="no such file")
    text = file.read_text(encoding="utf-8", errors="replace")
    stranger = next((made for made in MADE.findall(REMARK.sub("", text)) if not OWN_NAMES.match(made)), "")
    apps.expect(
        not stranger,
        "The roles and databases that setup.sql makes",
        expected="the role bloguser and the database blogdb",
        yours=f"it makes {stranger}",
        why="Use these names, in lower case. Any further role or database has a name that begins with one "
        "of them.",
    )
    problem, statements = run_psql(app)
    asked = f'psql -v ON_ERROR_STOP=1 -v password="{PASSWORD}" -f setup.sql'
    apps.expect(
        not problem,
        asked,
        expected="every statement works",
        yours=problem.replace(app.prefix, ""),
        why=WHY_PASSWORD if "PASSWORD" in problem.upper() else "",
    )
    with_password = [line for line in statements.splitlines() if "password" in line.lower()]
    apps.expect(
        IN_QUOTES in statements,
        asked,
        expected=f"the password in the statement is {IN_QUOTES}",
        yours=with_password[0].replace(app.prefix, "").strip()
        if with_password
        else "no statement gives a role a password",
        why=WHY_PASSWORD,
    )
    return app.url.set(username=f"{app.prefix}bloguser", password=PASSWORD, database=f"{app.prefix}blogdb")


def run_psql(app: App) -> tuple[str, str]:
    """Run setup.sql as the server's administrator; returns its first error, and the statements as sent."""
    folder = app.folder.with_name("script")
    for file in app.folder.rglob("*.sql"):  # it may include others
        script = OWN_NAMES.sub(rf"{app.prefix}\1", file.read_text(encoding="utf-8", errors="replace"))
        target = folder / file.relative_to(app.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(script, encoding="utf-8")
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
    lines = done.stderr.splitlines()
    since = next((place for place, line in enumerate(lines) if "ERROR:" in line), None)
    if done.returncode and since is None:
        lines, since = [line for line in lines if "NOTICE:" not in line], 0
    if since is None:
        return "", done.stdout
    first = "\n".join(lines[since : since + 3]).removeprefix("psql:")
    return first or f"psql ends with {done.returncode}", done.stdout


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
        why=next(why for symptom, why in WHY_NO_LOGIN.items() if symptom in problem),
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
OPEN_TO_ALL = """
    SELECT 'in schema ' || nspname FROM pg_namespace
    WHERE has_schema_privilege('public', oid, 'CREATE')
      AND current_setting('server_version_num')::int >= 150000
    UNION ALL
    SELECT 'in schemas of its own' WHERE has_database_privilege('public', current_database(), 'CREATE')
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
        places = connection.scalars(sa.text(OPEN_TO_ALL)).all()
    apps.expect(
        not places,
        "Who may make tables in blogdb, after setup.sql",
        expected="bloguser and nobody else",
        yours=f"every role (PUBLIC), {', '.join(places)}",
        why="PUBLIC means every role of the server, today's and tomorrow's. Grant to bloguser alone.",
    )
