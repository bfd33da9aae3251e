"""Databases of a run: real runs on a real server, and what is left when they end in every way."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2  # type: ignore[import-untyped]
import pytest

from workshop import pgserver
from workshop.databases import PostgresDatabases
from workshop.postgres import ServerError, connect, execute

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
NAMES = "SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles"
# A run that makes a database and a role that owns something in it, says so, and goes on for ever.
RUN = """
import sys, threading
from workshop.databases import PostgresDatabases
from workshop.postgres import connect, execute
databases = PostgresDatabases(sys.argv[1])
url = databases.create()
role = f"{databases.prefix}ann"
execute(connect(url), f"CREATE ROLE {role}; CREATE SCHEMA hers AUTHORIZATION {role}")
print(url, flush=True)
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[pgserver.Server]:
    memory = pgserver.MEMORY.is_dir() and shutil.disk_usage(pgserver.MEMORY).free > 2 << 30
    folder = Path(
        tempfile.mkdtemp(dir=pgserver.MEMORY if memory else "/var/tmp" if pgserver.ACCOUNT else None)
    )
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WORKSHOP_POSTGRES_URL", raising=False)
        patch.setenv("WORKSHOP_CACHE", str(folder))
        server = pgserver.here()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def url(server: pgserver.Server) -> Iterator[str]:
    """The server's address. Nothing may be left on it at the end."""
    yield server.start(pytest.fail)
    assert not left(server.start(pytest.fail))


@pytest.fixture
def databases(url: str) -> Iterator[PostgresDatabases]:
    databases = PostgresDatabases(url)
    yield databases
    databases.close()


def query(url: str, statement: str) -> list[Any]:
    with closing(connect(url)) as connection:
        return [row[0] for row in execute(connection, statement)]


def run(url: str, statement: str) -> None:
    with closing(connect(url)) as connection:
        execute(connection, statement)


def left(url: str) -> list[str]:
    return [name for name in query(url, NAMES) if name.startswith("workshop_")]


def begin(url: str) -> tuple[subprocess.Popen[str], str]:
    """Begin a run of its own, and return it with the address of its database."""
    command = [sys.executable, "-P", "-c", RUN, url]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    return process, process.stdout.readline().strip()


def test_every_database_is_new_and_empty(databases: PostgresDatabases) -> None:
    first, second = databases.create(), databases.create()
    assert re.search(rf"^postgresql://postgres@.*/{databases.prefix}1\b", first)
    assert re.fullmatch(r"workshop_[0-9a-f]{8}_", databases.prefix)
    run(first, "CREATE TABLE posts (id int)")
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert query(first, tables) == ["posts"]
    assert query(second, tables) == []


def test_a_dropped_database_is_gone_even_if_in_use(databases: PostgresDatabases, url: str) -> None:
    database = databases.create()
    with closing(psycopg2.connect(database)) as user, user.cursor() as cursor:
        databases.drop(database)
        databases.close()
        with pytest.raises(psycopg2.OperationalError):
            cursor.execute("SELECT 1")


def test_only_its_own_databases_are_dropped(databases: PostgresDatabases, url: str) -> None:
    for other in (url, f"{url}/workshop_00000000_1"):
        with pytest.raises(ValueError, match="no such database"):
            databases.drop(other)


def test_many_threads_get_different_databases(databases: PostgresDatabases) -> None:
    with ThreadPoolExecutor(8) as pool:
        urls = list(pool.map(lambda _: databases.create(), range(16)))
    assert len(set(urls)) == 16
    for url in urls:
        databases.drop(url)


def test_closing_removes_databases_and_roles(databases: PostgresDatabases, url: str) -> None:
    databases.create()
    owner, user = f"{databases.prefix}owner", f'{databases.prefix}50% "user"'.replace('"', '""')
    run(url, f'CREATE ROLE {owner} CREATEDB LOGIN; CREATE ROLE "{user}" IN ROLE {owner}')
    run(url, f"CREATE DATABASE {databases.prefix}shop OWNER {owner}")
    run(url, f'GRANT pg_read_all_data TO {owner}; GRANT ALL ON SCHEMA public TO "{user}"')
    run(url, f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT ON TABLES TO PUBLIC")
    databases.close()
    assert not left(url)
    databases.close()


def test_a_killed_run_is_cleaned_up_by_the_next(url: str, databases: PostgresDatabases) -> None:
    living = databases.create()
    process, database = begin(url)
    assert query(database, "SELECT 1") == [1]
    process.kill()
    process.communicate()
    holds = f"SELECT 1 FROM pg_locks WHERE objid = {number(database)}"
    makes = f"SELECT 1 FROM pg_stat_activity WHERE query ~ 'CREATE .*_{number(database):08x}_'"
    while query(url, f"{holds} UNION ALL {makes} AND pid <> pg_backend_pid()"):
        pass  # the server has not noticed yet
    PostgresDatabases(url).close()
    assert all(name.startswith(databases.prefix) for name in left(url))
    assert query(living, "SELECT 1") == [1]


def number(database: str) -> int:
    [digits] = re.findall("workshop_([0-9a-f]{8})_", database)
    return int(digits, 16)


def test_a_run_is_alive_whatever_database_it_logs_in_to(url: str, databases: PostgresDatabases) -> None:
    living = databases.create()
    PostgresDatabases(url.replace("/postgres?", "/template1?")).close()
    assert query(living, "SELECT 1") == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no Ctrl-C to one process")
def test_nothing_is_left_after_ctrl_c(url: str) -> None:
    process, database = begin(url)
    assert query(database, "SELECT 1") == [1]
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert not left(url)


def test_a_run_that_forgets_to_close_leaves_nothing(url: str) -> None:
    code = RUN.replace("threading.Event().wait()", "")
    subprocess.run([sys.executable, "-P", "-c", code, url], env=ENVIRONMENT, check=True)
    assert not left(url)


@pytest.fixture
def as_user(url: str) -> Iterator[Callable[[str], str]]:
    """Return the server's address for a new user with the given rights."""

    def make(rights: str) -> str:
        run(url, f"CREATE ROLE teacher LOGIN {rights} PASSWORD 's3cret'")
        return url.replace("postgres@", "teacher:s3cret@")

    yield make
    run(url, "DROP ROLE IF EXISTS teacher")


def test_a_user_who_may_not_create_databases(as_user: Callable[[str], str]) -> None:
    with pytest.raises(ServerError) as caught:
        PostgresDatabases(as_user("NOCREATEDB"))
    assert str(caught.value) == (
        "The user teacher of WORKSHOP_POSTGRES_URL may not create databases. "
        'An administrator can allow it: ALTER ROLE "teacher" CREATEDB'
    )


def test_an_ordinary_user_who_may_create_databases_and_roles(as_user: Callable[[str], str], url: str) -> None:
    databases = PostgresDatabases(as_user("CREATEDB CREATEROLE"))
    database = databases.create()
    run(database, f"CREATE ROLE {databases.prefix}ann; CREATE TABLE posts (id int)")
    run(database, f"GRANT SELECT ON posts TO {databases.prefix}ann")
    databases.close()
    assert not left(url)


def test_a_server_that_ends_during_the_run(server: pgserver.Server, url: str) -> None:
    databases = PostgresDatabases(url)
    databases.drop(databases.create())
    server.stop()
    with pytest.raises(ServerError, match="PostgreSQL did not run 'CREATE DATABASE"):
        [databases.create() for _ in range(10)]  # the first ones are ready
    databases.close()
    next_run = PostgresDatabases(server.start(pytest.fail))
    assert query(next_run.create(), "SELECT 1") == [1]
    next_run.close()
