"""The pytest plugin: ``pytest lessons/03`` runs the checks of lesson 3 on the learner's folder.

The name of a folder is rewritten to the lesson's checks, which are ordinary pytest tests, so that
pytest's own options keep working. The reporter is made for learners.
"""

import gc
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from workshop.lessons import (
    CHECKS,
    DATABASES,
    LESSONS,
    ROOT,
    SOLUTIONS,
    Lesson,
    UnknownLesson,
    all_lessons,
    find_lesson,
)

_OPTION = "--submission"


# Which folder is graded


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("workshop", "lessons")
    group.addoption("--db", choices=list(DATABASES), help="check on one database only")
    group.addoption(
        _OPTION,
        action="append",
        default=[],
        metavar="FOLDER",
        help="a folder to grade that is named as a lesson",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Put the lesson's checks in the place of the folder that the learner named."""
    known = early_config.known_args_namespace
    named = [str(name) for name in known.file_or_dir]
    if not named and _targets(str(Path.cwd())):
        args.append(str(Path.cwd()))
        named = [args[-1]]
    submissions: dict[str, Path] = {}
    known.file_or_dir = []  # where pytest looks for conftest.py: not in the learner's folder
    for name in named:
        replaced = _targets(name)
        if replaced is None:
            known.file_or_dir.append(name)
            continue
        place = args.index(name)
        args[place : place + 1] = [str(find_lesson(folder.name).checks) for folder in replaced]
        known.file_or_dir += args[place : place + len(replaced)]
        for folder in replaced:
            if submissions.setdefault(folder.name, folder) != folder:
                raise pytest.UsageError(f"one run grades one folder of {folder.name}: name one of them")
    args += [f"{_OPTION}={folder}" for folder in submissions.values()]
    if submissions and early_config.rootpath != ROOT:
        args.append("--import-mode=importlib")
        early_config._rootpath = ROOT  # its cache and its ids belong here, not into a submission


def _lesson_at(folder: Path) -> Lesson | None:
    """The lesson of a folder that is named as one, unless it is the folder of its checks."""
    if folder.resolve().parent == CHECKS:
        return None
    return next((lesson for lesson in all_lessons() if lesson.name == folder.name), None)


def _targets(name: str) -> list[Path] | None:
    """The submissions that an argument means; None if it is none of ours."""
    if "::" in name:
        return None
    path = Path(name).absolute()
    if not path.exists() and Path(name).parts[:1] in {(LESSONS.name,), (SOLUTIONS.name,)}:
        path = ROOT / name  # from wherever in the course one stands
    if path.is_file() and not path.name.startswith("test_") and _lesson_at(path.parent):
        path = path.parent  # a file of a lesson is not a test file
    if path.is_dir():
        if path.resolve().parent == CHECKS or path.resolve() in (CHECKS, ROOT):
            return None
        if (lesson := _lesson_at(path)) is not None:
            return [_with_steps(lesson, path)]
        inside = [
            path / lesson.name for lesson in all_lessons() if lesson.steps and (path / lesson.name).is_dir()
        ]
        return inside or None
    return _by_prefix(path)


def _by_prefix(path: Path) -> list[Path] | None:
    """`lessons/03`: no such folder, but the beginning of a lesson's name."""
    if path.parent == ROOT and path.name[:1].isdigit():
        path = LESSONS / path.name
    is_room = path.parent in (LESSONS, SOLUTIONS) or any(
        (path.parent / lesson.name).is_dir() for lesson in all_lessons()
    )
    if path.exists() or not is_room or path.suffix:
        return None
    try:
        lesson = find_lesson(path.name)
    except UnknownLesson as error:
        raise pytest.UsageError(str(error)) from None
    if path.parent == CHECKS:
        return [_with_steps(lesson, lesson.folder)]
    folder = _with_steps(lesson, path.parent / lesson.name)
    if not folder.is_dir():
        raise pytest.UsageError(f"there is no folder {lesson.name} in {path.parent}")
    return [folder]


def _with_steps(lesson: Lesson, folder: Path) -> Path:
    if not lesson.steps:
        raise pytest.UsageError(f"lesson {lesson.number}, {lesson.title}, has no checks yet")
    return folder


# Running the checks


class Run:
    """What this pytest run grades, made when the first check needs it."""

    def __init__(self, config: pytest.Config) -> None:
        folders = [Path(folder) for folder in config.getoption(_OPTION)]
        chosen = config.getoption("--db")
        self.folders = {folder.name: folder for folder in folders}
        self.databases = [DATABASES[chosen]] if chosen else []
        self._gradings: dict[str, Any] = {}
        self._bench: Any = None
        self._host: Any = None

    def folder(self, lesson: Lesson) -> Path:
        """The folder that is graded for a lesson: the learner's, unless another was named."""
        return self.folders.get(lesson.name, lesson.folder)

    def start_host(self, lessons: list[Lesson]) -> None:
        """Start the process that makes the apps' processes, for what it imports takes a while."""
        from workshop.processes import Host, imports_of

        if self._host is None:
            self._host = Host(imports_of(*lessons))

    def open(self, lessons: list[Lesson]) -> None:
        """Start the processes that the checks of these lessons need, without waiting for them."""
        if self._bench is None and lessons:
            self.start_host(lessons)
            from workshop.grading import Bench

            self._bench = Bench(self._host, lambda text: print(f"  {text}", file=sys.stderr))
            if any(
                "postgresql" in (self.databases or lesson.databases)
                for lesson in lessons
                if "postgresql" in lesson.databases
            ):
                self._bench.prepare_postgres()

    def grading(self, lesson: Lesson) -> Any:
        """The grading of a lesson's folder."""
        from workshop.apps import Submission
        from workshop.grading import Grading

        if lesson.name not in self._gradings:
            self.open([lesson])
            submission = Submission(self.folder(lesson))
            self._gradings[lesson.name] = Grading(self._bench, lesson, submission, self.databases)
        return self._gradings[lesson.name]

    def close(self) -> None:
        """Leave nothing behind."""
        for grading in self._gradings.values():
            grading.close()
        if self._bench is not None:
            self._bench.close()
        elif self._host is not None:
            self._host.close()


_RUN = pytest.StashKey[Run]()


def _lesson_of(item: pytest.Item) -> Lesson | None:
    """The lesson to whose checks an item belongs."""
    if getattr(getattr(item, "function", None), "check", None) is None:
        return None
    return next((lesson for lesson in all_lessons() if lesson.checks in item.path.parents), None)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RUN] = Run(config)
    if config.getoption(_OPTION) and not config.getoption("collectonly"):
        _use_reporter(config)
        _clean_up_when_told_to_stop()
        if not _is_controller(config):
            run = config.stash[_RUN]
            run.start_host([find_lesson(name) for name in run.folders])  # while pytest looks for the checks


def _is_controller(config: pytest.Config) -> bool:
    """Whether other processes run the checks."""
    return bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")


def _clean_up_when_told_to_stop() -> None:
    """A closed terminal or a CI that cancels ends the run as Ctrl-C does."""
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda number, _: pytest.exit("stopped", 128 + number))


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if _RUN in config.stash:
        config.stash[_RUN].close()
    if config.getoption(_OPTION, None):
        gc.freeze()  # pytest collects garbage ten times before it ends, which takes longer than many a check


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    check = getattr(metafunc.function, "check", None)
    lesson = next((one for one in all_lessons() if one.checks in metafunc.definition.path.parents), None)
    if check is None or lesson is None:
        return
    from workshop.grading import databases_of

    databases = databases_of(lesson, check, metafunc.config.stash[_RUN].databases)
    metafunc.parametrize("apps", databases)


def _database_of(item: pytest.Item) -> Any:
    """The name of the database a check runs on; no text if ``--db`` excludes all of them."""
    return item.callspec.params["apps"]  # type: ignore[attr-defined]


def _deselect(config: pytest.Config, items: list[pytest.Item], unwanted: list[pytest.Item]) -> None:
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let ``-k 3.2`` select a step."""
    if _lesson_of(item):
        item.extra_keyword_matches.add(item.function.check.step)  # type: ignore[attr-defined]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Checks run in the order of their steps."""
    ours = {item: lesson for item in items if (lesson := _lesson_of(item))}

    def place(item: pytest.Item) -> tuple[Any, ...]:
        lesson = ours.get(item)
        if lesson is None:
            return ("",)
        order = [step.id for step in lesson.steps]
        return (lesson.name, order.index(item.function.check.step))  # type: ignore[attr-defined]

    items.sort(key=place)
    _deselect(config, items, [item for item in ours if not isinstance(_database_of(item), str)])
    if re.fullmatch(r"\d+\.\d+", wanted := config.getoption("keyword")):  # 3.1 is not 3.10
        others = [item for item in items if item in ours and item.function.check.step != wanted]  # type: ignore[attr-defined]
        _deselect(config, items, others)
    run = config.stash[_RUN]
    if not config.getoption("collectonly") and not _is_controller(config):
        run.open(list(dict.fromkeys(ours.values())))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Start the apps of this check and of those that follow, so that they needn't wait."""
    items = item.session.items
    place = items.index(item)
    from workshop.grading import AHEAD

    for coming in items[place : place + AHEAD]:
        if lesson := _lesson_of(coming):
            grading = item.config.stash[_RUN].grading(lesson)
            grading.prepare(coming.function.check, _database_of(coming))  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a check with a learner's app beside the reference, on fresh databases."""
    lesson = _lesson_of(pyfuncitem)
    if lesson is None:
        return None
    grading = pyfuncitem.config.stash[_RUN].grading(lesson)
    check = pyfuncitem.function.check
    if step := grading.waits_for(check):
        pytest.skip(f"waits for {step}")
    try:
        grading.perform(check, _database_of(pyfuncitem))
    except pytest.exit.Exception:
        raise
    except Exception as error:
        raise pytest.fail.Exception(pytrace=False) from error  # to lay out a traceback takes a while
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Give the report the outcome as plain data."""
    report = yield
    lesson = _lesson_of(item)
    if lesson is None or call.when == "teardown" or (call.when == "setup" and report.passed):
        return report
    outcome = _outcome(item, lesson, call, report)
    report.workshop = outcome.to_dict()
    if outcome.finding is not None:
        from workshop.report import outcome_text

        report.longrepr = outcome_text(outcome)
    return report


def _outcome(
    item: pytest.Item, lesson: Lesson, call: "pytest.CallInfo[None]", report: pytest.TestReport
) -> Any:
    from workshop.grading import judge
    from workshop.verdicts import PASSED, WAITS

    grading = item.config.stash[_RUN].grading(lesson)
    check, database = item.function.check, _database_of(item)  # type: ignore[attr-defined]
    if report.skipped:
        return grading.outcome(check, database, WAITS, 0.0, waits_for=grading.waits_for(check))
    verdict, finding = PASSED, None
    if call.excinfo:
        error = call.excinfo.value
        verdict, finding = judge(error.__cause__ or error)
    return grading.outcome(check, database, verdict, call.duration, finding)


# The reporter


def _use_reporter(config: pytest.Config) -> None:
    standard = config.pluginmanager.getplugin("terminalreporter")
    if standard is None or hasattr(config, "workerinput"):
        return
    config.pluginmanager.unregister(standard)
    config.pluginmanager.register(LearnersReporter(config), "terminalreporter")


class LearnersReporter(pytest.TerminalReporter):  # type: ignore[misc]  # there is no other way
    """pytest's reporter, but silent until there is something that a learner can use."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config)
        self._boards: dict[str, Any] = {}
        self._planned: dict[str, dict[str, int]] = {}
        self._shown: set[str] = set()
        self._began = time.perf_counter()

    # Silent, unless asked to be verbose

    @property
    def _plain(self) -> bool:
        return self.verbosity > 0

    @property
    def showheader(self) -> bool:
        return self._plain

    def pytest_collection(self) -> None:
        if self._plain:
            super().pytest_collection()

    def report_collect(self, final: bool = False) -> None:
        if self._plain or self.stats.get("error"):
            super().report_collect(final)

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        if self._plain:
            super().pytest_runtest_logstart(nodeid, location)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = getattr(report, "workshop", None)
        if self._plain or (data is None and report.when == "call"):
            super().pytest_runtest_logreport(report)
        else:
            self._count(report)
        if data is not None:
            self._note(data)

    def _count(self, report: pytest.TestReport) -> None:
        status = self.config.hook.pytest_report_teststatus(report=report, config=self.config)
        self._add_stats(status[0], [report])

    # The steps

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            if lesson := _lesson_of(item):
                steps = self._planned.setdefault(lesson.name, {})
                step = item.function.check.step  # type: ignore[attr-defined]
                steps[step] = steps.get(step, 0) + 1
        if self._plain:
            super().pytest_collection_finish(session)

    def _board(self, name: str) -> Any:
        from workshop.grading import count_checks
        from workshop.report import Board

        if name not in self._boards:
            lesson = find_lesson(name)
            run = self.config.stash[_RUN]
            databases = [one for one in lesson.databases if one in (run.databases or lesson.databases)]
            board = Board(lesson, _shown_path(run.folder(lesson)), databases, self._tw.fullwidth)
            board.checks = count_checks(lesson, databases)
            self._boards[name] = board
            if not self._plain:
                self._print([[]] * (len(self._boards) > 1))
                self._print(board.header())
        return self._boards[name]

    def _note(self, data: dict[str, Any]) -> None:
        from workshop.verdicts import Outcome

        outcome = Outcome.from_dict(data)
        board = self._board(outcome.lesson)
        board.add(outcome)
        planned = self._planned.get(outcome.lesson, {})
        if not self._plain and len(board.outcomes[outcome.step]) == planned.get(outcome.step):
            self._show_step(board, outcome.step)

    def _show_step(self, board: Any, step_id: str) -> None:
        if (key := f"{board.lesson.name} {step_id}") not in self._shown:
            self._shown.add(key)
            self._print(board.step_lines(board.lesson.step(step_id), everything=self.verbosity > 1))

    def summary_failures(self) -> None:
        """Checks are shown by step; anything else that failed, as pytest does."""
        if any(not hasattr(report, "workshop") for report in self.stats.get("failed", [])):
            super().summary_failures()

    def summary_errors(self) -> None:
        if any(not hasattr(report, "workshop") for report in self.stats.get("error", [])):
            super().summary_errors()

    def short_test_summary(self) -> None:
        """The steps are the summary."""

    def summary_stats(self) -> None:
        seconds = time.perf_counter() - self._began
        for name in sorted(self._boards):
            board = self._boards[name]
            if self._plain:
                self._tw.line()
                self._print(board.header())
            for step in board.lesson.steps:
                if step.id in board.outcomes:
                    self._show_step(board, step.id)
            self._print(board.closing(seconds, _after(board.lesson), named=len(self._boards) > 1))
            self._remember(board)
        if self._plain or not self._boards:
            super().summary_stats()

    def _remember(self, board: Any) -> None:
        if self.config.stash[_RUN].folder(board.lesson) == board.lesson.folder:
            from workshop import progress

            checked = [step for step in board.lesson.steps if step.id in board.outcomes]
            known = [step for step in checked if board.failed(step) or not board.partly(step)]
            progress.note({step.id: board.done(step) for step in known})

    def _print(self, lines: Any) -> None:
        from workshop.report import to_encoding

        encoding = getattr(self._tw._file, "encoding", None)
        for line in lines:
            for text, style in line:
                self._tw.write(to_encoding(text, encoding), **_MARKUP[style])
            self._tw.line()
        self._tw.flush()


_MARKUP: dict[str, dict[str, bool]] = {
    "": {},
    "good": {"green": True},
    "bad": {"red": True},
    "dim": {"light": True},
    "bold": {"bold": True},
}


def _shown_path(folder: Path) -> str:
    """A folder as a person would name it from where they stand."""
    for base in (ROOT, Path.cwd()):
        if folder.is_relative_to(base):
            return folder.relative_to(base.parent if folder == base else base).as_posix()
    return os.fspath(folder)


def _after(lesson: Lesson) -> Lesson | None:
    later = [one for one in all_lessons() if one.name > lesson.name and one.steps]
    return later[0] if later else None
