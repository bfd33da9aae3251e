"""Whatever is wrong with a learner's folder or computer: a short verdict, and nothing left behind."""

import hashlib
import os
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psutil
import pytest
from faults import (
    LESSON,
    Fault,
    grade,
    grade_without_server,
    read_faults,
    read_page,
    server_faults,
    shown,
    told,
)

from workshop import apps, processes
from workshop.apps import Submission
from workshop.grading import Bench
from workshop.lessons import ROOT, find_lesson
from workshop.processes import Host, imports_of
from workshop.render import render_lesson
from workshop.verdicts import BROKEN

FAULTS = [fault for fault in read_faults() if os.name != "nt" or not fault.posix]
GENERATE = "the page is out of date: python tests/workshop/faults.py"
SOON = 10  # seconds within which what must end has ended


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench(Host(imports_of(LESSON))) as bench:
        yield bench


# Verdicts


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: re.sub(r"\W+", "-", fault.name).strip("-"))
def test_a_fault_has_its_verdict(
    bench: Bench, fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault.hangs:  # a second is enough to see that
        monkeypatch.setattr(processes, "START_SECONDS", 1.0)
        monkeypatch.setattr(apps, "REQUEST_SECONDS", 1.0)
    desk = fault.put_into(tmp_path)
    before = tree(desk)
    outcomes = grade(bench, fault, desk)
    text = told(outcomes)
    assert_readable(text, fault.says)
    assert_readable(shown(outcomes))
    assert bool(text) == bool(fault.says)
    assert tree(desk) == before
    assert lasting(text) == lasting(read_page()[fault.name]), GENERATE


def assert_readable(text: str, says: tuple[str, ...] = ()) -> None:
    """It fits the screen, shows nothing of the tool's own, and says what matters."""
    assert max(map(len, text.splitlines()), default=0) <= 80, text
    assert not re.search(r"Traceback|workshop-run|host\.py|[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), text
    for words in says:
        assert words in " ".join(text.split()), text


def lasting(text: str) -> str:
    """A verdict without its numbers of seconds and of lines."""
    return re.sub(r"(?<=within )[\d.]+(?= s)|(?<=… )\d+(?= lines)", "N", text)


def tree(folder: Path) -> dict[str, tuple[Any, ...]]:
    """All that can be seen of a folder from outside: kinds, times, sizes, content."""
    return {os.fspath(path): _seen(path) for path in [folder, *folder.rglob("*")]}


def _seen(path: Path) -> tuple[Any, ...]:
    status, content = path.lstat(), b""
    with suppress(OSError):  # a link in a circle, a file that may not be read
        content = path.read_bytes() if path.is_file() else b""
    return status.st_mode, status.st_mtime_ns, status.st_size, hashlib.sha256(content).digest()


def test_without_postgresql_there_is_one_sentence() -> None:
    with server_faults() as faults:
        for name, environment in faults.items():
            outcomes = grade_without_server(environment)
            assert [outcome.verdict for outcome in outcomes] == [BROKEN]
            assert_readable(told(outcomes))
            assert "secret" not in told(outcomes)
            assert told(outcomes) == read_page()[name], GENERATE


def test_the_page_has_no_other_faults() -> None:
    names = {fault.name for fault in read_faults()}
    with server_faults() as faults:
        assert set(read_page()) == names | set(faults)


# The run goes on


def test_a_run_goes_on_after_an_app_that_hangs(tmp_path: Path) -> None:
    [fault] = (fault for fault in FAULTS if fault.name == "an endless loop in an async def route")
    code, text = run_pytest(fault.put_into(tmp_path), WORKSHOP_REQUEST_SECONDS="1")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert_readable(
        text, ("✓ 1.3", "✗ 1.4", "not answered within 1 s", "4 steps wait for 1.4", "3 of 8 steps done")
    )


def test_without_postgresql_the_checks_on_sqlite_run(tmp_path: Path) -> None:
    lesson = find_lesson("03")
    desk = tmp_path / lesson.name
    Submission(desk, render_lesson(lesson, "3.2")).copy_to(desk)
    nowhere = "postgresql://ann:secret@127.0.0.1:1/blog"
    report = f"--junitxml={tmp_path / 'report.xml'}"
    code, text = run_pytest(desk, "-k", "3.1 or 3.2", report, WORKSHOP_POSTGRES_URL=nowhere)
    assert code == pytest.ExitCode.TESTS_FAILED
    text = re.sub(r"- generated xml file: .*\n", "", text)  # pytest's own words
    assert_readable(text, ("? 3.1", "? 3.2", "not checked on postgresql", "127.0.0.1:1 does not answer."))
    assert text.count("does not answer") == 1
    assert not re.search("✗|wait|hint", text), text
    cases = list(ElementTree.parse(tmp_path / "report.xml").iter("testcase"))
    on_sqlite = [case for case in cases if case.get("name", "").endswith("[sqlite]")]
    assert on_sqlite
    assert not any(list(case) for case in on_sqlite), "neither failed nor skipped"


def run_pytest(desk: Path, *options: str, **variables: str) -> tuple[int, str]:
    """Run pytest on a folder, on a screen of 80 columns; returns its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", os.fspath(desk), *options],
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    return done.returncode, done.stdout


# What an app does to its process


def see_surroundings() -> dict[str, Any]:
    """Look at what an app could have changed."""
    import json
    import logging
    import os
    import sys
    from pathlib import Path

    import psutil
    from sqlalchemy.orm import Session

    return {
        "variables": sorted(os.environ),
        "folder": Path.cwd().name,
        "paths": len(sys.path),
        "modules": [name for name in sys.modules if name.startswith("leaked")],
        "levels": [logging.getLogger(name).level for name in ("", "sqlalchemy.engine")],
        "library": [json.dumps.__module__, Session.rollback.__module__],
        "programs": len(psutil.Process().children()),
    }


CHANGES = {
    "variables": "import os\nos.environ['DEBUG'] = '1'",
    "folder": "import os\nos.chdir('/')",
    "paths": "import sys\nsys.path.append('/leaked')",
    "modules": "import sys, types\nsys.modules['leaked'] = types.ModuleType('leaked')",
    "logging": "import logging\nlogging.basicConfig(level=10)\n"
    "logging.getLogger('sqlalchemy.engine').setLevel(10)",
    "programs": "import subprocess, sys\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])",
    "listeners": "from sqlalchemy import Engine, event\n"
    "event.listen(Engine, 'before_cursor_execute', lambda *_: print('leaked'))",
    "sqlmodel": "from sqlmodel import Field, SQLModel\n\n\nclass Tag(SQLModel, table=True):\n"
    "    __tablename__ = 'users'\n    id: int = Field(primary_key=True)",
}
CHANGES_OF_LIBRARIES = {
    "json": "import json\nencode = json.JSONEncoder(default=str).encode\n"
    "json.dumps = lambda value, **_: encode(value)",
    "sqlalchemy": "from sqlalchemy.orm import Session\nSession.rollback = lambda session: None",
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_an_app_changes_does_not_reach_the_next_check(bench: Bench, change: str, tmp_path: Path) -> None:
    assert_unnoticed(bench, tmp_path, CHANGES[change], pool=tmp_path.name)


@pytest.mark.parametrize("change", CHANGES_OF_LIBRARIES)
def test_no_change_at_all_reaches_another_submission(bench: Bench, change: str, tmp_path: Path) -> None:
    assert_unnoticed(bench, tmp_path, CHANGES_OF_LIBRARIES[change])


def assert_unnoticed(bench: Bench, folder: Path, code: str, pool: str = "") -> None:
    """An app that runs after one with this code finds everything as usual."""
    files = render_lesson(LESSON, LESSON.steps[-1].id)
    changed = {**files, "main.py": f"{files['main.py']}\n{code}\n"}
    usual, _ = look_around(bench, Submission(folder, files), fresh=True)
    unusual, output = look_around(bench, Submission(folder, changed, pool))
    assert unusual != usual or "leaked" in output or "sqlmodel" in code
    surroundings, output = look_around(bench, Submission(folder, files, pool))
    assert surroundings == usual
    assert "leaked" not in output


def look_around(bench: Bench, submission: Submission, *, fresh: bool = False) -> tuple[dict[str, Any], str]:
    app = bench.app(submission, "sqlite", by_environment=False, fresh=fresh)
    try:
        assert app.post("/users", json={"username": "ann"}).status == 201
        return app.probe(see_surroundings), app.output
    finally:
        bench.discard(app)


# Runs that end, however they end

CALLING = """
import socket, subprocess, sys

call = socket.create_connection(("127.0.0.1", {port}))
child = "import socket; socket.create_connection(('127.0.0.1', {port})).recv(1)"
for alone in {alone}:
    subprocess.Popen([sys.executable, "-c", child], start_new_session=alone)
"""
# A program may begin a session of its own. Only Linux lets us find it then.
ALONE = [False, True] if sys.platform == "linux" else [False]


class Run:
    """A pytest on lesson 1. Each app and the programs that it starts hold a call to us while they live."""

    def __init__(self, folder: Path, *options: str, end: str = "", terminal: int = -1) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(60)
        self.calls: list[socket.socket] = []
        top = CALLING.format(port=self.listener.getsockname()[1], alone=ALONE)
        self.desk = Fault("", "", "", (), False, False, {"top": top, "end": end}).put_into(folder)
        self.temporary = folder.parent
        self.mark = uuid.uuid4().hex
        self.output = folder / "output.txt"
        self.process = self._start(["-p", "no:cacheprovider", *options], terminal)

    def _start(self, options: list[str], terminal: int) -> "subprocess.Popen[bytes]":
        places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), os.fspath(self.temporary))
        limits = {"WORKSHOP_START_SECONDS": "60", "WORKSHOP_REQUEST_SECONDS": "60"}
        with self.output.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "pytest", os.fspath(self.desk), *options],
                cwd=ROOT,
                env={**os.environ, **places, **limits, "RUN_MARK": self.mark, "COLUMNS": "80"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=None if terminal < 0 else lambda: use_terminal(terminal),  # noqa: PLW1509
            )

    def left_files(self) -> list[Path]:
        return list(self.temporary.glob("workshop-*"))

    def wait_for_a_call(self) -> None:
        """Wait until an app has been started."""
        self.calls.append(self.listener.accept()[0])

    def wait(self) -> int:
        return self.process.wait(60)

    def assert_nothing_runs(self) -> None:
        """Everyone has hung up, and no process has inherited this run's environment."""
        self.listener.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.calls.append(self.listener.accept()[0])
        for call in self.calls:
            call.settimeout(SOON)
            with suppress(ConnectionResetError):
                assert call.recv(1) == b"", "something still runs"
        _, left = psutil.wait_procs(list(processes_with(self.mark)), SOON)
        assert not left

    def close(self) -> None:
        """Leave nothing of a failed test."""
        self.process.kill()
        self.process.wait()
        for process in processes_with(self.mark):
            process.kill()
        for call in self.calls:
            call.close()
        self.listener.close()


def use_terminal(terminal: int) -> None:
    """Let a new process be controlled by the terminal, without changing where it prints."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def processes_with(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("RUN_MARK") == mark:
                yield process


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(*options: str, **more: Any) -> Run:
        folder = tmp_path / str(len(runs))
        folder.mkdir()
        runs.append(Run(folder, *options, **more))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


HANGS = "call.recv(1)"


def test_a_run_leaves_nothing(run: Callable[..., Run]) -> None:
    whole = run("-k", "1.1", end="import os\nos.makedirs('locked/folder')\nos.chmod('locked', 0)")
    whole.wait_for_a_call()
    assert whole.wait() == 0
    whole.assert_nothing_runs()
    assert not whole.left_files()


def test_a_run_that_stops_at_the_first_failure_leaves_nothing(run: Callable[..., Run]) -> None:
    stopped = run("-k", "1.1 or 1.4", "-x", end="engine = None")
    stopped.wait_for_a_call()
    assert stopped.wait() == 1
    stopped.assert_nothing_runs()
    assert not stopped.left_files()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_ctrl_c_leaves_nothing(run: Callable[..., Run]) -> None:
    keyboard, screen = os.openpty()
    stopped = run(end=HANGS, terminal=screen)
    stopped.wait_for_a_call()
    os.write(keyboard, b"\x03")
    assert stopped.wait() == pytest.ExitCode.INTERRUPTED
    stopped.assert_nothing_runs()
    assert not stopped.left_files()
    os.close(keyboard)
    os.close(screen)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_sigterm_leaves_nothing(run: Callable[..., Run]) -> None:
    stopped = run(end=HANGS)
    stopped.wait_for_a_call()
    stopped.process.terminate()
    assert stopped.wait() != 0
    stopped.assert_nothing_runs()
    assert not stopped.left_files()


def test_the_run_after_a_killed_one_removes_its_folder(run: Callable[..., Run]) -> None:
    killed = run(end=HANGS)
    killed.wait_for_a_call()
    killed.process.kill()
    killed.wait()
    killed.assert_nothing_runs()
    assert killed.left_files()
    following = run("-k", "1.1")
    following.wait_for_a_call()
    assert following.wait() == 0
    assert not following.left_files()
