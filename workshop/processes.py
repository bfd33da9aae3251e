"""The grader's end of `host.py`: processes that run apps, and the talk with them."""

import ast
import collections
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from workshop.lessons import Lesson
from workshop.render import render_lesson
from workshop.verdicts import Unavailable

START_SECONDS = float(os.environ.get("WORKSHOP_START_SECONDS", "10"))

FORKS = hasattr(os, "fork")
_HOST_SCRIPT = Path(__file__).with_name("host.py")
_MOST_LOADS = 50  # apps that one process serves before it is replaced: its memory grows
_UNLOAD_SECONDS = 1.0
SPARE = "spare"  # the pool of processes that have served the reference, for whoever needs one
_CALL_SECONDS = 60.0
_IMPORTED_LATER = {  # what a package imports only when it is used
    "alembic": (
        "alembic.config",
        "alembic.command",
        "alembic.autogenerate",
        "alembic.ddl.postgresql",
        "alembic.migration",
        "mako.template",
    ),
    "dogpile.cache": ("dogpile.cache.backends.memory",),
    "pwdlib": ("pwdlib.hashers.argon2",),
    "sqlalchemy.ext.asyncio": ("aiosqlite", "asyncpg"),
}


class Channel:
    """The grader's end of its talk with one app: JSON messages, a line each."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
        except (TimeoutError, BlockingIOError):
            return None
        except OSError:
            return {}
        line, _, self._received = self._received.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            return {}
        return message if isinstance(message, dict) else {}

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
        self._ended = False  # whether the process that forks the others has ended
        self._unwanted: set[str] = set()  # tokens of processes that were ended before they called
        self._statuses: dict[int, int] = {}
        self._idle: dict[str, list[Process]] = collections.defaultdict(list)
        self._taking = threading.Lock()
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

    def start(self, job: Mapping[str, Any], *, pool: str = "", fresh: bool = True) -> "Process":
        """Find a process for an app: a new one, or, if it need not be `fresh`, one that has served others.

        A process serves apps of one pool only: what one submission does to it, another never sees. Spare
        processes have served nothing but the reference.
        """
        while not fresh and (process := self._take(pool)):
            if process.load(job):
                return process
            self.kill(process)
        return Process(self, self._new_process(job), job["token"], pool)

    def _take(self, pool: str) -> "Process | None":
        """A process that has served others: if there is one, one that is ready, of this pool or a spare."""
        with self._taking:
            for idle in (self._idle[pool], self._idle[SPARE]):
                for process in idle:
                    if process.has_forgotten(0.0):
                        idle.remove(process)
                        process.pool = pool
                        return process
            return self._idle[pool].pop(0) if self._idle[pool] else None

    def spares(self) -> int:
        """How many spare processes there are."""
        return len(self._idle[SPARE])

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
        """Take back a process that may serve another app. While there are spares, it can stay as it is."""
        with self._taking:
            spares = process.pool != SPARE and self._idle[SPARE]
        if spares or process.unload():
            with self._taking:
                self._idle[process.pool].append(process)
        else:
            self.kill(process)

    def drain(self, pool: str) -> None:
        """End the processes that wait for more apps of a pool."""
        with self._taking:
            idle = self._idle.pop(pool, [])
        for process in idle:
            self.kill(process)

    def _order(self, process: "subprocess.Popen[str]", order: Mapping[str, Any]) -> None:
        assert process.stdin
        try:
            with self._changed:
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
        except (OSError, ValueError):
            raise Unavailable("the process that runs the apps has ended; run the command again") from None

    def connect(self, token: str) -> Channel | None:
        """The channel to the process that was started with this token; None if it doesn't call.

        It calls before it runs any of the learner's code, so what takes long here is the big imports.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or token in self._channels or token in self._unwanted, _CALL_SECONDS
            )
            return self._channels.pop(token, None)

    def kill(self, process: "Process") -> None:
        """End a process and all it has started."""
        if not process.hang_up():
            self._forget(process.token)
        self._kill_number(process.number)

    def _forget(self, token: str) -> None:
        """Hang up on a process that was ended before it was listened to, now or when it calls."""
        with self._changed:
            self._unwanted.add(token)
            if channel := self._channels.pop(token, None):
                channel.close()
            self._changed.notify_all()  # somebody may wait for it

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
                hello = channel.read(START_SECONDS) or {}
                token = hello.get("token", "")
                with self._changed:
                    if token in self._unwanted or not token:
                        channel.close()
                    else:
                        self._channels[token] = channel
                    self._changed.notify_all()

    def _read_reports(self) -> None:
        assert self._process.stdout
        with suppress(ValueError, OSError):
            for line in self._process.stdout:
                report = json.loads(line)
                with self._changed:
                    self._statuses[report["number"]] = report["status"]
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
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
        for channel in self._channels.values():
            channel.close()


class Process:
    """One process of the host, and the talk with it. It serves one app at a time."""

    def __init__(self, host: Host, number: int, token: str, pool: str) -> None:
        self.number, self.pool = number, pool
        self.reused = False
        self._host, self.token = host, token
        self._channel: Channel | None = None
        self._questions = itertools.count(1)
        self._loads = 1
        self._unloading = False
        self._clean: bool | None = None  # whether it is as good as new, when it has said so

    def connect(self) -> bool:
        """Wait until the process calls; whether it does."""
        if self._channel is None:
            self._channel = self._host.connect(self.token)
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
        self._unloading, self._clean = True, None
        if self._channel is None or self._loads > _MOST_LOADS:
            return False
        try:
            self.send({"ask": "unload"})
        except OSError:
            return False
        return True

    def shut_down(self, seconds: float) -> None:
        """Let the app's shut-down code run, and wait for it, but not for ever."""
        if self.unload():
            message: dict[str, Any] | None = {"event": ""}
            while message and message.get("event") != "unloaded":
                message = self.read(seconds)

    def load(self, job: Mapping[str, Any]) -> bool:
        """Give the process its next app; False if it is not as good as new."""
        if not (self._unloading or self.unload()) or not self.has_forgotten(_UNLOAD_SECONDS):
            return False
        if not self._clean:
            return False
        try:
            self.send({"ask": "load", "job": dict(job)})
        except OSError:
            return False
        self._unloading, self.reused = False, True
        return True

    def has_forgotten(self, seconds: float) -> bool:
        """Whether it has forgotten its app, or has gone; waits so long for it."""
        while self._unloading and self._clean is None and (message := self.read(seconds)) is not None:
            if not message or message.get("event") == "unloaded":
                self._clean = bool(message.get("clean"))
        return self._clean is not None

    def hang_up(self) -> bool:
        """End the talk; the process ends when it notices. False if the talk had not begun."""
        if self._channel is None:
            return False
        self._channel.close()
        return True


def imports_of(*lessons: Lesson) -> list[str]:
    """The packages that the solutions of lessons import, for the host to import once."""
    return list(dict.fromkeys(name for lesson in lessons for name in _imports_of(lesson)))


def _imports_of(lesson: Lesson) -> list[str]:
    files = render_lesson(lesson, lesson.steps[-1].id if lesson.steps else lesson.starter)
    found: dict[str, None] = {}
    for path, text in files.items():
        for node in ast.walk(ast.parse(text)) if path.endswith(".py") else ():
            if isinstance(node, ast.Import):
                found |= {alias.name: None for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found[node.module] = None
    own = {path.partition("/")[0].removesuffix(".py") for path in files}
    later = [name for package in found for name in _IMPORTED_LATER.get(package, ())]
    if "postgresql" in lesson.databases:
        later += ["psycopg2", "sqlalchemy.dialects.postgresql.psycopg2"]
    return [*(name for name in found if name.partition(".")[0] not in own), *later]
