"""The commands that read and write a learner's folder, and what is left when they are cut off."""

import json
import os
import random
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from workshop import desk
from workshop.lessons import find_lesson
from workshop.render import render_lesson, starter

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")

if sys.platform != "win32":
    from screens import Copy

LESSON = find_lesson("01")
KILLS = 100


@pytest.fixture(scope="module")
def whole_copy(tmp_path_factory: pytest.TempPathFactory) -> "Copy":
    return Copy(tmp_path_factory.mktemp("a copy") / "the workshop")


@pytest.fixture
def copy(whole_copy: "Copy") -> "Copy":
    """A copy whose first lesson is at its start, without backups."""
    whole_copy.begin(LESSON)
    return whole_copy


def files(copy: "Copy") -> dict[str, str]:
    found = desk.files_below(copy.root / "lessons" / LESSON.name)
    return {path: content.decode() for path, content in found.items() if path != "README.md"}


def edit(copy: "Copy", file: str = "main.py", text: str = "# mine\n") -> None:
    (copy.root / "lessons" / LESSON.name / file).write_text(text)


# Back and forth


def test_reset_keeps_what_was_there_and_says_how_to_get_it_back(copy: "Copy") -> None:
    edit(copy)
    edit(copy, "notes.txt", "mine too\n")
    edit(copy, "extra.py", "import this\n")
    done = copy.workshop("reset", "01")
    assert done.returncode == 0
    assert files(copy) == starter(LESSON) | {"notes.txt": "mine too\n"}
    [command] = [line.partition(": ")[2] for line in done.stdout.splitlines() if "get it back" in line]
    assert copy.workshop(*command.split()[1:]).returncode == 0
    assert files(copy)["main.py"] == "# mine\n"
    assert files(copy)["extra.py"] == "import this\n"
    assert len(copy.workshop("restore").stdout.splitlines()) == 3, "restore keeps what was there, too"


def test_reset_brings_back_one_file(copy: "Copy") -> None:
    edit(copy, "main.py")
    edit(copy, "models.py")
    assert copy.workshop("reset", "01", "models.py").returncode == 0
    assert files(copy) == starter(LESSON) | {"main.py": "# mine\n"}


def test_reset_to_a_step_and_catch_up(copy: "Copy") -> None:
    assert copy.workshop("reset", "01", "--step", "1.3").returncode == 0
    assert files(copy) == render_lesson(LESSON, "1.2")
    assert copy.workshop("catch-up", "1.4").returncode == 0
    assert files(copy) == render_lesson(LESSON, "1.4")
    again = copy.workshop("catch-up", "1.4")
    assert "Nothing to do" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("reset", "77"), "no lesson is called '77'"),
        (("reset", "01", "nothing.py"), "there is no nothing.py"),
        (("reset", "01", "--step", "2.1"), "has the steps 1.1 to 1.8, and no 2.1"),
        (("catch-up", "9.9"), "no step is called '9.9'"),
        (("restore", "2001"), "no backup is called '2001'"),
        (("check", "1.1", "--db", "oracle"), "there is no database 'oracle'"),
        (("solution", "5.12"), "look into solutions/05_practice"),
        (("run", "01", "--db", "postgres"), "knows only SQLite"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    copy: "Copy", arguments: tuple[str, ...], says: str
) -> None:
    edit(copy)
    before = files(copy)
    done = copy.workshop(*arguments)
    assert done.returncode == 1
    assert says.lower() in done.stderr.lower()
    assert files(copy) == before


def test_a_folder_that_cannot_be_written_to_loses_nothing(
    copy: "Copy", monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: the backup can't be made, so nothing is replaced."""
    edit(copy)
    backups = copy.root / ".workshop" / "backups"
    backups.parent.mkdir(exist_ok=True)
    backups.write_text("in the way")
    done = copy.workshop("reset", "01")
    assert done.returncode == 1
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert files(copy)["main.py"] == "# mine\n"


def test_random_kills_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever it is killed, every file is an old or a new one, and the old ones are in a backup."""
    lesson_folder = tmp_path / LESSON.name
    monkeypatch.setattr(type(LESSON), "folder", lesson_folder)
    monkeypatch.setattr(desk, "BACKUPS", tmp_path / "backups")
    states = [desk.as_bytes(render_lesson(LESSON, step)) for step in ("1.0", "1.8")]
    desk.put(LESSON, states[0])
    chance = random.Random(5)
    longest = 0.02
    for number in range(KILLS):
        old, new = states if number % 2 == 0 else states[::-1]
        desk.put(LESSON, old)
        kept = {backup.name for backup in desk.backups()}
        pid = os.fork()
        if pid == 0:
            desk.put(LESSON, new)
            os._exit(0)
        time.sleep(chance.random() * longest)  # the moment of the kill, not a wait for something
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        now = desk.files_below(lesson_folder)
        assert now.keys() == old.keys()
        assert all(now[path] in (old[path], new[path]) for path in now), "a file is half-written"
        if now != old:
            fresh = [backup for backup in desk.backups() if backup.name not in kept]
            assert any(backup.files == old for backup in fresh), "changed before the backup was complete"


def test_replaced_code_is_not_done_any_more(copy: "Copy") -> None:
    copy.workshop("catch-up", "1.1")
    assert copy.workshop("check", "1.1").returncode == 0
    assert "1 of 8 steps" in copy.workshop().stdout
    copy.workshop("reset", "01")
    assert "0 of 8 steps" in copy.workshop().stdout


# Reading


def test_solution_shows_the_code_of_a_step_and_why(copy: "Copy") -> None:
    shown = copy.workshop("solution", "1.5").stdout
    assert "the with block closes the session" in shown
    assert "      with SessionLocal() as session:\n          yield session\n" in shown
    assert "TODO" not in shown
    assert "\x1b" not in shown


def test_diff_shows_nothing_of_the_steps_ahead(copy: "Copy") -> None:
    copy.workshop("catch-up", "1.2")
    shown = copy.workshop("diff", "01").stdout
    assert "against the reference up to 1.1" in shown
    assert "SessionLocal.begin" not in shown
    assert "create_all(engine)" not in shown
    assert "Base.metadata.create_all(engine)" in copy.workshop("diff", "01", "--all").stdout


def test_check_is_pytest_and_json_is_for_programs(copy: "Copy") -> None:
    done = copy.workshop("check", "1.1")
    assert done.returncode == 1
    assert "✗ 1.1" in done.stdout
    done = copy.workshop("check", "1.1", "--json")
    assert done.returncode == 1
    assert {outcome["verdict"] for outcome in json.loads(done.stdout)} == {"failed"}
    copy.workshop("catch-up", "1.1")
    assert copy.workshop("check", "1.1").returncode == 0


def test_doctor_names_what_is_wrong_and_the_mend(copy: "Copy") -> None:
    done = copy.workshop("doctor", "--json")
    found = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert found["Python"]["ok"]
    assert found["PostgreSQL"]["ok"]
    (copy.root / "requirements.txt").write_text("fastapi==0.1\n")
    done = copy.workshop("doctor")
    assert done.returncode == 1
    assert "fastapi is " in done.stdout
    assert "python -m workshop setup" in done.stdout


# In a terminal


def test_watch_follows_a_learner(copy: "Copy") -> None:
    terminal = copy.terminal("watch", "01")
    assert "there is no blog.db" in terminal.until("q quit")
    edit(copy, "main.py", "def broken(:\n")
    assert "main.py:1" in terminal.until(r"(?s)SyntaxError|invalid syntax.*q quit")
    (copy.root / "lessons" / LESSON.name / "main.py").unlink()
    terminal.until("no main.py")
    for path, text in render_lesson(LESSON, "1.1").items():
        target = copy.root / "lessons" / LESSON.name / path
        target.with_suffix(".new").write_text(text)  # as many editors do
        target.with_suffix(".new").replace(target)
    assert "Press n for 1.2" in terminal.until("1.1 is done(?s:.*)q quit")
    terminal.press("n")
    assert "1.2" in terminal.until("foreign_keys")
    terminal.press("h")
    terminal.until("hint 1 of")
    terminal.press("d")
    terminal.until("This shows the answer")
    terminal.press("d")
    terminal.until(r"\+.*foreign_keys = ON")
    terminal.press("n")
    terminal.until("1.2 isn't done yet. Press n again")
    terminal.press("a")
    terminal.until("✓.*1.1")
    terminal.press("q")
    assert terminal.end()[0] == 0


def test_watch_leaves_nothing_running(copy: "Copy") -> None:
    import psutil

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        terminal = copy.terminal("watch", "01")
        terminal.until("q quit")
        children = psutil.Process(terminal.pid).children(recursive=True)
        assert children
        terminal.kill(number)
        assert terminal.end()[0] == 0
        assert not psutil.wait_procs(children, timeout=10)[1]


def test_live_plays_a_lesson(copy: "Copy") -> None:
    scratch = copy.root / ".workshop" / "live" / LESSON.name
    terminal = copy.terminal("live", "01")
    terminal.until("1.1.*(?s:.*)q quit")
    assert desk.files_below(scratch)["main.py"].decode() == starter(LESSON)["main.py"]
    terminal.press("\r")
    terminal.until("1.2 Two settings")
    assert desk.files_below(scratch) == desk.as_bytes(render_lesson(LESSON, "1.1"))
    terminal.press("c")
    terminal.until("✓.*1.1")
    terminal.press("s")
    terminal.until("CREATE TABLE notes")
    terminal.press("m")
    terminal.until("q quit")
    terminal.press("b")
    terminal.until("1.1 A file")
    assert desk.files_below(scratch) == desk.as_bytes(starter(LESSON))
    terminal.press("q")
    assert terminal.end()[0] == 0
    assert files(copy) == starter(LESSON), "the learner's folder isn't touched"


def test_run_serves_the_app(copy: "Copy") -> None:
    terminal = copy.terminal("run", "01", "--port", "8400")
    shown = terminal.until("Application startup complete")
    assert "http://127.0.0.1:84" in shown
    terminal.press("\x03")
    assert terminal.end()[0] in {0, 130, -2}


def test_watch_without_a_terminal_says_what_it_does(copy: "Copy") -> None:
    """As in an editor's task window: no keys, no redrawing, and the next save goes on."""
    import subprocess

    watching = subprocess.Popen(
        copy.command("watch", "1.1"),
        cwd=copy.root,
        env=copy.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert watching.stdout
    lines = iter(watching.stdout.readline, "")
    assert any("there is no blog.db" in line for line in lines)
    edit(copy, "database.py", render_lesson(LESSON, "1.1")["database.py"])
    assert any("1.1 is done. The next save checks 1.2." in line for line in lines)
    edit(copy, "database.py", render_lesson(LESSON, "1.2")["database.py"])
    shown = next(line for line in lines if "1.2 is done" in line)
    assert "\x1b" not in shown
    watching.send_signal(signal.SIGINT)
    assert watching.wait(30) == 0
    watching.stdout.close()


def test_a_killed_watch_leaves_files_and_no_process(copy: "Copy") -> None:
    import psutil

    edit(copy)
    before = files(copy)
    terminal = copy.terminal("watch", "01")
    terminal.until("q quit")
    children = psutil.Process(terminal.pid).children(recursive=True)
    terminal.kill()
    assert terminal.end()[0] == -signal.SIGKILL
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert files(copy) == before


def test_live_here_keeps_what_was_there(copy: "Copy") -> None:
    edit(copy)
    terminal = copy.terminal("live", "1.2", "--here")
    terminal.until("q quit")
    assert files(copy)["main.py"] == "# mine\n", "nothing is written before a key is pressed"
    terminal.press("\r")
    terminal.until("workshop restore 2")
    assert files(copy) == render_lesson(LESSON, "1.2")
    terminal.press("q")
    assert terminal.end()[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("hint", "1.1"),
        ("solution", "1.1"),
        ("diff", "01"),
        ("check", "1.1"),
        ("catch-up", "1.1"),
        ("reset", "01"),
        ("restore",),
        ("doctor",),
        ("db",),
        ("--help",),
    ],
    ids=" ".join,
)
def test_every_command_has_colours_in_a_terminal_only(copy: "Copy", arguments: tuple[str, ...]) -> None:
    terminal = copy.terminal(*arguments)
    code, shown = terminal.end()
    piped = copy.workshop(*arguments)
    assert code == piped.returncode
    assert code in {"check": {1}, "doctor": {0, 1}}.get("".join(arguments[:1]), {0})
    assert "\x1b" not in piped.stdout
    copy.environment["NO_COLOR"] = "1"
    try:
        plain = copy.terminal(*arguments).end()[1]
    finally:
        del copy.environment["NO_COLOR"]
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", plain)
    assert "\x1b[" in shown or arguments in {("db",), ("restore",), ("reset", "01")}


def test_run_on_postgresql_keeps_its_rows_until_told(copy: "Copy") -> None:
    import httpx

    lesson = find_lesson("03")
    for path, text in render_lesson(lesson, lesson.steps[-1].id).items():
        (copy.root / "lessons" / lesson.name / path).write_text(text)
    user = {"username": "ann", "email": "ann@example.com", "password": "correct horse"}
    for more, expected in ((("--fresh",), [201]), ((), [409]), (("--fresh",), [201])):
        terminal = copy.terminal("run", "03", "--db", "postgres", "--port", "8450", *more)
        address = re.search(r"http://[\d.:]+", terminal.until("Application startup complete"))
        assert address
        statuses = [httpx.post(f"{address[0]}/users", json=user, timeout=30).status_code]
        terminal.press("\x03")
        terminal.end()
        assert statuses == expected


# New versions


def test_update_never_touches_a_learners_work(copy: "Copy", tmp_path: Path) -> None:
    import shutil
    import subprocess

    def git(*arguments: str, folder: Path) -> None:
        own = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *own, *arguments], cwd=folder, check=True, capture_output=True)

    origin, clone = tmp_path / "origin", tmp_path / "clone"
    shutil.copytree(copy.root, origin, ignore=shutil.ignore_patterns(".workshop"))
    git("init", folder=origin)
    git("add", "-A", folder=origin)
    git("commit", "-m", "first", folder=origin)
    git("clone", str(origin), str(clone), folder=tmp_path)
    mine, theirs = clone / "lessons" / LESSON.name, origin / "lessons" / LESSON.name
    (mine / "main.py").write_text("# mine\n")
    (mine / "schemas.py").unlink()
    (theirs / "main.py").write_text("# new\n")
    (theirs / "models.py").write_text("# new\n")
    (theirs / "schemas.py").write_text("# new\n")
    git("commit", "-am", "second", folder=origin)
    learner = subprocess.run(
        [sys.executable, "-m", "workshop.cli", "update"],
        cwd=clone,
        env=copy.environment | {"PYTHONPATH": str(clone)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert learner.returncode == 0, learner.stdout + learner.stderr
    assert (mine / "main.py").read_text() == "# mine\n"
    assert (mine / "models.py").read_text() == "# new\n"
    assert not (mine / "schemas.py").exists()
    assert f"yours stays: lessons/{LESSON.name}/main.py" in learner.stdout


def test_update_says_why_it_cannot(copy: "Copy") -> None:
    assert "no clone of git's" in copy.workshop("update").stdout
    assert copy.terminal("update").end()[0] == 1


def test_db_sql_runs_a_file_up_to_the_first_failure(copy: "Copy", tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_text("SELECT 6 * 7 AS answer;\nSELECT * FROM nowhere;\nSELECT 'unreached';\n")
    done = copy.workshop("db", "sql", str(script))
    assert done.returncode == 3
    assert "42" in done.stdout
    assert "unreached" not in done.stdout
    assert "nowhere" in done.stderr
