"""A learner's app as the grader sees it: started in a process of its own, asked over HTTP, then thrown away.

An `App` is one folder with one database, whatever process serves it at the moment.
"""

import inspect
import json
import os
import re
import secrets
import shutil
import signal
import sqlite3
import stat
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Never

import httpx
import sqlalchemy as sa

from workshop import processes
from workshop.compare import show
from workshop.host import ERROR_HEADER, TRACEBACK_MARK
from workshop.processes import Host, Process
from workshop.reflect import read_schema
from workshop.verdicts import Failure, Finding, Frame, Unavailable

REQUEST_SECONDS = float(os.environ.get("WORKSHOP_REQUEST_SECONDS", "5"))

_LEFT_BEHIND = ("__pycache__", ".*", "venv", "node_modules", "*.db", "*.db-*", "*.sqlite*", "*.egg-info")
_LAST_WORDS_SECONDS = 2.0
_WHERE_SECONDS = 3.0  # a busy app is slow to tell what it does
_UVICORN_RUN = (
    'Put uvicorn.run under  if __name__ == "__main__":  so that importing main.py does not start a server.'
)
_LARGEST_BODY = 5 * 2**20  # bytes of an answer
_SHOWN_OUTPUT = 2**16  # characters of output that are looked at
_LARGEST = 20 * 2**20  # bytes of a lesson folder
_SERVER_LINE = re.compile(
    r"INFO:\s+(Started server process|Waiting for application|Application startup complete|Uvicorn running|"
    r"Shutting down|Finished server process|Application shutdown)|ERROR:\s+Application startup failed"
)
_PROGRAMS = ("pg_dump:", "pg_restore:", "psql:")
_NOISE = re.compile(
    _SERVER_LINE.pattern
    + r"|(ERROR:\s+)?Traceback \(most|ERROR:\s+Exception in ASGI|  File |    |  \[Previous line"
    r"|During handling of the above|The above exception"
)


_target = threading.local()  # .url: the database that the next connection leads to


@cache
def _engine(kind: str) -> sa.Engine:
    """One engine for all databases of a kind: what SQLAlchemy compiles for one, it knows for all."""
    if kind == "sqlite":
        return sa.create_engine("sqlite://", poolclass=sa.NullPool, creator=_connect_to_sqlite)
    return sa.create_engine("postgresql+psycopg2://", poolclass=sa.NullPool, creator=_connect_to_postgres)


def _connect_to_sqlite() -> Any:
    return sqlite3.connect(_target.url.database)


def _connect_to_postgres() -> Any:
    import psycopg2  # type: ignore[import-untyped]

    given = _target.url.query.get("options", "")
    options = f"{given} -c lock_timeout=5s -c statement_timeout=20s"  # an app may hold a lock for ever
    return psycopg2.connect(_target.url.render_as_string(hide_password=False), options=options)


class Submission:
    """A folder with a version of a lesson, as it is at this moment. What is saved later isn't seen."""

    def __init__(self, folder: Path, files: Mapping[str, str] | None = None, pool: str = "") -> None:
        """The files of `folder`; or `files` instead of them, as relative path → text.

        Submissions of the same `pool` may be served by the same processes, one after another.
        """
        self.folder = folder
        self.pool = pool or secrets.token_hex(8)
        self._files = {path: text.encode() for path, text in files.items()} if files is not None else None

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Relative path → content. Databases, caches, environments and hidden files stay behind."""
        if self._files is not None:
            return self._files
        found: dict[str, bytes] = {}
        size = 0
        ignore = shutil.ignore_patterns(*_LEFT_BEHIND)
        for parent, folders, names in os.walk(self.folder):
            left = ignore(parent, [*folders, *names])
            folders[:] = sorted(name for name in folders if name not in left and not _is_venv(parent, name))
            for name in sorted(set(names) - left):
                path = Path(parent, name)
                with suppress(OSError):
                    status = path.stat()
                    if not stat.S_ISREG(status.st_mode):
                        continue
                    size += status.st_size
                    if size > _LARGEST:
                        raise Unavailable(
                            f"{self.folder.name}/ holds more than 20 MB; it should hold only code"
                        )
                    found[path.relative_to(self.folder).as_posix()] = path.read_bytes()
        return found

    def copy_to(self, folder: Path) -> None:
        """Write the files below `folder`."""
        for path, content in self.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def _is_venv(parent: str, name: str) -> bool:
    return Path(parent, name, "pyvenv.cfg").exists()


@dataclass(frozen=True)
class Answer:
    """An app's answer to one request."""

    asked: str
    status: int
    body: Any
    headers: Mapping[str, str]  # names in lower case
    frames: tuple[Frame, ...] = ()
    error: str = ""

    def __getitem__(self, key: Any) -> Any:
        return self.body[key]


@dataclass(frozen=True)
class Refusal:
    """How an app refused to start: the last error's text, and everything it printed."""

    message: str
    output: str


@dataclass(frozen=True)
class Ran:
    """How a command ended: its exit code, what it printed, its messages, and the exception that ended it."""

    code: int
    output: str
    messages: str = ""  # what it printed as errors: its log too
    error: str = ""
    frames: tuple[Frame, ...] = ()


class Requests:
    """The short names of HTTP's methods, for whatever can send a request."""

    def request(self, method: str, path: str, **keywords: Any) -> Answer:
        """Send one request."""
        raise NotImplementedError

    def get(self, path: str, **keywords: Any) -> Answer:
        """Send a GET request."""
        return self.request("GET", path, **keywords)

    def post(self, path: str, **keywords: Any) -> Answer:
        """Send a POST request."""
        return self.request("POST", path, **keywords)

    def put(self, path: str, **keywords: Any) -> Answer:
        """Send a PUT request."""
        return self.request("PUT", path, **keywords)

    def patch(self, path: str, **keywords: Any) -> Answer:
        """Send a PATCH request."""
        return self.request("PATCH", path, **keywords)

    def delete(self, path: str, **keywords: Any) -> Answer:
        """Send a DELETE request."""
        return self.request("DELETE", path, **keywords)


class App(Requests):
    """One folder with one database, and the process that serves it, which can be restarted."""

    def __init__(
        self,
        host: Host,
        submission: Submission,
        folder: Path,
        url: sa.URL,
        client: httpx.Client,
        environment: Mapping[str, str | None] | None = None,
        prefix: str = "",
        *,
        fresh: bool = True,
    ) -> None:
        self.folder = folder / "app"
        self.url = url
        self.prefix = prefix  # for the names of databases and roles that a check makes
        self._host, self._submission, self._client = host, submission, client
        self._given = dict(environment or {})
        self.folder.mkdir(parents=True)
        submission.copy_to(self.folder)
        self._environment: dict[str, str | None] = {}
        self._cwd = self.folder
        self._output = folder / "output.txt"
        self._process: Process | None = None
        self._fresh = fresh
        self.reused = False  # whether any of its processes has served another app before
        self._port: int | None = None
        self._printed_before = 0  # characters of output of earlier starts
        self.answered: Answer | None = None  # the last answer to a request
        self._printed_at_start = 0  # characters of output until it served
        self._last_event: dict[str, Any] = {}
        self._commands = 0

    # Starting and stopping

    @property
    def running(self) -> bool:
        """Whether the app serves."""
        return self._port is not None

    def start(
        self,
        environment: Mapping[str, str | None] | None = None,
        files: Mapping[str, str] | None = None,
        cwd: str = "",
        lifespan: bool = True,
    ) -> None:
        """Start the app and wait until it serves. A changed environment stays for later restarts.

        `cwd` is the working folder, relative to the app's; it is made if need be. Without `lifespan` the
        app is imported and served, but its start-up code doesn't run.
        """
        self.launch(environment, files, cwd, lifespan)
        self.wait_until_ready()

    def launch(
        self,
        environment: Mapping[str, str | None] | None = None,
        files: Mapping[str, str] | None = None,
        cwd: str = "",
        lifespan: bool = True,
    ) -> None:
        """Begin to start the app, without waiting for it."""
        self.stop()
        self._printed_before = len(self.output)
        self._write(files or {})
        self._environment |= dict(environment or {})
        self._cwd = self.folder / cwd
        self._cwd.mkdir(exist_ok=True)
        self._check_that_main_exists()
        job = self._job(self._cwd, self._output) | {"lifespan": lifespan}
        self._process = self._host.start(job, pool=self._submission.pool, fresh=self._fresh)
        self.reused = self.reused or self._process.reused

    def _job(
        self, cwd: Path, output: Path, environment: Mapping[str, str | None] | None = None
    ) -> dict[str, Any]:
        """What the host must know of any process that runs in this folder."""
        return {
            "folder": str(self.folder),
            "cwd": str(cwd),
            "environment": {**self._given, **self._environment, **(environment or {})},
            "output": str(output),
            "token": secrets.token_hex(8),
        }

    def _check_that_main_exists(self) -> None:
        if (self.folder / "main.py").exists() or (self.folder / "main").is_dir():
            return
        there = ", ".join(sorted({path.partition("/")[0] for path in self._submission.files})) or "nothing"
        self._fail(
            "file missing",
            "no main.py",
            expected=f"main.py in {self._submission.folder.name}/",
            why=f"In the folder: {there}.",
        )

    def wait_until_ready(self) -> None:
        """Wait for a launched app; the check fails if it doesn't come up in time."""
        if self.running:
            return
        if self._process is None:
            self.launch()
        assert self._process
        if not self._process.connect():
            self._gone("Starting the app")
        event = self._process.read(processes.START_SECONDS)
        while event and "reply" in event:
            event = self._process.read(processes.START_SECONDS)
        if event is None:
            self._too_slow("start", processes.START_SECONDS, "Starting the app")
        elif event.get("event") == "ready":
            self._port = event["port"]
            self._printed_at_start = len(self.output)
        else:
            self._last_event = event
            self._gone("Starting the app")

    def stop(self) -> None:
        """End the process at once, as a power cut would. Folder and database stay."""
        if self._process is not None:
            self._host.kill(self._process)
        self._process = self._port = None
        self._last_event = {}

    def restart(self) -> None:
        """Shut the server down, as Ctrl-C does, and start it again on the same folder and database."""
        process = self._process
        if process is not None and self.running:
            process.shut_down(REQUEST_SECONDS)
        self.stop()
        if process is not None:
            self._host.status(process.number)
        self.start()

    def fails_to_start(
        self, environment: Mapping[str, str | None] | None = None, files: Mapping[str, str] | None = None
    ) -> Refusal:
        """Start the app and expect it to refuse; the check fails if it serves instead, or hangs."""
        try:
            self.start(environment, files)
        except Failure as failure:
            if failure.finding.kind in {"too slow", "file missing", "syntax error"}:
                raise
            output = self.output[self._printed_before :]
            return Refusal(message_of(output), output)
        expected = "the app refuses to start, with a clear error"
        return self._fail("difference", "it starts and serves", expected=expected)

    # Running commands

    @property
    def was_used(self) -> bool:
        """Whether a command has run, or the app serves: then there may be a database to look into."""
        return self.running or self._commands > 0

    def take_over(self, other: "App") -> None:
        """Go on from the database of another app of the same kind, and from the commands that made it."""
        if self.url.get_backend_name() == "sqlite":
            shutil.copyfile(str(other.url.database), str(self.url.database))
        self._commands = other._commands

    def run(
        self,
        *command: str,
        environment: Mapping[str, str | None] | None = None,
        files: Mapping[str, str | None] | None = None,
        cwd: str = "",
        fails: bool | None = False,
    ) -> Ran:
        """Run ``alembic …`` or a Python script of the folder, in a process of its own, and wait for its end.

        `files` are written before, or removed if their text is None; both stay. The check fails if the
        command fails; or, with `fails`, if it doesn't. With None either is right.
        """
        asked = " ".join(command)
        self._write(files or {})
        self._commands += 1
        (self.folder / cwd).mkdir(exist_ok=True)
        output = self._output.with_name(f"command-{self._commands}.txt")
        job = self._job(self.folder / cwd, output, environment) | {"command": list(command)}
        process = self._host.start(job)
        try:
            ran = self._result(process, output, asked)
        finally:
            self._host.kill(process)
        if fails is not None and bool(ran.code) != fails:
            self._fail_command(asked, ran, expected="it ends with an error" if fails else "")
        return ran

    def _write(self, files: Mapping[str, str | None]) -> None:
        for path, text in files.items():
            target = self.folder / path
            if text is None:
                target.unlink(missing_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")

    def _result(self, process: Process, output: Path, asked: str) -> Ran:
        event: dict[str, Any] | None = {} if not process.connect() else process.read(processes.START_SECONDS)
        while event and event.get("event") not in {"done", "exit"}:
            event = process.read(processes.START_SECONDS)
        if event is None:
            self._fail("too slow", f"it has not ended within {processes.START_SECONDS:g} s", asked=asked)
        error = f"{event['type']}: {event['message']}" if "type" in event else event.get("how", "")
        if "event" not in event:
            error = _ended(self._host.status(process.number), "the command")
        messages = output.with_name(output.name + ".errors")
        return Ran(event.get("code", 1), _read(output), _read(messages), error, _frames(event))

    def _fail_command(self, asked: str, ran: Ran, expected: str = "") -> Never:
        said = [line for line in f"{ran.messages}\n{ran.output}".splitlines() if line.strip()]
        yours = ran.error or (said[-1] if said and ran.code else f"it ends with exit code {ran.code}")
        if "CalledProcessError" in ran.error:  # what went wrong is what that program said
            yours = "\n".join([yours, *(line for line in said if line.startswith(_PROGRAMS))])
        yours = yours.replace(f"{self.folder}{os.sep}", "")
        raise Failure(Finding("error", asked, expected=expected, yours=yours, frames=ran.frames))

    # Asking

    def request(self, method: str, path: str, *, timeout: float | None = None, **keywords: Any) -> Answer:
        """Send one request; the check fails if no answer comes. A 500 carries the learner's frames."""
        self.wait_until_ready()
        asked = f"{method} {path}"
        if keywords.get("params"):
            asked += f"?{httpx.QueryParams(keywords['params'])}"
        if keywords.get("json") is not None:
            asked += " " + show(keywords["json"])
        response = self._send(method, path, timeout or REQUEST_SECONDS, asked, keywords)
        error = _error_of(response)
        message = f"{error['type']}: {error['message']}" if error else ""
        self.answered = Answer(
            asked, response.status_code, _body(response), dict(response.headers), _frames(error), message
        )
        return self.answered

    def _send(self, method: str, path: str, seconds: float, asked: str, keywords: Any) -> httpx.Response:
        """Send a request; an answer that never ends, or is far too large, fails the check too."""
        url, deadline, body = f"http://127.0.0.1:{self._port}{path}", time.monotonic() + seconds, bytearray()
        try:
            with self._client.stream(method, url, timeout=seconds, **keywords) as response:
                for part in response.iter_bytes():
                    body += part
                    if time.monotonic() > deadline:
                        self.stop()
                        self._fail(
                            "too slow", f"an answer that has not ended within {seconds:g} s", asked=asked
                        )
                    if len(body) > _LARGEST_BODY:
                        self.stop()
                        self._fail("difference", "an answer of more than 5 MB", asked=asked)
        except httpx.TimeoutException:
            self._too_slow("request", seconds, asked)
        except httpx.TransportError:
            self._gone(asked)
        headers = [(name, value) for name, value in response.headers.items() if name != "content-encoding"]
        return httpx.Response(response.status_code, headers=headers, content=bytes(body))

    def probe(self, function: Callable[..., Any], *modules: str, **arguments: Any) -> Any:
        """Run a function of the grader's inside the app's process, on its modules; returns JSON."""
        self.wait_until_ready()
        asked = sentence_of(function)
        source = textwrap.dedent(inspect.getsource(function))
        reply = self._ask(
            {
                "ask": "probe",
                "source": source,
                "name": function.__name__,
                "modules": modules,
                "arguments": arguments,
            },
            asked,
        )
        if error := reply.get("error"):
            frames = _frames(error)
            self._fail(
                "missing name" if error["type"] in {"AttributeError", "ImportError"} else "error",
                f"{error['type']}: {error['message']}",
                asked=asked,
                frames=frames,
            )
        return reply["value"]

    @contextmanager
    def recorded(self) -> Iterator[list[str]]:
        """A list that holds, after the block, the SQL statements that the app sent within it."""
        statements: list[str] = []
        since = self.count_statements()
        yield statements
        statements += self.statements(since)

    def count_statements(self) -> int:
        """How many SQL statements the app has sent so far."""
        return len(self.statements(0))

    def statements(self, since: int) -> list[str]:
        """The SQL statements that the app has sent, from number `since` on."""
        self.wait_until_ready()
        found: list[str] = self._ask({"ask": "statements", "since": since}, "SQL statements")["statements"]
        return found

    @property
    def output(self) -> str:
        """All that the app has printed and logged so far."""
        return _read(self._output)

    # The database

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """The grader's own connection to the app's database, in a transaction."""
        _target.url = self.url
        with _engine(self.url.get_backend_name()).begin() as connection:
            yield connection

    def sql(self, statement: str, /, **parameters: Any) -> list[dict[str, Any]]:
        """Run SQL on the grader's own connection and commit; returns the rows, if there are any."""
        if not self.was_used:
            self.wait_until_ready()
        self._check_that_database_exists(statement)
        try:
            with self.connection() as connection:
                result = connection.execute(sa.text(statement), parameters)
                return [dict(row) for row in result.mappings()] if result.returns_rows else []
        except sa.exc.DBAPIError as error:
            message = str(error.orig).strip().splitlines()[0]
            self._fail("difference", message, asked=statement, where="in your database")

    def schema(self) -> dict[str, Any]:
        """What the database says of its tables."""
        if not self.was_used:
            self.wait_until_ready()
        self._check_that_database_exists("What the database says of its tables")
        with self.connection() as connection:
            return read_schema(connection)

    def _check_that_database_exists(self, asked: str) -> None:
        file = self.url.database or ""
        if self.url.get_backend_name() == "sqlite" and not Path(file).exists():
            self._fail(
                "difference",
                f"there is no {Path(file).name}",
                asked=asked,
                expected=f"{Path(file).name} in the lesson's folder",
            )

    def close(self) -> None:
        """Let go of the process, which may serve another app."""
        if self.running and self._process:
            self._host.release(self._process)
            self._process = self._port = None
        self.stop()

    # What went wrong

    def _ask(self, question: dict[str, Any], asked: str, seconds: float = REQUEST_SECONDS) -> dict[str, Any]:
        assert self._process
        try:
            number = self._process.send(question)
        except OSError:
            self._gone(asked)
        while True:
            reply = self._process.read(seconds)
            if reply is None:
                self._too_slow("request", seconds, asked)
            if reply.get("reply") == number:
                return reply
            self._last_event = reply or self._last_event
            if not reply:
                self._gone(asked)

    def _too_slow(self, what: str, seconds: float, asked: str) -> Never:
        frames = self._where()
        self.stop()
        verb = "started" if what == "start" else "answered"
        doing = "it is still in this line" if frames else "it waits, as for a lock or a free connection"
        why = _UVICORN_RUN if frames and "uvicorn.run(" in frames[-1].code else ""
        self._fail(
            "too slow", f"not {verb} within {seconds:g} s: {doing}", asked=asked, frames=frames, why=why
        )

    def _where(self) -> tuple[Frame, ...]:
        """The learner's line that runs now, if the process can still tell."""
        assert self._process
        with suppress(OSError):
            number = self._process.send({"ask": "where"})
            while reply := self._process.read(_WHERE_SECONDS):
                if reply.get("reply") == number:
                    return _frames(reply)
        return ()

    def _gone(self, asked: str) -> Never:
        """Say how the process ended."""
        event = self._last_event
        while self._process and "event" not in event:
            event = self._process.read(1.0) or {"event": "none"}
        while self._process and self._process.read(_LAST_WORDS_SECONDS):
            continue  # until it has printed all it has to say, and ended
        kind, yours, expected = "ended", "", ""
        frames = _frames(event)
        if event.get("event") == "exit":
            yours = f"your code ends the whole program: {event['how']}"
        elif event.get("event") == "failed":
            kind, yours, expected = _failed(event)
        elif self._process is not None:
            yours = _ended(self._host.status(self._process.number))
            frames = self._crashed_at()
        self.stop()
        why = _UVICORN_RUN if frames and "uvicorn.run(" in frames[-1].code else ""
        self._fail(kind, yours, expected=expected, asked=asked, frames=frames, why=why)

    def _crashed_at(self) -> tuple[Frame, ...]:
        """The learner's line in which C code crashed, as the dying process wrote it down."""
        file = self._output.with_name(self._output.name + ".crash")
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        own = re.escape(os.path.realpath(self.folder) + os.sep)
        found = re.findall(rf'File "{own}([^"]+)", line (\d+) in (\S+)', text)
        return tuple(Frame(name, int(line), function.strip("<>")) for name, line, function in found[:1])

    def _fail(self, kind: str, yours: str, **details: Any) -> Never:
        details.setdefault("asked", "Starting the app")
        raise Failure(Finding(kind, yours=yours, output=self.printed, **details))

    @property
    def printed(self) -> str:
        """What the learner's own code printed, short enough to be shown."""
        output = self.output
        start, after = output[: self._printed_at_start], output[self._printed_at_start :]
        start = "".join(line for line in start.splitlines(keepends=True) if not line.startswith("INFO:"))
        shown = start + after
        cut = max(0, len(shown) - _SHOWN_OUTPUT)
        if shown[shown.rfind("\n", 0, cut) + 1 :].startswith(TRACEBACK_MARK):
            cut = shown.find("\n", cut) + 1  # half a line of a traceback would look like the learner's own
        return printed(shown[cut:].replace(f"{self.folder}{os.sep}", ""))


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def _failed(event: dict[str, Any]) -> tuple[str, str, str]:
    """The kind of a failure while importing or starting, what is there and what should be."""
    kind = event["kind"]
    if kind == "no app":
        return kind, "main.py has no `app`", "app = FastAPI(), for uvicorn main:app"
    if kind == "app is not an application":
        return "no app", "`app` in main.py is no application", "app = FastAPI(), for uvicorn main:app"
    if kind == "exit":
        doing = {"importing": "while main.py is imported", "starting": "in its start-up code"}
        return "ended", f"your code ends the whole program: sys.exit() {doing.get(event['while'], '')}", ""
    text = f"{event['type']}: {event['message']}"
    return (kind if kind in {"syntax error", "import error"} else "failed to start"), text, ""


def _error_of(response: httpx.Response) -> dict[str, Any]:
    """What the host tells of an unhandled exception, if it does."""
    try:
        error = json.loads(response.headers.get(ERROR_HEADER, "{}"))
        return error if isinstance(error, dict) and {"type", "message", "frames"} <= error.keys() else {}
    except ValueError:
        return {}


def _ended(status: int | None, what: str = "the app's process") -> str:
    if status is not None and status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"{what} was killed ({name})"
    return f"{what} ended by itself (exit code {status})"


def _frames(described: Mapping[str, Any]) -> tuple[Frame, ...]:
    return tuple(Frame(**frame) for frame in described.get("frames", []))


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text


def sentence_of(function: Callable[..., Any]) -> str:
    """What a probe does, in its author's words."""
    return (inspect.getdoc(function) or function.__name__.replace("_", " ")).splitlines()[0]


def message_of(output: str) -> str:
    """What a program that ended said, without the lines of tracebacks and of the server's own log."""
    lines = [line.removeprefix(TRACEBACK_MARK) for line in output.splitlines()]
    return "\n".join(line for line in lines if line.strip() and not _NOISE.match(line))


def printed(output: str, most: int = 8) -> str:
    """What the learner's own code printed: the last lines, without uvicorn's and without tracebacks."""
    kept = [
        line[:200]
        for line in output.split("\n")
        if line.strip() and not line.startswith(TRACEBACK_MARK) and not _SERVER_LINE.match(line)
    ]
    left = len(kept) - most
    return "\n".join(([f"… {left} lines before"] if left > 0 else []) + kept[-most:])
