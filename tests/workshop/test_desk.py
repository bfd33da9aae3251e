"""The commands that read and write a learner's folder, and what is left when they are cut off."""

import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workshop import desk
from workshop.apps import Submission
from workshop.grading import Bench, Grading
from workshop.lessons import find_lesson
from workshop.processes import SPARE, Host, imports_of
from workshop.render import render_lesson, starter
from workshop.verdicts import Finding

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")

if sys.platform != "win32":
    from screens import Copy, Forks

LESSON = find_lesson("01")
KILLS = 80  # of commands that write
WATCH_KILLS = 5, 4  # how often, how many at once


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


def test_random_kills_of_commands_lose_nothing(copy: "Copy") -> None:
    """Whenever it is killed, every file is an old or a new one, and the old ones are in a backup."""
    chance = random.Random(5)
    states = {("reset", "01"): starter(LESSON), ("catch-up", "1.8"): render_lesson(LESSON, "1.8")}
    backups = copy.root / ".workshop" / "backups"
    killed = changed = 0
    with Forks(copy) as forks:
        began = time.perf_counter()
        assert forks.workshop("catch-up", "1.8") == 0
        longest = time.perf_counter() - began
        for number in range(KILLS):
            [(_, old), (command, new)] = [*states.items()][:: 1 if number % 2 else -1]
            for path, text in old.items():
                edit(copy, path, text)
            kept = set(backups.iterdir())
            in_time = forks.workshop(*command, killed_after=chance.random() * longest) < 0
            killed += in_time
            longest *= 1.05 if in_time else 0.8
            now = files(copy)
            assert now.keys() == old.keys()
            assert all(now[path] in (old[path], new[path]) for path in now), "a file is half-written"
            if now != old:
                changed += 1
                fresh = [path for path in backups.iterdir() if path not in kept and path.name[0] != "."]
                found = [{path: desk.files_below(one)[path].decode() for path in old} for one in fresh]
                assert old in found, "changed before the backup was complete"
            if number % 10 == 9:
                assert forks.workshop(*command) == 0
                assert files(copy) == new
                assert not [*(copy.root / "lessons").rglob(".workshop-*"), *backups.glob(".workshop-*")]
    assert killed > KILLS / 4, "most were killed too late"
    assert 0 < changed < KILLS


@pytest.mark.parametrize("largest", [10, 1000])
def test_a_full_disk_replaces_nothing(copy: "Copy", largest: int) -> None:
    """Files that can't grow, as on a full disk: already in the backup, or only in the lesson's folder."""
    for path in files(copy):
        edit(copy, path, f"# my {path}\n")
    before = files(copy)
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest}, {largest}))"
    program = f"{limit}; import sys; from workshop import cli; sys.exit(cli.main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "catch-up", "1.8"],
        cwd=copy.root,
        env=copy.environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("File too large")
    assert "Traceback" not in done.stderr
    assert files(copy) == before
    assert not [*copy.root.rglob(".workshop-*")]
    assert copy.workshop("catch-up", "1.8").returncode == 0


def test_replaced_code_is_not_done_any_more(copy: "Copy") -> None:
    copy.workshop("catch-up", "1.1")
    assert copy.workshop("check", "1.1").returncode == 0
    assert "1 of 8 steps" in copy.workshop().stdout
    copy.workshop("catch-up", "1.3")
    assert "3 of 8 steps" in copy.workshop().stdout, "who catches up goes on from there"
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
    assert "against the reference up to 1.3" in shown
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


# Several checks at once


def test_checks_that_run_together_come_to_the_same() -> None:
    """In processes that are ready or new, in the order of the steps, and failures alone."""
    states = {state: render_lesson(LESSON, state) for state in ("1.0", "1.1", "1.8")}
    states["broken"] = states["1.8"] | {"main.py": "import nonsense\n"}
    steps = ["1.1", "1.2", "1.3"]
    with Bench(Host(imports_of(LESSON))) as bench:
        reference = Submission(LESSON.folder, states["1.8"], pool=SPARE)
        assert Grading(bench, LESSON, reference).make_spare("1.6")
        for files in states.values():
            alone = Grading(bench, LESSON, Submission(LESSON.folder, files)).run_all(steps)
            together = Grading(bench, LESSON, Submission(LESSON.folder, files))
            found = [
                [(one.check, one.database, one.verdict, shown(one.finding)) for one in outcomes]
                for outcomes in (alone, together.run_together(steps, lambda: False))
            ]
            assert found[0] == found[1]
        assert bench.host.spares() == 0, "it was used"


def shown(finding: Finding | None) -> tuple[str, ...]:
    return (finding.kind, finding.asked, finding.expected, finding.yours) if finding else ()


def test_checks_end_when_nobody_wants_them_any_more() -> None:
    import psutil

    files = render_lesson(LESSON, "1.8") | {"main.py": "while True: pass\n"}
    with Bench(Host(imports_of(LESSON))) as bench:
        grading = Grading(bench, LESSON, Submission(LESSON.folder, files))
        looks = iter([False] * 10)
        assert not [*grading.run_together(["1.1"], lambda: next(looks, True))]
        host = [one for one in psutil.Process().children() if "host.py" in " ".join(one.cmdline())]
        apps = [app for one in host for app in one.children()]
        assert not psutil.wait_procs(apps, timeout=10)[1]


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


def test_random_kills_of_watch_leave_nothing(copy: "Copy", tmp_path: Path) -> None:
    """Several watch a folder in which files are saved: whenever they are killed, all is well afterwards."""
    import psutil

    chance = random.Random(7)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    copy.environment["TMPDIR"] = str(temporary)
    rounds, at_once = WATCH_KILLS
    try:
        for _ in range(rounds):
            watching = [copy.terminal("watch", "1.1") for _ in range(at_once)]
            longest = 2.0
            children = []
            for number, terminal in enumerate(watching):
                text = render_lesson(LESSON, "1.1")["database.py"] + f"# {number}\n"
                edit(copy, "database.py", text)
                terminal.look(chance.random() * longest / at_once)
                children += psutil.Process(terminal.pid).children(recursive=True)
                terminal.kill()
            for terminal in watching:
                assert terminal.end()[0] == -signal.SIGKILL
            assert not psutil.wait_procs(children, timeout=20)[1]
            assert files(copy) == starter(LESSON) | {"database.py": text}
            assert copy.workshop().returncode == 0
        json.loads(copy.workshop("check", "1.1", "--json").stdout)
        assert not [*temporary.glob("workshop-run-*")], "the next run removes what was left"
    finally:
        del copy.environment["TMPDIR"]


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

    def git(*arguments: str, folder: Path) -> str:
        own = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
        command = ["git", *own, *arguments]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout

    origin, clone = tmp_path / "origin", tmp_path / "clone"
    shutil.copytree(copy.root, origin, ignore=shutil.ignore_patterns(".workshop"))
    git("init", folder=origin)
    git("add", "-A", folder=origin)
    git("commit", "-m", "first", folder=origin)
    git("clone", str(origin), str(clone), folder=tmp_path)
    mine, theirs = clone / "lessons" / LESSON.name, origin / "lessons" / LESSON.name
    (mine / "main.py").write_text("# mine\n")
    (mine / "schemas.py").unlink()
    (mine / "extra.py").write_text("# mine, unknown to git\n")
    (mine / "cut_off.py").write_text("# new\n")  # from an update that was cut off
    for name in ("main.py", "models.py", "schemas.py", "extra.py", "cut_off.py"):
        (theirs / name).write_text("# new\n")
    (theirs / "README.md").unlink()
    git("add", "-A", folder=origin)
    git("commit", "-m", "second", folder=origin)
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
    assert (mine / "extra.py").read_text() == "# mine, unknown to git\n"
    assert not (mine / "schemas.py").exists()
    assert not (mine / "README.md").exists()
    stay = {line.rpartition("/")[2] for line in learner.stdout.splitlines() if "yours stays" in line}
    assert stay == {"main.py", "schemas.py", "extra.py"}
    left = git("status", "--short", "lessons", folder=clone)
    assert {line.rpartition("/")[2] for line in left.splitlines()} == stay, "git knows the new version"


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
