"""The command `workshop`: where a learner is, hints, the database, any terminal, and a closed folder."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workshop import cli, progress
from workshop.lessons import ROOT, Step, all_lessons

LESSONS = [lesson for lesson in all_lessons() if lesson.steps]
FIRST = LESSONS[0].steps[0]
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that holds a learner's progress, for this test alone."""
    monkeypatch.setattr(progress, "STATE", tmp_path / ".workshop" / "progress.json")
    monkeypatch.setenv("COLUMNS", "80")
    return progress.STATE


@pytest.fixture
def run(state: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process; gives its exit code and all that it says."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["workshop", *arguments])
        code = cli.main()
        output = capfd.readouterr()
        return code, output.out + output.err

    return run


# Where am I


def test_the_first_screen(run: Run) -> None:
    code, output = run()
    assert code == 0
    lines = output.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    places = [output.index(lesson.name) for lesson in all_lessons()]
    assert places == sorted(places)
    assert f"  → {LESSONS[0].name}" in output
    assert f"0 of {len(LESSONS[0].steps)} steps" in output
    assert f"Next: {FIRST.id} {FIRST.title}" in output
    for command in ("lessons/01_sqlite/README.md", "pytest lessons/01", f"workshop hint {FIRST.id}"):
        assert command in output


def test_the_first_screen_later(run: Run) -> None:
    progress.note({step.id: True for step in LESSONS[0].steps})
    progress.note({LESSONS[1].steps[0].id: False})
    code, output = run()
    assert code == 0
    total = len(LESSONS[0].steps)
    assert re.search(rf"  ✓ {LESSONS[0].name} +{total} of {total} steps", output)
    assert f"  → {LESSONS[1].name}" in output
    assert f"Next: {LESSONS[1].steps[0].id} " in output
    assert "pytest lessons/02" in output


def test_the_first_screen_in_a_lesson_with_parts(run: Run) -> None:
    [*before, lesson] = LESSONS
    progress.note({step.id: True for one in before for step in one.steps})
    progress.note({step.id: True for step in lesson.steps[:5]})
    _, output = run()
    assert f"  → {lesson.name}" in output
    found = dict(re.findall(r"^ {23}(\w+) +(\d+ of \d+)$", output, re.MULTILINE))
    parts = dict.fromkeys(step.part for step in lesson.steps)
    assert list(found) == list(parts)
    assert sum(int(done.split()[0]) for done in found.values()) == 5


def test_the_first_screen_at_the_end(run: Run) -> None:
    progress.note({step.id: True for lesson in LESSONS for step in lesson.steps})
    code, output = run()
    assert code == 0
    assert "Every step of every lesson is done." in output
    assert "Next:" not in output
    assert run("hint") == (1, "Every step is done.\n")


# Hints


def squeezed(text: str) -> str:
    """A text without its spaces and line ends, which wrapping may change."""
    return "".join(text.replace("```python", "").replace("```sql", "").replace("```", "").split())


def test_hints_come_one_after_another_and_are_remembered(run: Run) -> None:
    step = LESSONS[0].steps[1]
    total = len(step.hints)
    for number, hint in enumerate([*step.hints, step.hints[-1]], 1):
        code, output = run("hint", step.id)
        assert code == 0
        shown = min(number, total)
        assert f"{step.id} {step.title}  hint {shown} of {total}\n" in output
        assert squeezed(hint) in squeezed(output)
        assert (f"The next hint: workshop hint {step.id}" in output) == (number < total)
    assert f"hint 1 of {len(FIRST.hints)}" in run("hint", FIRST.id)[1], "each step has its own count"


def test_a_hint_may_be_asked_for_by_number(run: Run) -> None:
    step = LESSONS[0].steps[1]
    for number in (2, 1, 2):
        assert f"hint {number} of {len(step.hints)}" in run("hint", step.id, str(number))[1]
    assert f"hint {len(step.hints)} of" in run("hint", step.id, "99")[1]


def test_a_hint_without_a_step_is_for_the_next_one(run: Run) -> None:
    assert f"{FIRST.id} {FIRST.title}" in run("hint")[1]
    progress.note({FIRST.id: True})
    assert LESSONS[0].steps[1].title in run("hint")[1]


@pytest.mark.parametrize(
    "step", [step for lesson in LESSONS for step in lesson.steps], ids=lambda step: step.id
)
def test_every_hint_arrives_whole_and_line_by_line(run: Run, step: Step) -> None:
    """What looks like Markdown in code, __file__ or # a comment, is code."""
    for number, hint in enumerate(step.hints, 1):
        lines = run("hint", step.id, str(number))[1].splitlines()
        assert squeezed(hint) in squeezed("\n".join(lines))
        beginnings = {line.strip()[:30] for line in lines}
        for line in hint.splitlines():
            assert line.startswith("```") or line.strip()[:30] in beginnings, "a line of its own"


@pytest.mark.parametrize("wrong", ["9.9", "1.99", "x", "1", "1.1.1"])
def test_a_wrong_step(run: Run, wrong: str) -> None:
    code, output = run("hint", wrong)
    assert code == 1
    assert output.startswith(f"No step is called '{wrong}'. The steps are:\n")
    for lesson in LESSONS:
        assert f"  {lesson.steps[0].id} to {lesson.steps[-1].id}\n" in output


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("hint", "1.1", "2", "x"), ("db", "nonsense"), ("--nope",), ("db", "stop", "x")],
)
def test_wrong_arguments(run: Run, arguments: tuple[str, ...]) -> None:
    code, output = run(*arguments)
    assert code == 2
    assert "Usage:" in output
    assert arguments[-1] in output
    assert "Traceback" not in output


@pytest.mark.parametrize("arguments", [(), ("hint",), ("db",), ("db", "psql")])
def test_help(run: Run, arguments: tuple[str, ...]) -> None:
    code, output = run(*arguments, "--help")
    assert code == 0
    assert "Usage:" in output
    assert max(map(len, output.splitlines())) <= 80


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"version": 99, "done": {"1.1": true}, "hints": {}}',
        '{"version": 1, "done": [], "hints": {}}',
        '{"version": 1, "done": {}, "hints": {"1.1": "x"}}',
        '{"version": 1, "done": {}, "hints": {"1.1": -7}}',
        '{"version": 1, "done": {}, "hints": {"1.1": [1]}}',
        "\udcff",
    ],
)
def test_a_damaged_state_is_forgotten(run: Run, state: Path, content: str) -> None:
    state.parent.mkdir()
    state.write_bytes(content.encode(errors="surrogateescape"))
    assert run()[0] == 0
    assert "hint 1 of" in run("hint", "1.1")[1]
    assert "hint 2 of" in run("hint", "1.1")[1]
    assert json.loads(state.read_text(encoding="utf-8"))["hints"] == {"1.1": 2}


# The database


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for a server of its own. When root runs the tests, others must be able to enter."""
    folder = Path(tempfile.mkdtemp(prefix="workshop cli "))
    folder.chmod(0o755)
    monkeypatch.setenv("WORKSHOP_CACHE", str(folder))
    monkeypatch.delenv("WORKSHOP_POSTGRES_URL", raising=False)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_the_database(run: Run, cache: Path) -> None:
    not_running = (0, "PostgreSQL doesn't run. It starts when a check needs it.\n")
    assert run("db") == not_running
    assert run("db", "stop") == (0, "It wasn't running.\n")
    try:
        code, url = run("db", "url")
        assert code == 0
        assert re.fullmatch(r"postgresql://postgres@\S+\n", url)
        assert run("db") == (0, f"PostgreSQL runs: {url}"), "in one piece, for copying"

        code, output = run("db", "psql", "-X", "-A", "-t", "-c", "SELECT 6 * 7")
        assert (code, output.strip()) == (0, "42")
        assert run("db", "psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", "SELECT nonsense")[0] == 1
    finally:
        assert run("db", "stop") == (0, "Stopped.\n")
    assert run("db") == not_running


def test_a_server_that_was_named(run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_POSTGRES_URL", "postgresql://ann:s3cret@db.example:5432/postgres")
    code, output = run("db")
    assert code == 0
    assert "postgresql://ann:***@db.example:5432/postgres" in output
    assert "s3cret" not in output

    monkeypatch.setenv("WORKSHOP_POSTGRES_URL", "nonsense")
    for command in ([], ["url"], ["psql"]):
        code, output = run("db", *command)
        assert code == 1
        assert output.startswith("WORKSHOP_POSTGRES_URL is not an address")
        assert output.count("\n") == 1


def test_a_cache_that_cannot_be_made(run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / "file").touch()
    monkeypatch.setenv("WORKSHOP_CACHE", str(cache / "file"))
    code, output = run("db", "url")
    assert code == 1
    assert output.startswith("PostgreSQL has no folder for its data. Set WORKSHOP_CACHE")


# Real processes: terminals, pipes, and a clone that can't be written to


def workshop(*arguments: str, clone: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[bytes]:
    left_out = {"NO_COLOR", "FORCE_COLOR", "PYTHONUTF8"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    return subprocess.run(
        [sys.executable, "-m", "workshop", *arguments],
        cwd=clone,
        env=environment | {"COLUMNS": "80", "PYTHONPATH": str(clone)} | variables,
        check=False,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def closed_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with a space in its name, in which progress can't be written: not even by root."""
    clone = tmp_path_factory.mktemp("clones") / "my clone"
    shutil.copytree(ROOT / "workshop", clone / "workshop", ignore=shutil.ignore_patterns("__pycache__"))
    for lesson in all_lessons():
        for steps in lesson.checks.rglob("steps.toml"):
            target = clone / steps.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(steps, target)
    (clone / ".workshop").write_text("a file where a folder should be", encoding="utf-8")
    return clone


def test_a_clone_that_is_read_only(closed_clone: Path) -> None:
    assert workshop(clone=closed_clone).returncode == 0
    for number in (1, 2):
        result = workshop("hint", FIRST.id, str(number), clone=closed_clone)
        assert (result.returncode, result.stderr) == (0, b"")
        assert f"hint {number} of" in result.stdout.decode()


def test_piped_output_has_no_colour_and_no_trailing_spaces(closed_clone: Path) -> None:
    output = workshop(clone=closed_clone, PYTHONIOENCODING="utf-8").stdout.decode()
    assert "\x1b" not in output
    assert "→" in output
    assert not re.search(r" $", output, re.MULTILINE)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_old_terminal_gets_ascii(closed_clone: Path, encoding: str) -> None:
    result = workshop(clone=closed_clone, PYTHONIOENCODING=encoding)
    assert result.returncode == 0
    assert "  -> 01_sqlite" in result.stdout.decode(encoding)


def test_colour_is_asked_for_and_refused(closed_clone: Path) -> None:
    coloured = workshop(clone=closed_clone, FORCE_COLOR="1", TERM="xterm-256color").stdout.decode()
    refused = workshop(
        clone=closed_clone, FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1"
    ).stdout.decode()
    assert "\x1b[36m" in coloured
    assert not re.search(r"\x1b\[[\d;]*3\d", refused)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals in Python")
def test_a_dumb_terminal_gets_plain_text(closed_clone: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "dumb", "COLUMNS": "80", "PYTHONPATH": str(closed_clone)}
    command = [sys.executable, "-m", "workshop"]
    code = subprocess.call(command, cwd=closed_clone, env=environment, stdout=theirs)
    os.close(theirs)
    output = os.read(ours, 10_000)
    os.close(ours)
    assert code == 0
    assert b"FastAPI and databases" in output
    assert b"\x1b" not in output
