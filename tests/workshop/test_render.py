"""One source for every state of a lesson: what regions show at each step, and what is wrong with them."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from workshop.lessons import ROOT, Lesson, all_lessons
from workshop.render import RegionError, read_files, render, render_lesson, starter, step_number

LESSONS = [lesson for lesson in all_lessons() if lesson.steps and not lesson.task]
STATES = [
    (lesson, step) for lesson in LESSONS for step in (lesson.starter, *(step.id for step in lesson.steps))
]


def rendered(source: str, done: str) -> str:
    return render(dedent(source), done)


# Regions

GREETING = """
    import os

    # region step 3.2: say more
    # starter: # TODO 3.2: greet
    # starter: print("hello")
    print("hello, world")
    # endregion
    print("done")
"""


@pytest.mark.parametrize("done", ["3.0", "3.1"])
def test_a_region_shows_its_starter_lines_until_its_step_is_done(done: str) -> None:
    assert rendered(GREETING, done) == 'import os\n\n# TODO 3.2: greet\nprint("hello")\nprint("done")\n'


@pytest.mark.parametrize("done", ["3.2", "3.3", "3.10", "4.0"])
def test_a_region_shows_its_other_lines_once_its_step_is_done(done: str) -> None:
    assert rendered(GREETING, done) == 'import os\n\nprint("hello, world")\nprint("done")\n'


def test_steps_are_counted_as_a_person_counts() -> None:
    assert sorted(["3.10", "3.2", "2.11"], key=step_number) == ["2.11", "3.2", "3.10"]
    assert rendered(GREETING.replace("3.2", "3.10"), "3.9").count("hello, world") == 0


def test_starter_lines_keep_the_indent_of_their_comment_and_of_their_text() -> None:
    source = """
        def greet():
            # region step 1.1: speak
            # starter: if True:
            # starter:     pass
            # starter:
            # starter: return
            print("hello")
            # endregion
    """
    assert rendered(source, "1.0") == "def greet():\n    if True:\n        pass\n\n    return\n"
    assert rendered(source, "1.1") == 'def greet():\n    print("hello")\n'


def test_a_region_without_starter_lines_shows_nothing_before() -> None:
    assert rendered("# region step 1.1: one\nx = 1\n# endregion\n", "1.0") == ""


NESTED = """
    # region step 1.1: a route
    # starter: # TODO 1.1: a route
    def read():
        # region step 1.3: an error
        # starter: return find()  # TODO 1.3: answer 404
        return find() or error(404)
        # endregion
    # endregion
"""


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        ("1.0", "# TODO 1.1: a route\n"),
        ("1.1", "def read():\n    return find()  # TODO 1.3: answer 404\n"),
        ("1.2", "def read():\n    return find()  # TODO 1.3: answer 404\n"),
        ("1.3", "def read():\n    return find() or error(404)\n"),
    ],
)
def test_a_region_may_hold_regions_of_later_steps(done: str, expected: str) -> None:
    assert rendered(NESTED, done) == expected


def test_a_step_may_have_several_regions() -> None:
    source = "# region step 1.1: one\na = 1\n# endregion\nb = 2\n# region step 1.1: two\nc = 3\n# endregion\n"
    assert render(source, "1.0") == "b = 2\n"
    assert render(source, "1.1") == "a = 1\nb = 2\nc = 3\n"


def test_markers_may_be_comments_of_sql() -> None:
    source = """
        -- region step 2.3: the role owns its database
        -- starter: -- TODO 2.3: a database
        CREATE DATABASE blog OWNER bloguser;
        -- endregion
    """
    assert rendered(source, "2.2") == "-- TODO 2.3: a database\n"
    assert rendered(source, "2.3") == "CREATE DATABASE blog OWNER bloguser;\n"


def test_a_gap_is_closed_as_a_formatter_would() -> None:
    outside = "import os\n\n\n# region step 1.1: one\ndef one(): ...\n\n\n# endregion\n\n\ndef two(): ...\n"
    assert render(outside, "1.0") == "import os\n\n\ndef two(): ...\n"
    inside = "class A:\n    x = 1\n\n    # region step 1.1: one\n    y = 2\n\n    # endregion\n\n    z = 3\n"
    assert render(inside, "1.0") == "class A:\n    x = 1\n\n    z = 3\n"


@pytest.mark.parametrize("text", ["", "x = 1\n", "#\n# a region of the world: no marker\n# starters\n"])
def test_other_text_stays(text: str) -> None:
    assert render(text, "1.0") == text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n# endregion\n", "line 2: endregion without region"),
        ("x = 1\n# starter: y = 2\n", "line 2: a starter line outside a region"),
        ("x = 1\n# region step 1.1: why\n", "line 2: the region of step 1.1 has no end"),
        (
            "# region step 1.1: a\n# region step 1.2: b\n# endregion\n",
            "line 1: the region of step 1.1 has no end",
        ),
        ("# region step 1.1:\n# endregion\n", "line 1: not a marker: # region step 1.1:"),
        ("# region 1.1: why\n# endregion\n", "line 1: not a marker: # region 1.1: why"),
        ("# region step 1: why\n# endregion\n", "line 1: not a marker: # region step 1: why"),
        ("#region step 1.1: why\n# endregion\n", "line 1: not a marker: #region step 1.1: why"),
        ("# region step 1.1: a\n# starter x = 1\n# endregion\n", "line 2: not a marker: # starter x = 1"),
        ("# region step 1.1: a\n# starter:x = 1\n# endregion\n", "line 2: not a marker: # starter:x = 1"),
        ("# region step 1.1: a\n# endregion 1.1\n", "line 2: not a marker: # endregion 1.1"),
        (
            "# region step 1.2: a\n# region step 1.1: b\n# endregion\n# endregion\n",
            "line 2: step 1.1 lies inside a region of step 1.2; only later steps can",
        ),
        (
            "# region step 1.2: a\n# region step 1.2: b\n# endregion\n# endregion\n",
            "line 2: step 1.2 lies inside a region of step 1.2; only later steps can",
        ),
    ],
)
def test_a_faulty_region_is_named_with_its_line(source: str, message: str) -> None:
    with pytest.raises(RegionError) as error:
        render(source, "1.0")
    assert str(error.value) == message


def test_only_the_texts_of_a_folder_are_read(tmp_path: Path) -> None:
    kept = ("main.py", ".env.example", "routers/users.py")
    left = ("blog.db", "blog.db-wal", "__pycache__/main.pyc", ".DS_Store", ".env")
    for name in (*kept, *left):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"# text\r\n" if name in kept else b"\x00\xff")
    assert read_files(tmp_path) == dict.fromkeys(kept, "# text\n")


# Every state of every lesson


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each state of each lesson, all below one that ruff can look at once."""
    folder = tmp_path_factory.mktemp("states")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for lesson, done in STATES:
        for path, text in render_lesson(lesson, done).items():
            target = folder / "lessons" / f"step {done}" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
    return folder


@pytest.mark.parametrize(
    "command", [["format", "--diff"], ["check", "--ignore=F401"]], ids=lambda one: one[0]
)
def test_every_state_is_clean(states: Path, command: list[str]) -> None:
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
        cwd=states,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr


@pytest.mark.parametrize("done", [done for _, done in STATES])
def test_every_state_parses_and_has_no_marker(states: Path, done: str) -> None:
    for path in (states / "lessons" / f"step {done}").rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(#|--) ?(region|endregion|starter)\b", text), path
        assert text == text.lstrip("\n") and text[-1:] in {"", "\n"}, path
        if path.suffix == ".py":
            ast.parse(text)


@pytest.mark.parametrize(("lesson", "done"), STATES, ids=lambda one: getattr(one, "name", one))
def test_a_state_names_the_steps_to_do(lesson: Lesson, done: str) -> None:
    text = "\n".join(render_lesson(lesson, done).values())
    to_do = {step.id for step in lesson.steps if step_number(step.id) > step_number(done)}
    assert set(re.findall(r"TODO (\d+\.\d+)", text)) == to_do


# The command


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of what rendering needs, in a folder with a space in its name."""
    folder = tmp_path / "my clone"
    left = shutil.ignore_patterns("__pycache__", ".*cache", "alternatives")
    for name in ("workshop", "solutions", "lessons"):
        shutil.copytree(ROOT / name, folder / name, ignore=left)
    for steps in (ROOT / "tests").glob("[0-9]*/**/steps.toml"):
        target = folder / steps.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(steps, target)
    return folder


def command(clone: Path, *arguments: str) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, "-m", "workshop.render", *arguments],
        cwd=clone,
        env=os.environ | {"PYTHONPATH": str(clone), "PYTHONUTF8": "0"},
        check=False,
        capture_output=True,
        text=True,
    )
    return result.returncode, result.stdout + result.stderr


def test_the_command_writes_the_starters_and_finds_what_differs(clone: Path) -> None:
    lesson = LESSONS[0]
    desk = clone / "lessons" / lesson.name
    command(clone)
    assert command(clone, "--check") == (0, "")

    (desk / "main.py").write_text("# a learner's work\n", encoding="utf-8")
    (desk / "models.py").unlink()
    (desk / "notes.txt").write_text("mine", encoding="utf-8")
    code, output = command(clone, "--check")
    assert code == 1
    assert {Path(line.removeprefix("differs: ")) for line in output.splitlines()} == {
        Path("lessons", lesson.name, "main.py"),
        Path("lessons", lesson.name, "models.py"),
    }
    assert (desk / "main.py").read_text(encoding="utf-8") == "# a learner's work\n"

    code, output = command(clone)
    assert (code, output.count("wrote: ")) == (0, 2)
    for path, text in starter(lesson).items():
        assert (desk / path).read_bytes() == text.encode(), "written with line feeds on every system"
    assert (desk / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert command(clone) == (0, "")


def test_the_command_names_the_file_and_line_of_a_faulty_region(clone: Path) -> None:
    name = f"solutions/{LESSONS[0].name}/models.py"
    (clone / name).write_text("x = 1\n# endregion\n", encoding="utf-8")
    code, output = command(clone, "--check")
    assert code == 1
    assert output.strip() == f"{name}, line 2: endregion without region"
