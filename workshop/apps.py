"""A learner's app as the grader sees it: started in a process of its own, asked over HTTP, then thrown away.

`Host` is the grader's end of `host.py`. An `App` is one folder with one database, whatever process
serves it at the moment.
"""

import collections
import inspect
import itertools
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Never

import httpx
import sqlalchemy as sa

from workshop.reflect import read_schema
from workshop.verdicts import Failure, Finding, Frame, Unavailable

START_SECONDS = float(os.environ.get("WORKSHOP_START_SECONDS", "10"))
REQUEST_SECONDS = float(os.environ.get("WORKSHOP_REQUEST_SECONDS", "5"))

FORKS = hasattr(os, "fork")
_HOST_SCRIPT = Path(__file__).with_name("host.py")
_ERROR_HEADER = "x-workshop-error"
_LEFT_BEHIND = ("__pycache__", ".*", "venv", "node_modules", "*.db", "*.db-*", "*.sqlite*", "*.egg-info")
_MOST_LOADS = 50  # apps that one process serves before it is replaced: its memory grows
_LAST_WORDS_SECONDS = 2.0
_UNLOAD_SECONDS = 1.0
_LARGEST = 20 * 2**20  # bytes of a lesson folder
_STARTUP_LINE = re.compile(
    r"INFO:\s+(Started server process|Waiting for application|Application startup complete|"
    r"Uvicorn running|Shutting down|Finished server process|Application shutdown)"
)
_TRACEBACK = re.compile(
    r"^(ERROR:\s+Exception in ASGI application|ERROR:\s+Traceback|Traceback \(most|\s|  \+|"
    r"During handling|The above|$)"
)


# Processes


class Channel:
    """The grader's end of its talk with one app: JSON messages, a line each."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; OSError when the app has gone."""
        self._connection.settimeout(1.0)
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def read(self, seconds: float) -> dict[str, Any] | None:
        """The next message; {} when the app has gone, None when none comes in time."""
        self._connection.settimeout(seconds)
        try:
            while b"\n" not in self._received:
                more = self._connection.recv(65536)
                if not more:
                    return {}
                self._received += more
        except TimeoutError:
            return None
        except OSError:
            return {}
        line, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """Hang up; the app's process ends when it notices."""
        self._connection.close()


class Host:
    """A process that has the big imports done and makes a process for each app. Safe to use from threads."""

    def __init__(self, preload: Iterable[str] = ()) -> None:
        self._preload = tuple(preload)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._numbers = itertools.count(1)
        self._channels: dict[str, Channel] = {}
        self._statuses: dict[int, int] = {}
        self._idle: collections.deque[Process] = collections.deque()
        self._changed = threading.Condition()
        self._process = self._spawn()
        self._spare: subprocess.Popen[str] | None = None
        self._alone: dict[int, subprocess.Popen[str]] = {}  # where processes can't fork: number → process
        threading.Thread(target=self._accept, daemon=True).start()
        if FORKS:
            threading.Thread(target=self._read_reports, daemon=True).start()

    def _spawn(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-P", str(_HOST_SCRIPT), *self._preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            bufsize=1,
            start_new_session=True,  # Ctrl-C is for the grader, which then ends this
            env={**os.environ, "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"},
        )

    def start(self, job: Mapping[str, Any], *, fresh: bool = True) -> "Process":
        """Find a process for an app: a new one, or, if it need not be `fresh`, one that has served others."""
        while not fresh and self._idle:
            process = self._idle.popleft()
            if process.load(job):
                return process
            self.kill(process)
        return Process(self, self._new_process(job), job["token"])

    def _new_process(self, job: Mapping[str, Any]) -> int:
        number = next(self._numbers)
        order = {**job, "number": number, "control": self._listener.getsockname()[1]}
        if FORKS:
            self._order(self._process, order)
            return number
        with self._changed:
            process, self._spare = self._spare or self._process, self._spawn()
            self._alone[number] = process
        self._order(process, order)
        return number

    def release(self, process: "Process") -> None:
        """Take back a process that may serve another app."""
        if process.unload():
            self._idle.append(process)
        else:
            self.kill(process)

    def _order(self, process: "subprocess.Popen[str]", order: Mapping[str, Any]) -> None:
        assert process.stdin
        try:
            with self._changed:
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
        except (OSError, ValueError):
            raise Unavailable("the process that runs the apps has ended; run the command again") from None

    def connect(self, token: str, seconds: float) -> Channel | None:
        """The channel to the app that was started with this token; None if it doesn't call in time."""
        with self._changed:
            self._changed.wait_for(lambda: token in self._channels, seconds)
            return self._channels.pop(token, None)

    def kill(self, process: "Process") -> None:
        """End a process and all it has started."""
        process.hang_up()
        self._kill_number(process.number)

    def _kill_number(self, number: int) -> None:
        if process := self._alone.pop(number, None):
            process.kill()
            self._statuses[number] = process.wait()
        elif FORKS:
            with suppress(Unavailable):
                self._order(self._process, {"kill": number})

    def status(self, number: int, seconds: float = 2.0) -> int | None:
        """How an app's process ended: its exit code, or minus the signal; None if it still runs."""
        if process := self._alone.get(number):
            with suppress(subprocess.TimeoutExpired):
                self._statuses[number] = process.wait(seconds)
            return self._statuses.get(number)
        with self._changed:
            self._changed.wait_for(lambda: number in self._statuses, seconds)
            return self._statuses.get(number)

    def _accept(self) -> None:
        with suppress(OSError):  # the listener has been closed
            while True:
                channel = Channel(self._listener.accept()[0])
                hello = channel.read(1.0) or {}
                with self._changed:
                    self._channels[hello.get("token", "")] = channel
                    self._changed.notify_all()

    def _read_reports(self) -> None:
        assert self._process.stdout
        with suppress(ValueError, OSError):
            for line in self._process.stdout:
                report = json.loads(line)
                with self._changed:
                    self._statuses[report["number"]] = report["status"]
                    self._changed.notify_all()

    def close(self) -> None:
        """End every app; when it returns, none runs."""
        for process in self._alone.values():
            process.kill()
        for process in filter(None, [self._process, self._spare, *self._alone.values()]):
            assert process.stdin
            with suppress(OSError):
                process.stdin.close()
            process.wait()
        self._listener.close()


class Process:
    """One process of the host, and the talk with it. It serves one app at a time."""

    def __init__(self, host: Host, number: int, token: str) -> None:
        self.number = number
        self.reused = False
        self._host, self._token = host, token
        self._channel: Channel | None = None
        self._questions = itertools.count(1)
        self._loads = 1

    def connect(self) -> bool:
        """Wait until the process calls; whether it does."""
        if self._channel is None:
            self._channel = self._host.connect(self._token, START_SECONDS)
        return self._channel is not None

    def send(self, question: Mapping[str, Any]) -> int:
        """Ask something; returns the number that the reply will carry. OSError when the process has gone."""
        number = next(self._questions)
        assert self._channel
        self._channel.send({**question, "number": number})
        return number

    def read(self, seconds: float) -> dict[str, Any] | None:
        """The next message; {} when the process has gone, None when none comes in time."""
        return self._channel.read(seconds) if self._channel else {}

    def unload(self) -> bool:
        """Tell the process to forget its app, without waiting for it; False if it can't serve another."""
        self._loads += 1
        if self._channel is None or self._loads > _MOST_LOADS:
            return False
        try:
            self.send({"ask": "unload"})
        except OSError:
            return False
        return True

    def load(self, job: Mapping[str, Any]) -> bool:
        """Give the process its next app; False if it is not as good as new."""
        message: dict[str, Any] | None = {"event": ""}
        while message and message.get("event") != "unloaded":
            message = self.read(_UNLOAD_SECONDS)
        if not message or not message["clean"]:
            return False
        try:
            self.send({"ask": "load", "job": dict(job)})
        except OSError:
            return False
        self.reused = True
        return True

    def hang_up(self) -> None:
        """End the talk; the process ends when it notices."""
        if self._channel is not None:
            self._channel.close()


# Apps


class Submission:
    """A folder with a version of a lesson, as it is at this moment. What is saved later isn't seen."""

    def __init__(self, folder: Path, files: Mapping[str, str] | None = None) -> None:
        """The files of `folder`; or `files` instead of them, as relative path → text."""
        self.folder = folder
        self._files = {path: text.encode() for path, text in files.items()} if files is not None else None

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Relative path → content. Databases, caches, environments and hidden files stay behind."""
        if self._files is not None:
            return self._files
        found: dict[str, bytes] = {}
        ignore = shutil.ignore_patterns(*_LEFT_BEHIND)
        for parent, folders, names in os.walk(self.folder):
            left = ignore(parent, [*folders, *names])
            folders[:] = sorted(name for name in folders if name not in left)
            for name in sorted(set(names) - left):
                path = Path(parent, name)
                with suppress(OSError):
                    found[path.relative_to(self.folder).as_posix()] = path.read_bytes()
            if sum(map(len, found.values())) > _LARGEST:
                raise Unavailable(
                    f"{self.folder} holds more than 20 MB; a lesson's folder holds only its code"
                )
        return found

    def copy_to(self, folder: Path) -> None:
        """Write the files below `folder`."""
        for path, content in self.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


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
        self._environment: dict[str, str | None] = {}
        self._cwd = self.folder
        self._output = folder / "output.txt"
        self._process: Process | None = None
        self._fresh = fresh
        self.reused = False  # whether any of its processes has served another app before
        self._port: int | None = None
        self._last_event: dict[str, Any] = {}
        self._token = ""

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
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            self._submission.copy_to(self.folder)
        for path, text in (files or {}).items():
            (self.folder / path).write_text(text, encoding="utf-8")
        self._environment |= dict(environment or {})
        self._cwd = self.folder / cwd
        self._cwd.mkdir(exist_ok=True)
        self._check_that_main_exists()
        job = {
            "folder": str(self.folder),
            "cwd": str(self._cwd),
            "lifespan": lifespan,
            "environment": {**self._given, **self._environment},
            "output": str(self._output),
            "token": secrets.token_hex(8),
        }
        self._process = self._host.start(job, fresh=self._fresh)
        self.reused = self.reused or self._process.reused

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
        assert self._process
        if not self._process.connect():
            self._gone("Starting the app")
        event = self._process.read(START_SECONDS)
        while event and "reply" in event:
            event = self._process.read(START_SECONDS)
        if event is None:
            self._too_slow("start", START_SECONDS, "Starting the app")
        elif event.get("event") == "ready":
            self._port = event["port"]
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
        """A new process on the same folder and the same database."""
        process = self._process
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
            return Refusal(message_of(self.output), self.output)
        expected = "the app refuses to start, with a clear error"
        return self._fail("difference", "it starts and serves", expected=expected)

    # Asking

    def request(self, method: str, path: str, *, timeout: float | None = None, **keywords: Any) -> Answer:
        """Send one request; the check fails if no answer comes. A 500 carries the learner's frames."""
        if not self.running:
            self.start()
        asked = f"{method} {path}"
        if keywords.get("json") is not None:
            asked += " " + _short(keywords["json"])
        seconds = timeout or REQUEST_SECONDS
        try:
            response = self._client.request(
                method, f"http://127.0.0.1:{self._port}{path}", timeout=seconds, **keywords
            )
        except httpx.TimeoutException:
            self._too_slow("request", seconds, asked)
        except httpx.TransportError:
            self._gone(asked)
        error = json.loads(response.headers.get(_ERROR_HEADER, "{}") or "{}")
        message = f"{error['type']}: {error['message']}" if error else ""
        return Answer(
            asked, response.status_code, _body(response), dict(response.headers), _frames(error), message
        )

    def probe(self, function: Callable[..., Any], *modules: str, **arguments: Any) -> Any:
        """Run a function of the grader's inside the app's process, on its modules; returns JSON."""
        if not self.running:
            self.start()
        asked = _sentence(function)
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
        if not self.running:
            self.start()
        found: list[str] = self._ask({"ask": "statements", "since": since}, "SQL statements")["statements"]
        return found

    @property
    def output(self) -> str:
        """All that the app has printed and logged so far."""
        return self._output.read_text(encoding="utf-8", errors="replace") if self._output.exists() else ""

    # The database

    @cached_property
    def engine(self) -> sa.Engine:
        """The grader's own engine on the app's database."""
        url = self.url
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg2")
        return sa.create_engine(url, poolclass=sa.NullPool)

    def sql(self, statement: str, /, **parameters: Any) -> list[dict[str, Any]]:
        """Run SQL on the grader's own connection and commit; returns the rows, if there are any."""
        if not self.running:
            self.start()
        self._check_that_database_exists(statement)
        try:
            with self.engine.begin() as connection:
                result = connection.execute(sa.text(statement), parameters)
                return [dict(row) for row in result.mappings()] if result.returns_rows else []
        except sa.exc.DBAPIError as error:
            message = str(error.orig).strip().splitlines()[0]
            self._fail("difference", message, asked=statement, where="in your database")

    def schema(self) -> dict[str, Any]:
        """What the database says of its tables."""
        if not self.running:
            self.start()
        self._check_that_database_exists("What the database says of its tables")
        return read_schema(self.engine)

    def _check_that_database_exists(self, asked: str) -> None:
        file = self.url.database or ""
        if self.url.get_backend_name() == "sqlite" and not Path(file).exists():
            self._fail(
                "difference",
                f"there is no {Path(file).name}",
                asked=asked,
                expected=f"{Path(file).name} beside main.py",
            )

    def close(self) -> None:
        """Let go of the process, which may serve another app, and of the database."""
        if self.running and self._process:
            self._host.release(self._process)
            self._process = self._port = None
        self.stop()
        if "engine" in self.__dict__:
            self.engine.dispose()

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
        doing = "your code still runs" if frames else "it waits, as for a lock or a free connection"
        self._fail("too slow", f"not {verb} within {seconds:g} s: {doing}", asked=asked, frames=frames)

    def _where(self) -> tuple[Frame, ...]:
        """The learner's line that runs at this moment, if the process can still tell."""
        assert self._process
        with suppress(OSError):
            number = self._process.send({"ask": "where"})
            while reply := self._process.read(1.0):
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
        kind, yours = "ended", ""
        if event.get("event") == "exit":
            yours = f"your code ends the whole program: {event['how']}"
        elif event.get("event") == "failed":
            kind, yours = _failed(event)
        elif self._process is not None:
            yours = _ended(self._host.status(self._process.number))
        self.stop()
        self._fail(kind, yours, asked=asked, frames=_frames(event))

    def _fail(self, kind: str, yours: str, **details: Any) -> Never:
        details.setdefault("asked", "Starting the app")
        raise Failure(Finding(kind, yours=yours, output=printed(self.output), **details))


def _failed(event: dict[str, Any]) -> tuple[str, str]:
    """The kind and the text of a failure while importing or starting."""
    kind, doing = event["kind"], {"importing": "importing main.py", "starting": "its start-up code"}
    if kind == "no app":
        return kind, "main.py has no `app`: uvicorn main:app needs  app = FastAPI()"
    if kind == "app is not an application":
        return "no app", "`app` in main.py is not an application: it should be  app = FastAPI()"
    text = f"{event['type']}: {event['message']}"
    if kind == "exit":
        return (
            "ended",
            f"your code ends the whole program: sys.exit, while {doing.get(event['while'], 'running')}",
        )
    if kind in {"syntax error", "import error"}:
        return kind, text
    return "failed to start", f"{text}"


def _ended(status: int | None) -> str:
    if status is not None and status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"the app's process was killed ({name})"
    return f"the app's process ended by itself (exit code {status})"


def _frames(described: Mapping[str, Any]) -> tuple[Frame, ...]:
    return tuple(Frame(**frame) for frame in described.get("frames", []))


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


def _sentence(function: Callable[..., Any]) -> str:
    """What a probe does, in its author's words."""
    return (inspect.getdoc(function) or function.__name__.replace("_", " ")).splitlines()[0]


def message_of(output: str) -> str:
    """What a program that ended said, without the lines of tracebacks and of the server's own log."""
    lines = [line for line in output.splitlines() if line.strip() and not _STARTUP_LINE.match(line)]
    noise = (
        "Traceback (most",
        "During handling",
        "The above exception",
        "ERROR:    Traceback",
        "ERROR:    Application startup failed",
    )
    kept: list[str] = []
    in_frames = False
    for line in lines:
        if line.startswith(noise):
            in_frames = True
        elif in_frames and line.startswith(("  File ", "    ")):
            continue
        else:
            in_frames = False
            kept.append(line)
    return "\n".join(kept)


def printed(output: str, most: int = 8) -> str:
    """What the learner's own code printed: the last lines, without uvicorn's and without tracebacks."""
    kept, in_traceback = [], False
    for line in output.splitlines():
        if _STARTUP_LINE.match(line):
            continue
        if line.startswith(("Traceback (most", "ERROR:    Exception in ASGI", "ERROR:    Traceback")):
            in_traceback = True
        elif in_traceback and not _TRACEBACK.match(line):
            in_traceback = not line[:1].isalpha()  # the line after the frames is the error itself
            continue
        if not in_traceback and line.strip():
            kept.append(line[:200])
    left = len(kept) - most
    return "\n".join(([f"… {left} lines before"] if left > 0 else []) + kept[-most:])
