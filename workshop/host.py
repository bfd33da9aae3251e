"""The process that runs apps, so that the one that grades never does.

Run as a script. It imports what the apps need once, then makes one process for each app: by fork where
there is one, else it becomes that process itself. It reads jobs from its standard input, a JSON line
each, and ends, with every app, when that closes. An app's process talks to the grader over a socket of
its own (`apps.py` is the other end), serves with real uvicorn, and writes what it prints into a file.
"""

import asyncio
import contextlib
import faulthandler
import gc
import importlib
import inspect
import io
import json
import linecache
import logging
import os
import queue
import re
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

_PRELOADED = (
    *("fastapi", "pydantic.v1", "sqlalchemy.orm", "sqlalchemy.dialects.sqlite", "sqlite3", "uvicorn"),
    *("uvicorn.lifespan.on", "uvicorn.loops.asyncio", "uvicorn.logging", "uvicorn.protocols.http.h11_impl"),
    *("anyio._backends._asyncio", "anyio.streams.tls", "encodings.idna", "fastapi.telemetry._runtime"),
)
_MAX_OUTPUT = 64 * 2**20  # bytes an app may write into one file before its writes fail
_encode, _decode = json.JSONEncoder().encode, json.JSONDecoder().decode  # an app may replace json.dumps
_PR_SET_CHILD_SUBREAPER = 36  # of Linux's prctl
_MOST_FRAMES = 8
_LONGEST = 200  # characters of a line of code
_INTERNAL_SERVER_ERROR: tuple[dict[str, Any], ...] = (
    {"type": "http.response.start", "status": 500, "headers": [(b"content-type", b"text/plain")]},
    {"type": "http.response.body", "body": b"Internal Server Error"},
)
TRACEBACK_MARK = "\x1f"  # begins the lines of tracebacks that are told in another way, too
ERROR_HEADER = "x-workshop-error"
UNROUTED_HEADER = "x-workshop-unrouted"  # no route fits the path of this answer's request

Job = dict[str, Any]
Message = dict[str, Any]


def main() -> None:
    """Import what the apps will need, then serve jobs until the standard input closes."""
    forks = hasattr(os, "fork")
    for name in (*_PRELOADED, *sys.argv[1:]):
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # an app that needs it gets the same error, in its own words
    if "pwdlib" in sys.modules:
        _hash_quickly()
    _find_email_validator_once()
    gc.collect()
    gc.freeze()
    if forks:
        _fork_apps()
    elif job := sys.stdin.readline():
        AppProcess(_decode(job)).run()


def _hash_quickly() -> None:
    """Argon2 is slow on purpose; what a check wants to know doesn't depend on that."""
    import argon2

    make = argon2.PasswordHasher.__init__

    def make_quick(
        self: Any, time_cost: int = 1, memory_cost: int = 8, parallelism: int = 1, *more: Any, **named: Any
    ) -> None:
        make(self, 1, 8, 1, *more, **named)  # one thread: more cost 15 ms on a busy machine

    argon2.PasswordHasher.__init__ = make_quick  # type: ignore[method-assign]


def _find_email_validator_once() -> None:
    """Pydantic looks its version up among all packages for each field of an EmailStr, in each app anew."""
    from pydantic import networks

    with contextlib.suppress(ImportError):
        networks.import_email_validator()
        networks.import_email_validator = lambda: None


def _fork_apps() -> None:
    """Fork a process for each job, kill those that the grader names, and report those that ended."""
    _adopt_orphans()
    running: dict[int, int] = {}  # pid → the job's number
    wake, woken = socket.socketpair()
    for end in (wake, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    jobs = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115 - lives as long as we do
    waiting = b""
    with selectors.DefaultSelector() as selector:
        selector.register(jobs, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is wake:
                    wake.recv(4096)
                    continue
                received = jobs.read(65536)
                if not received:
                    _kill(running)
                    running.clear()
                    _kill_orphans(running)
                    os._exit(0)
                *lines, waiting = (waiting + received).split(b"\n")
                for line in lines:
                    _obey(_decode(line.decode()), running)
            _reap(running, list(running))


def _obey(job: Job, running: dict[int, int]) -> None:
    if "kill" in job:
        ending = [pid for pid, number in running.items() if number == job["kill"]]
        _kill(ending)
        _reap(running, ending, 0)  # now, for the next app may want its port
        return
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.setsid()  # so that what the app starts can be killed with it
        AppProcess(job).run()
    running[pid] = job["number"]


def _adopt_orphans() -> None:
    """On Linux, become the parent of what an app leaves behind, even in a session of its own."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill_orphans(running: dict[int, int]) -> None:
    children = f"/proc/self/task/{os.getpid()}/children"
    while Path(children).exists():
        with open(children, encoding="ascii") as file:
            orphans = [pid for pid in map(int, file.read().split()) if pid not in running]
        if not orphans:
            return
        for pid in orphans:
            _kill([pid])
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _kill(pids: Any) -> None:
    for pid in pids:
        for kill in (os.killpg, os.kill):  # the group exists only once the child has run setsid
            try:
                kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue


def _reap(running: dict[int, int], pids: Iterable[int], options: int = os.WNOHANG) -> None:
    for pid in pids:
        found, status = os.waitpid(pid, options)
        if found:
            _kill([pid])  # what the app has started and left behind
            ended = {"number": running.pop(pid), "status": os.waitstatus_to_exitcode(status)}
            _kill_orphans(running)
            print(_encode(ended), flush=True)


class AppProcess:
    """A process that serves one app after another, and answers the grader's questions meanwhile."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.folder = ""
        self.statements: list[str] = []
        self.app: Any = None
        self.loop: Any = None
        self.stop_serving: Any = None
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._unloading = False
        self._global_listeners = False
        self._crash: Any = None
        self._sending = threading.Lock()
        self._grader = socket.create_connection(("127.0.0.1", job["control"]))
        self._grader.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or a second message waits 40 ms
        self.send({"token": job["token"]})

    def run(self) -> None:
        """Never returns."""
        code = 1
        try:
            self._settle()
            threading.Thread(target=self._answer_questions, daemon=True).start()
            self._before = self._surroundings()
            while True:
                self._enter(self.job)
                if "command" in self.job:
                    code = self._run_command()
                    break
                code = self._serve()
                if not self._unloading:
                    break
                clean = self._unload()
                self.send({"event": "unloaded", "clean": clean})
                self.job = self._jobs.get()
        except BaseException as error:
            self.send({"event": "failed", "while": "running", **self.describe(error)})
        finally:
            # Alembic writes to the output that was there when it was imported.
            for stream in (sys.stdout, sys.stderr, sys.__stdout__):
                if stream is not None:
                    stream.flush()
            _real_exit(code)

    def _settle(self) -> None:
        """Let go of what belongs to the host, and make leaks visible."""
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = _line_buffered(1)
        sys.stderr = _line_buffered(2)
        if sys.platform != "win32":
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_OUTPUT, _MAX_OUTPUT))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        gc.disable()  # else a leaked session is collected now and then, and the leak shows only now and then
        sys.dont_write_bytecode = True
        sys.argv = ["uvicorn", "main:app"]
        os._exit = self._report_exit  # type: ignore[assignment]
        self._watch_sqlalchemy()

    def _watch_sqlalchemy(self) -> None:
        """Record the statements of every engine, and notice listeners that would outlive the app."""
        from sqlalchemy import Engine, event
        from sqlalchemy.event import api

        @event.listens_for(Engine, "before_cursor_execute")
        def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            self.statements.append(statement)

        listen = event.listen

        def noticing(target: Any, *arguments: Any, **keywords: Any) -> None:
            if isinstance(target, type) and target.__module__.startswith("sqlalchemy"):
                self._global_listeners = True
            listen(target, *arguments, **keywords)

        event.listen = api.listen = noticing

    def _surroundings(self) -> tuple[Any, ...]:
        return dict(os.environ), list(sys.path), set(sys.modules), threading.active_count(), _loggers()

    def _enter(self, job: Job) -> None:
        """Make this process look like one that a person has started in the job's folder."""
        self.folder = os.path.realpath(job["folder"])
        self._unloading = False
        self.statements.clear()
        output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        if "command" in job:
            errors = os.open(job["output"] + ".errors", os.O_WRONLY | os.O_CREAT, 0o600)
            os.dup2(errors, 2)
            os.close(errors)
        self._crash = open(job["output"] + ".crash", "w", encoding="utf-8")  # noqa: SIM115
        faulthandler.enable(self._crash)  # so that a crash in C code names the learner's line
        for name, value in job["environment"].items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if job.get("command", [""])[0] != "alembic":  # an installed command finds only what is installed
            sys.path.insert(0, self.folder)
        os.chdir(job["cwd"])

    def _unload(self) -> bool:
        """Forget the app; returns whether the process is as good as new."""
        from sqlalchemy.orm import clear_mappers

        environment, path, modules, threads, loggers = self._before
        os.chdir("/" if os.name != "nt" else os.path.splitdrive(sys.executable)[0] + os.sep)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if not file or self._relative(file) != file:
                del sys.modules[name]
        sys.path_importer_cache.clear()
        faulthandler.enable()
        self._crash.close()
        self.app = self.loop = self.stop_serving = None
        clear_mappers()
        gc.collect()
        as_before = threading.active_count() <= threads and _loggers() == loggers and not _has_children()
        return as_before and not self._global_listeners and "sqlmodel" not in sys.modules

    def _report_exit(self, status: int = 0) -> None:
        frames = self.frames_of(traceback.walk_stack(sys._getframe(1)))
        self.send({"event": "exit", "how": f"os._exit({status})", "frames": frames})
        _real_exit(status)

    # Running a command

    def _run_command(self) -> int:
        """Run `alembic`, or a script of the folder, as a terminal would; tell the grader how it ended."""
        name, *arguments = sys.argv = list(self.job["command"])
        described: Message = {}
        code = 0
        try:
            if name == "alembic":
                importlib.import_module("alembic.config").main(argv=arguments, prog=name)
            else:
                runpy.run_path(str(Path(self.folder, name)), run_name="__main__")
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)
        except BaseException as error:
            code, described = 1, self.describe(error)
            _print_like_python(error)
        self.send({"event": "done", "code": code, **described})
        return code

    # Loading and serving

    def _serve(self) -> int:
        import uvicorn

        if not self._load():
            return 1
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # or no TCP_NODELAY
        listening.bind(("127.0.0.1", 0))
        process, port = self, listening.getsockname()[1]

        class Server(uvicorn.Server):
            """uvicorn's own, but it says when it serves, and stops at once instead of at its next tick."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                process.loop = asyncio.get_running_loop()
                process.stop_serving = asyncio.Event()  # before the grader can know that it serves
                await super().startup(sockets)
                if self.started:
                    process.send({"event": "ready", "port": port})

            async def main_loop(self) -> None:
                await self.on_tick(0)
                await process.stop_serving.wait()

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                for server in self.servers:
                    server.close()
                for listener in sockets or []:
                    listener.close()
                await self.lifespan.shutdown()

        config = uvicorn.Config(
            self._watched,
            http="h11",
            loop="asyncio",
            interface="asgi3",
            ws="none",
            lifespan="auto" if self.job["lifespan"] else "off",
            access_log=False,
        )
        _mark_tracebacks()
        Server(config).run(sockets=[listening])
        return 3

    def _load(self) -> bool:
        """Import main and find its app; tell the grader when there is none."""
        try:
            module = importlib.import_module("main")
        except BaseException as error:
            _print_like_python(error)
            self.send({"event": "failed", "while": "importing", **self.describe(error)})
            return False
        self.app = getattr(module, "app", None)
        if not _is_application(self.app):
            kind = "app is not an application" if hasattr(module, "app") else "no app"
            self.send({"event": "failed", "while": "importing", "kind": kind, "frames": []})
            return False
        return True

    async def _watched(self, scope: Message, receive: Any, send: Any) -> None:
        """The app itself, but what goes wrong in it is told to the grader."""
        if scope["type"] == "lifespan":
            await self._watch_lifespan(scope, receive, send)
        else:
            await self._watch_request(scope, receive, send)

    async def _watch_lifespan(self, scope: Message, receive: Any, send: Any) -> None:
        context = getattr(getattr(self.app, "router", None), "lifespan_context", None)
        if context is not None:
            self.app.router.lifespan_context = lambda app: _Noticing(context(app), self._startup_failed)
        await self.app(scope, receive, send)

    def _startup_failed(self, error: BaseException) -> None:
        self.send({"event": "failed", "while": "starting", **self.describe(error)})

    async def _watch_request(self, scope: Message, receive: Any, send: Any) -> None:
        held: list[Message] = []  # an answer of 500 waits until it is known what went wrong
        begun = False

        async def send_or_hold(message: Message) -> None:
            nonlocal begun
            if message.get("status") == 404 and "endpoint" not in scope:
                unrouted = UNROUTED_HEADER.encode(), b"yes"
                message = {**message, "headers": [*message.get("headers", []), unrouted]}
            if held or (message["type"] == "http.response.start" and message["status"] >= 500):
                held.append(message)
            else:
                begun = True
                await send(message)

        error: BaseException | None = None
        try:
            await self.app(scope, receive, send_or_hold)
        except asyncio.CancelledError:
            raise
        except BaseException as raised:
            error = raised
        if error is not None and not begun:
            held[:] = held or list(_INTERNAL_SERVER_ERROR)
            described = self.describe(error)
            described["frames"] = described["frames"] or self._endpoint(scope)
            header = ERROR_HEADER.encode(), _encode(described).encode()
            held[0] = {**held[0], "headers": [*held[0].get("headers", []), header]}
        for message in held:
            await send(message)
        if isinstance(error, Exception):
            raise error

    def _endpoint(self, scope: Message) -> list[Message]:
        """The route's own first line, for an error that is raised outside of the learner's code."""
        code = getattr(scope.get("endpoint"), "__code__", None)
        if code is None or self._relative(code.co_filename) == code.co_filename:
            return []
        return [
            {"file": self._relative(code.co_filename), "line": code.co_firstlineno, "function": code.co_name}
        ]

    # Questions of the grader

    def _answer_questions(self) -> None:
        with contextlib.suppress(OSError), self._grader.makefile("r", encoding="utf-8") as questions:
            for line in questions:
                question = _decode(line)
                answer: Callable[[Message], Message] = getattr(self, "_answer_" + question["ask"])
                if question["ask"] == "probe":  # it runs the learner's code, which may never return
                    threading.Thread(target=self._reply, args=(answer, question), daemon=True).start()
                else:
                    self._reply(answer, question)
        _real_exit(0)  # the grader is gone

    def _reply(self, answer: Callable[[Message], Message], question: Message) -> None:
        self.send({"reply": question["number"], **answer(question)})

    def _answer_statements(self, question: Message) -> Message:
        return {"statements": self.statements[question["since"] :]}

    def _answer_where(self, _question: Message) -> Message:
        """The learner's lines that run or wait at this moment, the innermost last."""
        stacks = [list(traceback.walk_stack(frame)) for frame in sys._current_frames().values()]
        if self.loop is not None:
            stacks += [_suspended(task) for task in asyncio.all_tasks(self.loop)]
        return {"frames": max((self.frames_of(stack) for stack in stacks), key=len)[::-1]}

    def _answer_unload(self, _question: Message) -> Message:
        """Stop serving; what follows happens in the main thread."""
        self._unloading = True
        self.loop.call_soon_threadsafe(self.stop_serving.set)
        return {}

    def _answer_load(self, question: Message) -> Message:
        self._jobs.put(question["job"])
        return {}

    def _answer_probe(self, question: Message) -> Message:
        """Run a function of the grader's on modules of the app."""
        namespace: dict[str, Any] = {"__name__": "probe"}
        try:
            source = "from __future__ import annotations\n" + question["source"]
            exec(compile(source, "<probe>", "exec"), namespace)
            modules = [
                self.app if name == "app" else importlib.import_module(name) for name in question["modules"]
            ]
            value = namespace[question["name"]](*modules, **question["arguments"])
            return {"value": _decode(_encode(value))}
        except BaseException as error:
            return {"error": self.describe(error)}

    # What the grader reads

    def send(self, message: Message) -> None:
        try:
            with self._sending:
                self._grader.sendall(_encode(message).encode() + b"\n")
        except OSError:
            _real_exit(0)  # the grader is gone

    def describe(self, error: BaseException) -> Message:
        """An exception as plain data, with the learner's own frames only."""
        described: Message = {
            "kind": _kind(error),
            "type": type(error).__name__,
            "message": self._first_lines(error),
            "frames": self.frames_of(traceback.walk_tb(_own_traceback(error))),
        }
        if isinstance(error, SyntaxError):
            described["message"] = error.msg
            described["frames"] = [*described["frames"], *self._place_of(error)]
        return described

    def _place_of(self, error: SyntaxError) -> list[Message]:
        """Where a file can't be read as Python. An error about a null byte names no file."""
        if error.filename:
            code = (error.text or "").strip()[:_LONGEST]
            return [{"file": self._relative(error.filename), "line": error.lineno or 0, "code": code}]
        for path in sorted(Path(self.folder).rglob("*.py")):
            before, found, _ = path.read_bytes().partition(b"\0")
            if found:
                return [{"file": self._relative(str(path)), "line": before.count(b"\n") + 1}]
        return []

    def _first_lines(self, error: BaseException) -> str:
        """An exception's text without the footers of SQLAlchemy and pydantic, and without this folder."""
        text = (_text_of(error).strip() or repr(error)).replace(self.folder + os.sep, "")
        text = text.replace(self.job["folder"] + os.sep, "")
        text = re.sub(r"\(Background on this error at: \S+\)|For further information visit \S+", "", text)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return "\n".join(lines[:6])[:1000]

    def frames_of(self, walked: Iterable[tuple[FrameType, int]]) -> list[Message]:
        """The frames of code that lies in the learner's folder; of very many, the first and the last."""
        own = [(frame.f_code, line) for frame, line in walked if self._is_own(frame.f_code.co_filename)]
        shown = own if len(own) <= _MOST_FRAMES else own[:2] + own[2 - _MOST_FRAMES :]
        return [
            {
                "file": self._relative(code.co_filename),
                "line": line,
                "function": code.co_name.strip("<>"),
                "code": linecache.getline(code.co_filename, line).strip()[:_LONGEST],
            }
            for code, line in shown
        ]

    def _is_own(self, filename: str) -> bool:
        return not filename.startswith("<") and self._relative(filename) != filename

    def _relative(self, filename: str) -> str:
        prefix = self.folder + os.sep
        real = os.path.realpath(filename)
        return real.removeprefix(prefix).replace(os.sep, "/") if real.startswith(prefix) else filename


class _Noticing:
    """An async context manager like the one it wraps, that tells when entering it fails."""

    def __init__(self, inner: Any, failed: Callable[[BaseException], None]) -> None:
        self.inner, self.failed = inner, failed

    async def __aenter__(self) -> Any:
        try:
            return await self.inner.__aenter__()
        except BaseException as error:
            self.failed(error)
            raise

    async def __aexit__(self, *error: Any) -> Any:
        return await self.inner.__aexit__(*error)


def _kind(error: BaseException) -> str:
    for kinds, name in (
        (SyntaxError, "syntax error"),
        (ImportError, "import error"),
        (SystemExit, "exit"),
    ):
        if isinstance(error, kinds):
            return name
    return "error"


def _print_like_python(error: BaseException) -> None:
    if isinstance(error, SystemExit):
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    else:
        print()  # what was printed last may have no line's end
        print(_marked("".join(traceback.format_exception(error)).rstrip()), file=sys.stderr)


def _mark_tracebacks() -> None:
    """Let uvicorn's log say which of its lines belong to a traceback."""
    for handler in logging.getLogger("uvicorn").handlers:
        formatter = handler.formatter or logging.Formatter()
        plain = formatter.format

        def format_marked(record: logging.LogRecord, plain: Callable[..., str] = plain) -> str:
            text = plain(record)
            return _marked(text) if "Traceback (most recent call last)" in text else text

        formatter.format = format_marked  # type: ignore[method-assign]


def _marked(text: str) -> str:
    return "\n".join(TRACEBACK_MARK + line for line in text.splitlines())


def _own_traceback(error: BaseException) -> TracebackType | None:
    if error.__traceback__ is None and error.__cause__ is not None:
        return error.__cause__.__traceback__
    return error.__traceback__


def _text_of(error: BaseException) -> str:
    """An exception's own text, or, where that repeats whole objects, what is wrong with which field."""
    if type(error).__name__ != "ResponseValidationError":
        return str(error)
    faults: list[dict[str, Any]] = getattr(error, "errors", list)()
    return "\n".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults[:2])


def _is_application(app: Any) -> bool:
    """Whether uvicorn can serve it: called with scope, receive and send."""
    if not callable(app) or inspect.isclass(app):
        return False
    try:
        inspect.signature(app).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True


def _suspended(task: "asyncio.Task[Any]") -> list[tuple[FrameType, int]]:
    """The frames of a task that waits, the innermost first."""
    found: list[tuple[FrameType, int]] = []
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
        if frame is not None:
            found.insert(0, (frame, frame.f_lineno))
        waiting = (
            getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None) or _generator_of(waiting)
        )
    return found


def _generator_of(waiting: Any) -> Any:
    """The async generator whose next item is awaited; only the garbage collector knows it."""
    if type(waiting).__name__ != "async_generator_asend":
        return None
    return next((one for one in gc.get_referents(waiting) if inspect.isasyncgen(one)), None)


def _loggers() -> dict[str, tuple[int, int]]:
    """Level and number of handlers of every logger that isn't uvicorn's, which are set anew for each app."""
    known = {"": logging.root, **logging.root.manager.loggerDict}
    loggers = {name: one for name, one in known.items() if isinstance(one, logging.Logger)}
    return {
        name: (one.level, len(one.handlers))
        for name, one in loggers.items()
        if not name.startswith("uvicorn") and (one.level or one.handlers)
    }


def _has_children() -> bool:
    """Whether the app has started processes that still run."""
    if os.name == "nt":
        return False
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _line_buffered(descriptor: int) -> io.TextIOWrapper:
    raw = open(descriptor, "wb", closefd=False)  # noqa: SIM115 - it is the process's own output
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)


_real_exit = os._exit

if __name__ == "__main__":
    main()
