"""Running checks: every check of a lesson on every database, each with fresh apps and fresh databases.

This is all there is to grading; pytest, the command line and the proofs of the course are readers of it.
"""

import contextlib
import importlib.util
import inspect
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache, cached_property, partial
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Self

import httpx
import sqlalchemy as sa

from workshop import postgres
from workshop.answers import Memory, Reference
from workshop.apps import Answer, App, Submission
from workshop.checks import Apps, Check
from workshop.compare import show
from workshop.databases import PostgresDatabases
from workshop.lessons import Lesson
from workshop.processes import Host
from workshop.render import render_lesson
from workshop.verdicts import BROKEN, FAILED, PASSED, WAITS, Failure, Finding, Outcome, Unavailable

_LOCKED_OUT = Finding(
    "difference",
    "The check's own connection to your database",
    expected="it can be used while your app answers no request",
    yours="database is locked",
    why="A connection of your app still holds the lock of SQLite: a transaction is open that nobody ended.",
)
_BEFORE_SERVING = {"failed to start", "ended"}
_UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)  # from an answer of another form
_CERTAIN = {"too slow", "file missing", "syntax error"}  # what another process wouldn't change
AHEAD = 3  # checks whose apps are started before they are needed
_TOGETHER = min(8, 2 * (os.cpu_count() or 1))  # checks that run at once where the verdict is urgent
_LOOK_SECONDS = 0.1  # until it is looked again whether it still is
_TIME_TO_SPARE = 1.0  # processor seconds that nobody used: what was too slow then has no excuse
_LOADING = threading.Lock()
_RUN_FOLDER = "workshop-run-"


# Finding checks


def load_module(path: Path) -> ModuleType:
    """Import a file of checks by its path, for file names need not be unique."""
    name = f"workshop_checks.{path.parent.name}.{path.stem}"
    with _LOADING:
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec and spec.loader
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        return sys.modules[name]


def checks_of(lesson: Lesson) -> list[Check]:
    """Every check of a lesson, in the order of its steps."""
    found: list[Check] = []
    for path in sorted(lesson.checks.rglob("test_*.py")):
        functions = inspect.getmembers(load_module(path), inspect.isfunction)
        ours = [function for _, function in functions if hasattr(function, "check")]
        ours.sort(key=lambda function: function.__code__.co_firstlineno)
        found += [function.check for function in ours]
    order = [step.id for step in lesson.steps]
    return sorted(found, key=lambda check: order.index(check.step))


def databases_of(lesson: Lesson, check: Check, chosen: Iterable[str] = ()) -> list[str]:
    """The databases on which a check runs."""
    asked = tuple(chosen) or lesson.databases
    return [name for name in check.databases or lesson.databases if name in asked]


def count_checks(lesson: Lesson, databases: Iterable[str]) -> Counter[str]:
    """How many checks each step has, on these databases."""
    chosen = tuple(databases)
    return Counter(check.step for check in checks_of(lesson) for _ in databases_of(lesson, check, chosen))


def judge(error: BaseException) -> tuple[str, Finding]:
    """The verdict on a check that raised, and what to tell of it."""
    if isinstance(error, Failure):
        return FAILED, error.finding
    if isinstance(error, (Unavailable, postgres.ServerError)):
        return BROKEN, Finding("unavailable", yours=str(error))
    return BROKEN, Finding("broken check", yours=f"the check itself failed: {type(error).__name__}: {error}")


# Running them


class Bench:
    """What all checks of a run share: the host process, the PostgreSQL server, a folder for the apps."""

    def __init__(self, host: Host, notice: Callable[[str], None] = lambda _: None) -> None:
        """`host`: is closed with the bench. `notice`: is told what takes long."""
        self.host = host
        self._notice = notice
        self.client = httpx.Client(
            verify=False,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_RUN_FOLDER}{os.getpid()}-"))
        self._lock = threading.Lock()
        self._count = 0
        self._memories: dict[str, Memory] = {}
        self._background = ThreadPoolExecutor(1)
        self._postgres: Future[PostgresDatabases] | None = None
        self._stock: deque[str] = deque()
        self._background.submit(_remove_old_folders)

    def prepare_postgres(self) -> None:
        """Begin to start the server, so that the first check that needs it needn't wait."""
        with self._lock:
            self._postgres = self._postgres or self._background.submit(self._open_postgres)

    def _open_postgres(self) -> PostgresDatabases:
        return PostgresDatabases(postgres.server_url(self._notice))

    @property
    def postgres(self) -> PostgresDatabases:
        """The databases of this run on the server; Unavailable when there is no server to be had."""
        self.prepare_postgres()
        assert self._postgres
        with _server_faults():
            return self._postgres.result()

    def app(
        self,
        submission: Submission,
        database: str,
        *,
        by_environment: bool,
        fresh: bool = False,
        like: App | None = None,
    ) -> App:
        """A submission with a new database, in a process that has served no other if it must be `fresh`.

        `by_environment`: the app learns the database's URL from DATABASE_URL. `like`: an app at rest, whose
        database is copied.
        """
        folder = self._new_folder()
        if database == "sqlite":
            url, prefix = sa.URL.create("sqlite", database=str(folder / "app" / "blog.db")), ""
        else:
            with _server_faults():
                url = sa.make_url(self.postgres.copy(_address(like.url)) if like else self._new_database())
            prefix = f"{self.postgres.prefix}{folder.name}_"
        environment = {"DATABASE_URL": _address(url) if by_environment else None}
        app = App(self.host, submission, folder, url, self.client, environment, prefix, fresh=fresh)
        if like:
            app.take_over(like)
        return app

    def _new_database(self) -> str:
        with contextlib.suppress(IndexError):
            return self._stock.popleft()
        return self.postgres.create()

    def stock_up(self, number: int) -> None:
        """Have so many new PostgreSQL databases ready."""
        while len(self._stock) < number:
            self._stock.append(self.postgres.create())

    def beside(self, app: App, submission: Submission) -> App:
        """Another app on the database of an app."""
        environment = {"DATABASE_URL": _address(app.url)}
        folder = self._new_folder()
        return App(self.host, submission, folder, app.url, self.client, environment, app.prefix)

    def _new_folder(self) -> Path:
        """A folder for an app, named by a number that no other has."""
        with self._lock:
            self._count += 1
            folder = self.folder / str(self._count)
        folder.mkdir()
        return folder

    def memory(self, lesson: Lesson) -> Memory:
        """What the reference of a lesson has answered before."""
        with self._lock:
            if lesson.name not in self._memories:
                self._memories[lesson.name] = Memory(lesson)
            self._memories[lesson.name].refresh()
            return self._memories[lesson.name]

    def remember(self) -> None:
        """Let other processes know what the references have answered."""
        for memory in self._memories.values():
            memory.save()

    def discard(self, app: App, *, database: bool = True) -> None:
        """Remove an app with its folder and, unless another app uses it, its database."""
        app.close()
        if database and app.url.get_backend_name() == "postgresql":
            self.postgres.drop(_address(app.url))
        self._background.submit(_remove, app.folder.parent)

    def close(self) -> None:
        """Leave nothing behind: no process, no database, no file but the reference's answers."""
        self.remember()
        self.host.close()
        self.client.close()
        self._background.shutdown(wait=True)
        if self._postgres and not self._postgres.exception():
            self._postgres.result().close()
        _remove(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _address(url: sa.URL) -> str:
    """The URL with its password, as an app needs it."""
    return url.render_as_string(hide_password=False)


@contextlib.contextmanager
def _server_faults() -> Iterator[None]:
    """A server that can't be had is told like everything else that isn't the learner's fault."""
    try:
        yield
    except postgres.ServerError as error:
        raise Unavailable(str(error)) from None


def _remove_old_folders() -> None:
    """Remove the folders of runs that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_RUN_FOLDER}*"):
        match = re.match(rf"{_RUN_FOLDER}(\d+)-", folder.name)
        if match and not _is_running(int(match[1])):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder, even one that an app has locked."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for parent, folders, _ in os.walk(folder):  # from the top down: what is opened here is entered next
            for name in folders:
                with contextlib.suppress(OSError):
                    Path(parent, name).chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid)


class Grading:
    """The checks of one lesson on one submission."""

    def __init__(
        self, bench: Bench, lesson: Lesson, submission: Submission, databases: Iterable[str] = ()
    ) -> None:
        self.bench, self.lesson, self.submission = bench, lesson, submission
        self.databases = tuple(databases)
        self.failed: dict[str, set[str]] = {}  # step → the databases on which it failed
        self._ready: dict[tuple[str, str], Apps] = {}
        self._migrated: dict[tuple[Submission, str], App] = {}
        self._migrating = threading.Lock()
        self._running: set[Apps] = set()
        self._used: list[App] | None = None  # apps that are removed later, when it is less urgent

    @cached_property
    def by_environment(self) -> bool:
        return "postgresql" in self.lesson.databases

    def tasks(self, steps: Iterable[str] = ()) -> list[tuple[Check, str]]:
        """Every check with every database it runs on, in order; of some steps only, if they are named."""
        wanted = set(steps)
        return [
            (check, database)
            for check in checks_of(self.lesson)
            for database in databases_of(self.lesson, check, self.databases)
            if not wanted or check.step in wanted
        ]

    def waits_for(self, check: Check) -> str:
        """The step that must be done before this check makes sense, if it has failed; else ''."""
        base = self.lesson.base(check.step)
        return next((step.id for step in self.lesson.steps if step.id in base and step.id in self.failed), "")

    def prepare(self, check: Check, database: str) -> None:
        """Begin to start the apps of a check that comes next."""
        key = check.name, database
        if key not in self._ready and not self.waits_for(check):
            with contextlib.suppress(Failure, Unavailable):
                self._ready[key] = self._apps(check, database)
                if self.lesson.launch and not check.starts_apps:
                    self._ready[key].launch()

    def _apps(self, check: Check, database: str, *, fresh: bool = False) -> Apps:
        yours = self._app(self.submission, database, fresh=fresh)
        answer_key = solution_at(self.lesson, check.step)
        other = Reference(
            lambda: self._app(answer_key, database),
            self.memory.calls.get((check.name, database), []),
            lambda calls: self.memory.keep(check.name, database, calls),
        )
        return Apps(
            yours,
            other,
            database,
            older=lambda step: self._beside(yours, solution_at(self.lesson, step), lifespan=False),
            twin=lambda: self._beside(yours, self.submission),
        )

    def _app(self, submission: Submission, database: str, *, fresh: bool = False) -> App:
        like = self._migrated_app(submission, database) if self.lesson.migrated else None
        by_environment = self.by_environment
        return self.bench.app(submission, database, by_environment=by_environment, fresh=fresh, like=like)

    def _migrated_app(self, submission: Submission, database: str) -> App:
        """An app whose database holds what its migrations make; Failure if they fail."""
        key = submission, database
        with self._migrating:
            if key not in self._migrated:
                app = self.bench.app(submission, database, by_environment=self.by_environment)
                try:
                    app.run("alembic", "upgrade", "head")
                except BaseException:
                    self.bench.discard(app)
                    raise
                self._migrated[key] = app
            return self._migrated[key]

    @contextlib.contextmanager
    def _beside(self, app: App, submission: Submission, *, lifespan: bool = True) -> Iterator[App]:
        """A submission that serves on the database of `app`; without its start-up code as if since before."""
        other = self.bench.beside(app, submission)
        try:
            other.start(lifespan=lifespan)
            yield other
        finally:
            self.bench.discard(other, database=False)

    @cached_property
    def memory(self) -> Memory:
        """What the reference has answered before; shared by all gradings of the lesson."""
        return self.bench.memory(self.lesson)

    def perform(self, check: Check, database: str, *, fresh: bool = False) -> None:
        """Run a check; raises Failure when the submission fails it.

        A process that has served other apps is quick, and so is starting several apps at once, but a failure
        counts only in a new process, and alone. With `fresh`, that comes first.
        """
        if fresh:
            self._perform_on(self._apps(check, database, fresh=True), check)
            return
        ahead = self._ready.pop((check.name, database), None)
        apps = ahead or self._apps(check, database)
        try:
            self._perform_on(apps, check)
        except Failure as failure:
            kind = failure.finding.kind
            disturbed = ahead and kind in _BEFORE_SERVING  # two apps may want the same port, say
            if kind in _CERTAIN or not (apps.yours.reused or disturbed):
                raise
            self._start_anew()
            self._perform_on(self._apps(check, database, fresh=True), check)

    def _perform_on(self, apps: Apps, check: Check) -> None:
        self._running.add(apps)
        try:
            check.function(apps)
        except _UNREADABLE as error:
            if apps.yours.answered is None:
                raise
            raise Failure(_not_readable(apps.yours.answered, error)) from error
        except (sqlite3.OperationalError, sa.exc.OperationalError) as error:
            if "database is locked" not in str(error):
                raise
            raise Failure(_LOCKED_OUT) from error
        finally:
            self._running.discard(apps)
            apps.reference.finish()
            self._discard(apps)

    def _discard(self, apps: Apps) -> None:
        for app in (apps.yours, apps.reference.app):
            if app is not None and self._used is not None:
                app.close()
                self._used.append(app)
            elif app is not None:
                self.bench.discard(app)

    def run(self, check: Check, database: str, *, fresh: bool = False) -> Outcome:
        """Run one check. What goes wrong in it is in the outcome, never raised."""
        if waits := self.waits_for(check):
            return self.outcome(check, database, WAITS, 0.0, waits_for=waits)
        began = time.perf_counter()
        verdict, finding = PASSED, None
        try:
            self.perform(check, database, fresh=fresh)
        except Exception as error:
            verdict, finding = judge(error)
        return self.outcome(check, database, verdict, time.perf_counter() - began, finding)

    def outcome(
        self,
        check: Check,
        database: str,
        verdict: str,
        seconds: float,
        finding: Finding | None = None,
        waits_for: str = "",
    ) -> Outcome:
        """Note the result of a check."""
        if verdict == FAILED:
            self.failed.setdefault(check.step, set()).add(database)
        return Outcome(
            self.lesson.name,
            check.step,
            check.name,
            check.title,
            database,
            verdict,
            seconds,
            finding,
            waits_for,
        )

    def run_all(self, steps: Iterable[str] = ()) -> Generator[Outcome, None, None]:
        """Run the checks, the apps of the next ones started while one runs. To close it ends them."""
        tasks = self.tasks(steps)
        try:
            for index, task in enumerate(tasks):
                for coming in tasks[index : index + AHEAD]:
                    self.prepare(*coming)
                yield self.run(*task)
        finally:
            self.close()

    def run_together(
        self, steps: Iterable[str], unwanted: Callable[[], bool]
    ) -> Generator[Outcome, None, None]:
        """Run several checks at once, and give their outcomes in order, until they are `unwanted`.

        What may have gone wrong because of others, or of what a process served before, runs again, alone.
        """
        tasks, self._used = self.tasks(steps), []
        with contextlib.suppress(Unavailable):  # which each check then tells
            _ = self.submission.files  # as they are now, for all
        try:
            while tasks and not unwanted():
                done = 0
                with contextlib.closing(self._at_once(self._attempt, tasks, unwanted)) as outcomes:
                    for outcome in outcomes:
                        yield outcome
                        done += 1
                yield from self._at_once(self._alone, tasks[done : done + 1], unwanted)
                tasks = tasks[done + 1 :]
        finally:
            self.close()

    def _at_once(
        self,
        run: Callable[[Check, str], Callable[[], Outcome] | None],
        tasks: list[tuple[Check, str]],
        unwanted: Callable[[], bool],
    ) -> Generator[Outcome, None, None]:
        """The outcomes up to the first that isn't certain. When it ends, however it ends, nothing runs."""
        with ThreadPoolExecutor(_TOGETHER) as threads:
            attempts = [threads.submit(run, *task) for task in tasks]
            try:
                for (check, database), attempt in zip(tasks, attempts, strict=True):
                    while not wait([attempt], _LOOK_SECONDS).done:
                        if unwanted():
                            return
                    if (tell := attempt.result()) is None:
                        break
                    waits = self.waits_for(check)
                    yield self.outcome(check, database, WAITS, 0.0, waits_for=waits) if waits else tell()
            finally:
                left = {attempt for attempt in attempts if not attempt.cancel()}
                while left:
                    for apps in [*self._running]:
                        apps.yours.stop()
                    left = wait(left, _LOOK_SECONDS).not_done
        self.bench.host.drain(self.submission.pool)

    def _attempt(self, check: Check, database: str) -> Callable[[], Outcome] | None:
        """Run a check while others run; returns what tells its outcome, or None if that isn't certain."""
        import psutil

        began, idle = time.perf_counter(), psutil.cpu_times().idle
        verdict, finding, apps = PASSED, None, None
        try:
            apps = self._apps(check, database)
            self._perform_on(apps, check)
        except Exception as error:
            verdict, finding = judge(error)
            busy = psutil.cpu_times().idle - idle < _TIME_TO_SPARE
            if not (isinstance(error, Unavailable) or (apps and _is_certain(finding.kind, apps.yours, busy))):
                return None
        seconds = time.perf_counter() - began
        return partial(self.outcome, check, database, verdict, seconds, finding)

    def _alone(self, check: Check, database: str) -> Callable[[], Outcome]:
        outcome = self.run(check, database, fresh=True)
        return lambda: outcome

    def make_spare(self, step: str) -> bool:
        """Let a new process serve a check, and then be ready for any app; whether there is one more now.

        This is for a grading of the reference whose pool is `SPARE`.
        """
        spares = self.bench.host.spares()
        tasks = [task for task in self.tasks([step]) if self.lesson.launch and not task[0].starts_apps]
        for task in tasks[-1:]:
            with contextlib.suppress(Failure, Unavailable):
                self.perform(*task, fresh=True)
        return self.bench.host.spares() > spares

    def close(self) -> None:
        """Remove what was prepared for checks that did not run, and what was kept for later."""
        self._start_anew()
        for app in self._used or []:
            self.bench.discard(app)
        while self._migrated:
            self.bench.discard(self._migrated.popitem()[1])

    def _start_anew(self) -> None:
        """Let go of apps that were started ahead, and of processes that have served."""
        while self._ready:
            self._discard(self._ready.popitem()[1])
        self.bench.host.drain(self.submission.pool)


def _not_readable(answer: Answer, error: Exception) -> Finding:
    """What to tell of an answer with which a check could not go on."""
    return Finding(
        "difference",
        answer.asked,
        expected="what the page says: its fields, and each of its kind",
        yours=f"{answer.status}  {show(answer.body)}",
        why=f"The check could not go on with this answer ({type(error).__name__}: {error}).",
    )


def _is_certain(kind: str, app: App, busy: bool) -> bool:
    """Whether an app that failed beside others would fail alone as well."""
    if kind == "too slow":
        return not busy
    return kind in _CERTAIN or not (app.reused or kind in _BEFORE_SERVING)


@cache
def solution_at(lesson: Lesson, step: str) -> Submission:
    """The reference at a step: the solution with everything up to it done, and no more."""
    return Submission(lesson.folder, render_lesson(lesson, step), pool="reference")
