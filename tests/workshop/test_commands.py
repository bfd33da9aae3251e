"""Commands that a check runs in a learner's folder: Alembic and scripts, as real processes."""

import textwrap
from collections.abc import Callable, Iterator

import pytest

from workshop.apps import App, Submission
from workshop.grading import Bench
from workshop.lessons import ROOT
from workshop.processes import Host
from workshop.verdicts import Failure

SHOW = """
import os, sys
print(sys.argv[1:], os.path.basename(os.getcwd()), os.environ["DATABASE_URL"].partition(":")[0], sep="|")
print("a warning", file=sys.stderr)
"""
Make = Callable[..., App]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench(Host()) as bench:
        yield bench


@pytest.fixture
def app(bench: Bench) -> Iterator[Make]:
    made: list[App] = []

    def make(**files: str) -> App:
        texts = {f"{name}.py": textwrap.dedent(text) for name, text in files.items()}
        made.append(bench.app(Submission(ROOT / "app", texts), "sqlite", by_environment=True))
        return made[-1]

    yield make
    for one in made:
        bench.discard(one)


def test_a_script_gets_its_arguments_folder_and_database(app: Make) -> None:
    ran = app(show=SHOW).run("show.py", "one", "two words")
    assert ran.code == 0
    assert ran.output == "['one', 'two words']|app|sqlite\n"
    assert ran.messages == "a warning\n"


def test_a_script_finds_the_modules_beside_it_from_another_folder(app: Make) -> None:
    ran = app(show=SHOW, use="import show").run("use.py", cwd="elsewhere")
    assert "|elsewhere|" in ran.output


def test_files_are_written_and_removed_before_a_command(app: Make) -> None:
    one = app(look="import pathlib; print(sorted(path.name for path in pathlib.Path().glob('*.py')))")
    assert one.run("look.py", files={"more.py": ""}).output == "['look.py', 'more.py']\n"
    assert one.run("look.py", files={"more.py": None}).output == "['look.py']\n"


def test_a_command_leaves_the_database_to_look_into(app: Make) -> None:
    one = app(make="import sqlite3; sqlite3.connect('blog.db').execute('CREATE TABLE notes (text)')")
    one.run("make.py")
    assert one.sql("SELECT * FROM notes") == []
    assert not one.running


def test_a_failure_names_the_line_and_the_error(app: Make) -> None:
    with pytest.raises(Failure) as caught:
        app(bad="def divide():\n    1 / 0\n\ndivide()").run("bad.py")
    finding = caught.value.finding
    assert finding.asked == "bad.py"
    assert finding.yours == "ZeroDivisionError: division by zero"
    assert [str(frame) for frame in finding.frames] == ["bad.py:4: divide()", "bad.py:2 in divide: 1 / 0"]


@pytest.mark.parametrize(
    ("ending", "code", "yours"),
    [
        ("sys.exit('no such file')", 1, "no such file"),
        ("sys.exit(3)", 3, "it ends with exit code 3"),
        ("os._exit(4)", 1, "os._exit"),
        ("os.kill(os.getpid(), 9)", 1, "the command was killed"),
    ],
)
def test_a_command_that_ends_itself(app: Make, ending: str, code: int, yours: str) -> None:
    one = app(end=f"import os, sys\n{ending}")
    assert one.run("end.py", fails=None).code == code
    with pytest.raises(Failure, match=yours):
        one.run("end.py")


def test_a_command_that_must_fail(app: Make) -> None:
    one = app(good="", bad="raise SystemExit('refused')")
    assert one.run("bad.py", fails=True).messages == "refused\n"
    with pytest.raises(Failure, match="ends with an error"):
        one.run("good.py", fails=True)


def test_a_command_that_never_ends(app: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workshop.processes.START_SECONDS", 0.5)
    with pytest.raises(Failure, match=r"has not ended within 0\.5 s"):
        app(loop="while True: pass").run("loop.py")


def test_alembic_runs_as_the_installed_command(app: Make) -> None:
    ran = app().run("alembic", "list_templates")
    assert "generic - Generic single-database configuration." in ran.output
    with pytest.raises(Failure, match="No 'script_location' key found"):
        app().run("alembic", "upgrade", "head")
