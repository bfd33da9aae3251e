"""The pytest plugin, in real processes: in a clone with a space in its name, with lessons half done."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest

from workshop.lessons import ROOT, all_lessons
from workshop.render import render, render_lesson

FIRST = all_lessons()[0]
DONE, ALSO_DONE, TO_DO, *LATER = FIRST.steps
DONE_CHECKS = "the_database_is_a_file or the_file_is_found"  # those of its first step

# A lesson of four routes, so that a run takes no time. Its checks lie in no order.
TINY = {
    "tests/07_tiny/steps.toml": """
        title = "Tiny"
        minutes = 40
        about = "Four routes."
        databases = ["sqlite", "postgresql"]
        step = [
            {id = "7.1", title = "One", minutes = 10, hints = ["a", "b"]},
            {id = "7.2", title = "Two", minutes = 10, hints = ["a", "b"]},
            {id = "7.3", title = "Three", minutes = 10, hints = ["a", "b"], needs = []},
            {id = "7.10", title = "Ten", minutes = 10, hints = ["a", "b"]},
        ]
    """,
    "tests/07_tiny/test_a.py": """
        from workshop.checks import Apps, step

        @step("7.10")
        def test_ten(apps: Apps) -> None:
            \"""GET /10 answers 10.\"""
            apps.get("/10")

        @step("7.2")
        def test_two(apps: Apps) -> None:
            \"""GET /2 answers 2.\"""
            apps.get("/2")
    """,
    "tests/07_tiny/test_b.py": """
        from workshop.checks import Apps, step

        @step("7.3")
        def test_three(apps: Apps) -> None:
            \"""GET /3 answers 3.\"""
            apps.get("/3")

        @step("7.1")
        def test_one(apps: Apps) -> None:
            \"""GET /1 answers 1.\"""
            apps.get("/1", why="One is one.")

        @step("7.1", databases=["sqlite"])
        def test_one_again(apps: Apps) -> None:
            \"""GET /1 answers 1 a second time.\"""
            apps.get("/1")
            apps.get("/1")
    """,
    "solutions/07_tiny/main.py": """
        from fastapi import FastAPI

        app = FastAPI()


        # region step 7.1: four numbers
        # starter: # TODO 7.1, 7.2, 7.3, 7.10
        @app.get("/{number}")
        def read(number: int) -> int:
            return number


        # endregion
    """,
}
TINY_ANSWER = dedent("""
    from fastapi import FastAPI

    app = FastAPI()


    @app.get("/{number}")
    def read(number: int) -> int:
        return number if number == 3 else 0
""")


@dataclass(frozen=True)
class Result:
    """What one process of pytest came to."""

    code: int
    output: str

    @property
    def steps(self) -> list[str]:
        """The marks: ``"✓ 1.1"``."""
        return re.findall(r"^  ([✓✗?+x] \d+\.\d+)", self.output, re.MULTILINE)

    @property
    def ids(self) -> list[str]:
        return re.findall(r"^\S+::\S+$", self.output, re.MULTILINE)


class Clone:
    """A copy of what a learner has, in a folder with a space in its name."""

    def __init__(self, parent: Path) -> None:
        self.folder = parent / "my clone"
        left_out = shutil.ignore_patterns("__pycache__", ".*cache", "blog.db*", "alternatives", "workshop")
        shutil.copytree(ROOT / "workshop", self.folder / "workshop", ignore=left_out)
        shutil.copy(ROOT / "pyproject.toml", self.folder)
        shutil.copytree(ROOT / "tests", self.folder / "tests", ignore=left_out)
        shutil.copytree(ROOT / "solutions", self.folder / "solutions", ignore=left_out)
        self.write({path: dedent(text).lstrip() for path, text in TINY.items()})
        self.write({"lessons/07_tiny/main.py": TINY_ANSWER, "lessons/07_tiny/README.md": "# Tiny\n"})
        self.write({"tests/08_later/steps.toml": 'title = "Later"\nminutes = 1\nabout = "Later"\n'})
        for lesson in all_lessons():
            if lesson.steps:
                done = ALSO_DONE.id if lesson == FIRST else lesson.starter
                files = render_lesson(lesson, done)
                self.write({f"lessons/{lesson.name}/{path}": text for path, text in files.items()})
            self.write({f"lessons/{lesson.name}/README.md": "Read me.\n"})

    def write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8", newline="\n")

    def pytest(
        self, *arguments: str, cwd: str | Path = "", encoding: str = "utf-8", **variables: str
    ) -> Result:
        """Run ``python -m pytest`` as a person would, in a folder of the clone or another one."""
        left_out = ("PYTEST_", "NO_COLOR", "FORCE_COLOR", "CI", "PYTHONUTF8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        environment |= {"COLUMNS": "80", "PYTHONIOENCODING": encoding, "PYTHONPATH": str(self.folder)}
        process = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=self.folder / cwd,
            env=environment | variables,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        return Result(process.returncode, process.stdout.decode(encoding).replace("\r\n", "\n"))

    def together(self, *commands: list[str], cwd: str | Path = "", **variables: str) -> list[Result]:
        """Run several at the same time."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda one: self.pytest(*one, cwd=cwd, **variables), commands))

    def done(self) -> dict[str, bool]:
        """The steps that are noted as done or not."""
        found: dict[str, bool] = json.loads((self.folder / ".workshop/progress.json").read_text())["done"]
        return found


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("clones"))


def test_a_lesson_half_done(clone: Clone) -> None:
    """The first thing to do on top, under a screenful, silence about what waits."""
    desk = clone.folder / "lessons" / FIRST.name
    before = sorted(path.name for path in desk.iterdir())
    result = clone.pytest("lessons/01")
    assert result.code == 1
    lines = result.output.splitlines()
    assert lines[0] == f"lessons/{FIRST.name} · {FIRST.title} · sqlite"
    assert lines[2:5] == [
        f"  ✓ {DONE.id}  {DONE.title}",
        f"  ✓ {ALSO_DONE.id}  {ALSO_DONE.title}",
        f"  ✗ {TO_DO.id}  {TO_DO.title}",
    ]
    assert result.steps == [f"✓ {DONE.id}", f"✓ {ALSO_DONE.id}", f"✗ {TO_DO.id}"]
    assert f"hint: workshop hint {TO_DO.id}" in result.output
    assert f"  · {len(LATER)} steps wait for {TO_DO.id}" in lines
    assert re.fullmatch(rf"2 of {len(FIRST.steps)} steps done · \d+\.\d s", lines[-1])
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert not any(step.title in result.output for step in LATER)
    assert "\x1b" not in result.output

    assert clone.done() == {step.id: step in {DONE, ALSO_DONE} for step in FIRST.steps}
    assert sorted(path.name for path in desk.iterdir()) == before, "the learner's folder is left as it was"


def test_steps_that_need_others_wait_and_the_rest_run_in_order(clone: Clone) -> None:
    """7.1 fails, so 7.2 waits; 7.3 needs nothing; 7.10 builds on 7.3."""
    result = clone.pytest("lessons/07", "--db", "sqlite")
    assert result.code == 1
    assert (
        re.sub(r"\d+\.\d s", "1.0 s", result.output)
        == """\
lessons/07_tiny · Tiny · sqlite

  ✗ 7.1  One
         GET /1 answers 1.
         GET /1
           expected  1
           yours     0
         One is one.
         1 more check of this step will follow
         hint: workshop hint 7.1
  ✓ 7.3  Three
  ✗ 7.10 Ten

  · 1 step waits for 7.1

1 of 4 steps done · 1.0 s
"""
    )


# Names of folders


def test_names_of_a_lesson(clone: Clone) -> None:
    """Whatever it is called, the learner's folder is graded; what stands in it is not run by pytest."""
    clone.write({"lessons/07_tiny/conftest.py": "raise RuntimeError('from the learner')"})
    options = ["-k7.3", "--db=sqlite", "-Werror"]
    try:
        results = clone.together(["lessons/7", *options], ["lessons/07_tiny/", *options], ["07", *options])
        results += [
            clone.pytest("07", *options, cwd="lessons"),
            clone.pytest(*options, cwd="lessons/07_tiny"),
        ]
        collected = clone.together(
            ["lessons/07_tiny/main.py", "--co", "-q", *options], ["tests/07", "--co", "-q", *options]
        )
    finally:
        (clone.folder / "lessons/07_tiny/conftest.py").unlink()
    for result in results:
        assert result.output.startswith("lessons/07_tiny · Tiny · sqlite\n")
        assert (result.code, result.steps) == (0, ["✓ 7.3"])
    for result in collected:
        assert (result.code, result.ids) == (0, ["tests/07_tiny/test_b.py::test_three[sqlite]"])


@pytest.mark.parametrize("cwd", ["lessons", "solutions"])
def test_a_room_means_all_its_lessons(clone: Clone, cwd: str) -> None:
    inside = clone.pytest("--collect-only", "-q", cwd=cwd)
    outside = clone.pytest("--collect-only", "-q", cwd)
    assert inside.code == outside.code == 0
    assert inside.ids == outside.ids
    folders = [one.split("/")[1] for one in outside.ids]
    assert sorted(set(folders)) == [*(lesson.name for lesson in all_lessons() if lesson.steps), "07_tiny"]
    tiny = [one.partition("::")[2] for one in outside.ids if "07_tiny" in one]
    assert tiny == [
        *("test_one[sqlite]", "test_one[postgresql]", "test_one_again[sqlite]", "test_two[sqlite]"),
        *("test_two[postgresql]", "test_three[sqlite]", "test_three[postgresql]", "test_ten[sqlite]"),
        "test_ten[postgresql]",
    ]


def test_a_submission_anywhere(clone: Clone, tmp_path: Path) -> None:
    """Nothing is written into it or beside it, and it is nobody's progress."""
    submission = tmp_path / "hand in" / "ann" / "07_tiny"
    shutil.copytree(clone.folder / "solutions/07_tiny", submission)
    (submission / "main.py").write_text(render((submission / "main.py").read_text(), "7.10"))
    before = clone.done()
    by_path = clone.pytest(str(submission), "--db=sqlite")
    inside = clone.pytest("-k7.1", "--db=sqlite", "-p", "no:cacheprovider", cwd=submission)
    beside = clone.pytest("07", "--collect-only", "-q", cwd=submission.parent)
    assert re.match(r".*ann.07_tiny · Tiny · sqlite\n", by_path.output)
    assert (by_path.code, by_path.steps) == (0, ["✓ 7.1", "✓ 7.2", "✓ 7.3", "✓ 7.10"])
    assert (inside.code, inside.steps) == (0, ["✓ 7.1"])
    assert inside.output.startswith("07_tiny · Tiny · sqlite\n")
    assert (beside.code, len(beside.ids)) == (0, 9)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["07_tiny", "ann", "hand in", "main.py"]
    assert clone.done() == before


def test_two_submissions_and_other_tests_in_one_run(clone: Clone) -> None:
    """The checks are told as steps, a test of the learner's own as pytest tells it."""
    clone.write({"lessons/07_tiny/test_mine.py": "def test_mine():\n    assert 1 == 2\n"})
    mine = "lessons/07_tiny/test_mine.py"
    result = clone.pytest(
        "lessons/07", "lessons/01", mine, "-k", f"mine or three or {DONE.id}", "--db=sqlite"
    )
    (clone.folder / mine).unlink()
    assert result.code == 1
    assert "assert 1 == 2" in result.output
    assert result.steps == [f"✓ {DONE.id}", "✓ 7.3"]
    assert "\n\nlessons/07_tiny · Tiny · sqlite\n" in result.output
    assert f"\n{FIRST.name}: 1 of 1 checked steps done" in result.output
    assert "\n07_tiny: 1 of 1 checked steps done" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lessons/9"], "no lesson is called '9'. The lessons are:"),
        (["lessons/0"], "more than one lesson begins with '0'. The lessons are:"),
        (["9"], "no lesson is called '9'. The lessons are:"),
        (["solutions/08"], "lesson 08, .*, has no checks yet"),
        (["lessons/07", "solutions/07"], "one run grades one folder of 07_tiny"),
        (["lessons/07", "--db=oracle"], "invalid choice: 'oracle'"),
    ],
    ids=lambda one: "+".join(one) if isinstance(one, list) else "",
)
def test_wrong_names(clone: Clone, arguments: list[str], message: str) -> None:
    result = clone.pytest(*arguments)
    assert result.code == pytest.ExitCode.USAGE_ERROR
    assert re.search(message, result.output)
    if "The lessons are" in message:
        for lesson in all_lessons():
            assert f"\n  {lesson.name}  {lesson.title}\n" in result.output
    assert "Traceback" not in result.output


# pytest's own options


def test_k_selects_a_step(clone: Clone) -> None:
    """Not 7.10 with 7.1; and the step isn't done because one of its checks has passed."""
    by_step, nothing, by_name = clone.together(
        ["lessons/07", "--collect-only", "-q", "-k", "7.1"],
        ["lessons/07", "-k", "nothing"],
        ["solutions/07", "-k", "again"],
    )
    assert [one.partition("::")[2] for one in by_step.ids] == [
        "test_one[sqlite]",
        "test_one[postgresql]",
        "test_one_again[sqlite]",
    ]
    assert "  ✓ 7.1  One  1 of 3 checks\n\n1 of 1 checked steps done" in by_name.output
    assert nothing.code == pytest.ExitCode.NO_TESTS_COLLECTED


def test_part_of_a_step_is_not_noted_as_done(clone: Clone) -> None:
    before = clone.done()
    first_check = re.sub(r".*::|\[.*", "", clone.pytest("lessons/01", "--co", "-q", "-k", DONE.id).ids[0])
    result = clone.pytest("lessons/01", "-k", f"{first_check} or {TO_DO.id}")
    assert f"✓ {DONE.id}  {DONE.title}  1 of " in result.output
    assert clone.done() == before


def test_verbose(clone: Clone) -> None:
    """-v is pytest's list of tests and then the steps; -vv tells every failure; each is told once."""
    result, everything = clone.together(
        ["lessons/07", "-v", "--db=sqlite"], ["lessons/07", "-vv", "--db=sqlite"]
    )
    assert result.code == 1
    assert re.findall(r"test_\w+\[sqlite\] [A-Z]+", result.output) == [
        *("test_one[sqlite] FAILED", "test_one_again[sqlite] FAILED", "test_two[sqlite] SKIPPED"),
        *("test_three[sqlite] PASSED", "test_ten[sqlite] FAILED"),
    ]
    assert result.output.count("One is one.") == 1
    assert result.steps == ["✗ 7.1", "✓ 7.3", "✗ 7.10"]
    assert "3 failed, 1 passed, 1 skipped in" in result.output
    for title in ("GET /1 answers 1.", "GET /1 answers 1 a second time.", "GET /10 answers 10."):
        assert everything.output.count(title) == 1


def test_quiet_first_failure_and_last_failed(clone: Clone) -> None:
    stopped = clone.pytest("lessons/07", "-x", "-q", "--db=sqlite")
    assert (stopped.code, stopped.steps) == (1, ["✗ 7.1"])
    again = clone.pytest("lessons/07", "--lf", "--collect-only", "-q", "--db=sqlite")
    names = [one.partition("::")[2] for one in again.ids]
    assert names[0] == "test_one[sqlite]" and "test_three[sqlite]" not in names


def test_two_workers(clone: Clone) -> None:
    result = clone.pytest("lessons/07", "-n2", "--db=sqlite")
    assert result.code == 1
    assert sorted(result.steps) == ["✓ 7.3", "✗ 7.1", "✗ 7.10"]
    assert "1 of 4 steps done" in result.output


def test_junit(clone: Clone, tmp_path: Path) -> None:
    result = clone.pytest("lessons/07", f"--junitxml={tmp_path / 'result.xml'}", "--db=sqlite")
    assert result.code == 1
    cases = ElementTree.parse(tmp_path / "result.xml").getroot().iter("testcase")
    found = {case.attrib["name"]: next(iter(case), None) for case in cases}
    assert found["test_three[sqlite]"] is None
    failure, skipped = found["test_one[sqlite]"], found["test_two[sqlite]"]
    assert (
        failure is not None and failure.tag == "failure" and skipped is not None and skipped.tag == "skipped"
    )
    assert "One is one." in str(failure.text)
    assert skipped.attrib["message"] == "waits for 7.1"


def test_ids_that_were_pasted(clone: Clone, tmp_path: Path) -> None:
    """Relative and absolute; and as VS Code does: it asks for all ids, then runs some by absolute id."""
    relative = "tests/07_tiny/test_b.py::test_three[sqlite]"
    pasted = clone.pytest(relative, "tests/07_tiny/test_b.py::test_one", "-k", "three or again")
    assert pasted.code == 0
    assert "1 passed" in pasted.output

    rootdir = f"--rootdir={clone.folder}"
    found = clone.pytest(rootdir, "--collect-only", "-q", "lessons/07").ids
    assert relative in found
    wanted = [str(clone.folder / one) for one in found if one.endswith("[sqlite]") and "two" not in one]
    result = clone.pytest(rootdir, *wanted, cwd=tmp_path)
    assert result.code == 1
    assert "3 failed, 1 passed" in result.output
    assert result.output.count("One is one.") == 1
    assert "workshop/grading.py" not in result.output, "no traceback of ours"


# Databases


def test_on_both_databases(clone: Clone) -> None:
    """A difference that both have is told once, with both names."""
    result = clone.pytest("lessons/07")
    assert result.code == 1
    assert "lessons/07_tiny · Tiny · sqlite, postgresql\n" in result.output
    assert "         GET /1 answers 1.  (sqlite, postgresql)\n" in result.output
    assert result.output.count("One is one.") == 1
    assert result.steps == ["✗ 7.1", "✓ 7.3", "✗ 7.10"]


def test_on_one_database(clone: Clone) -> None:
    for result in clone.together(
        ["solutions/07_tiny", "--db", "postgres"], ["solutions/07_tiny", "--db=postgresql", "-k7.3"]
    ):
        assert "solutions/07_tiny · Tiny · postgresql\n" in result.output
        assert result.code == 0
        assert "✓ 7.3" in result.steps


def test_sqlite_needs_no_server(clone: Clone) -> None:
    variables = {"WORKSHOP_POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/none"}
    without, missing = clone.together(["solutions/07", "--db=sqlite"], ["solutions/07"], **variables)
    assert (without.code, len(without.steps)) == (0, 4)
    assert missing.code == 1
    assert missing.steps == ["? 7.1", "? 7.2", "? 7.3", "? 7.10"]
    assert missing.output.count("does not answer") == 1


# Terminals


def test_an_old_terminal(clone: Clone) -> None:
    result = clone.pytest("lessons/07", "--db=sqlite", encoding="ascii", TERM="dumb")
    assert result.code == 1
    assert result.steps == ["x 7.1", "+ 7.3", "x 7.10"]
    assert result.output.startswith("lessons/07_tiny - Tiny - sqlite\n")


def test_colour(clone: Clone) -> None:
    coloured = clone.pytest("lessons/07", "--db=sqlite", "--color=yes").output
    assert "\x1b[32m  ✓ \x1b[0m" in coloured
    assert "\x1b[31m  ✗ \x1b[0m" in coloured
    plain = re.sub(r"\x1b\[[\d;]*m", "", coloured)
    assert "  ✗ 7.1  One\n         GET /1 answers 1.\n" in plain
    refused = clone.pytest("lessons/07", "-k7.3", "--db=sqlite", NO_COLOR="1", FORCE_COLOR="")
    assert "\x1b" not in refused.output


# At the same time


def test_two_runs_at_once(clone: Clone) -> None:
    """In one clone, on one server: neither disturbs the other."""
    results = clone.together(["solutions/07"], ["solutions/07"])
    for result in results:
        assert (result.code, result.steps) == (0, ["✓ 7.1", "✓ 7.2", "✓ 7.3", "✓ 7.10"]), result.output
    again = clone.pytest("solutions/07")
    assert again.code == 0, "what one of them remembered is whole"
