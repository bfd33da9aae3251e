"""How long a learner waits for the verdict, in times of what nobody can avoid: run this file.

The floor is two processes: one that imports pytest, fastapi, sqlalchemy and httpx and ends, and one that
is pytest on an empty file. Against it stands ``pytest`` on each finished lesson, on every database the
lesson has, with PostgreSQL running already. All take turns, so that a busy machine slows all of them.
CPU seconds are those of the whole tree of processes, without PostgreSQL's server; Windows doesn't tell them.
The last line is ``workshop watch`` in a terminal: from the moment a file is saved to the verdict on a step,
each time after watch has come to rest, for a person reads the verdict before the next save.
Nothing here asserts a time.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workshop import postgres
from workshop.lessons import ROOT, Lesson, all_lessons, find_lesson
from workshop.render import render_lesson

BUDGETS = {"05": 5.0, "06": 8.0}  # times the floor
BUDGET = 2.0
WATCH_BUDGET = 0.25 if hasattr(os, "fork") else 0.5
WATCHED = "03", "3.2"  # a step with checks on both databases
DONE = rf"checking(?s:.*){re.escape(WATCHED[1])} is done(?s:.*)q quit"
IMPORTS = [sys.executable, "-c", "import pytest, fastapi, sqlalchemy, httpx"]
NOT_LOADED = "workshop", "schemathesis", "hypothesispytest"  # plugins; a lesson's run has the first alone


@dataclass
class Runs:
    """What is measured, and its times."""

    name: str
    command: list[str]
    folder: Path
    code: int = 0  # the exit code that it should have
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def once(self) -> None:
        """Run it and note its wall and CPU seconds; the output of a run that fails is shown."""
        before, began = _children_time(), time.perf_counter()
        process = subprocess.Popen(
            self.command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
        )
        output, _ = process.communicate()
        self.wall.append(time.perf_counter() - began)
        self.cpu.append(_children_time() - before)
        if process.returncode != self.code:
            print(
                f"{self.name} ended with exit code {process.returncode}:\n{output.decode(errors='replace')}"
            )


def _children_time() -> float:
    """CPU seconds of all processes that we, or they, have started and seen end."""
    times = os.times()
    return times.children_user + times.children_system


def environment() -> dict[str, str]:
    """As in a learner's terminal: no options of pytest's from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    return kept | {"PYTHONPATH": str(ROOT)}


def finished(lesson: Lesson, folder: Path) -> Path:
    """A copy of the lesson's solution, in a folder named as the lesson."""
    target = folder / lesson.name
    for path, text in render_lesson(lesson, lesson.steps[-1].id).items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text, encoding="utf-8")
    return target


def measured(folder: Path, wanted: Sequence[str]) -> tuple[list[Runs], list[tuple[Lesson, Runs]]]:
    """The parts of the floor, and each lesson."""
    empty = folder / "empty"
    empty.mkdir()
    (empty / "test_empty.py").touch()
    pytest = [sys.executable, "-m", "pytest"]
    floor = [
        Runs("imports", IMPORTS, empty),
        Runs(
            "pytest, nothing to do",
            [*pytest, *(f"-pno:{name}" for name in NOT_LOADED), "-c", os.devnull, "--rootdir", "."],
            empty,
            5,
        ),
    ]
    lessons = [lesson for lesson in all_lessons() if lesson.steps and (not wanted or lesson.handle in wanted)]
    return floor, [
        (lesson, Runs(f"lesson {lesson.handle}", [*pytest, str(finished(lesson, folder))], ROOT))
        for lesson in lessons
    ]


def watched(folder: Path, times: int) -> Runs:
    """Save a file of a finished lesson again and again, and wait for the verdict in a real terminal."""
    sys.path.insert(0, str(ROOT / "tests" / "workshop"))
    from screens import Copy

    runs = Runs(f"watch, step {WATCHED[1]}", [], ROOT)
    copy, lesson = Copy(folder / "watched"), find_lesson(WATCHED[0])
    for path, text in render_lesson(lesson, lesson.steps[-1].id).items():
        (copy.root / "lessons" / lesson.name / path).write_text(text, encoding="utf-8")
    file = copy.root / "lessons" / lesson.name / "models.py"
    terminal = copy.terminal("watch", WATCHED[1])
    terminal.until(DONE)
    for number in range(times + 1):
        text = file.read_text(encoding="utf-8") + f"# {number}\n"
        wait_until_at_rest(terminal.pid)
        began = time.perf_counter()
        file.write_text(text, encoding="utf-8")
        terminal.until(DONE)
        runs.wall.append(time.perf_counter() - began)
    terminal.press("q")
    terminal.end()
    del runs.wall[0]  # the first one warms up
    return runs


def wait_until_at_rest(pid: int) -> None:
    """Wait as long as a process or one of its descendants works: a person reads before the next save."""
    before = -1.0
    while (now := _tree_time(pid)) > before:
        before = now
        time.sleep(0.2)


def _tree_time(pid: int) -> float:
    """CPU seconds of a process and its descendants, and of those that have ended."""
    total = 0.0
    process = psutil.Process(pid)
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += sum(one.cpu_times()[:4])
    return total


def spread(times: Sequence[float]) -> str:
    """The median, and the smallest and largest in parentheses."""
    return f"{statistics.median(times):6.2f} ({min(times):.2f} to {max(times):.2f})"


def ratio(times: Sequence[float], floor: Sequence[float]) -> str:
    """How many times the floor, by the medians."""
    least = statistics.median(floor)
    return f"{statistics.median(times) / least:6.2f}" if least else "     -"


def report(floor: list[Runs], lessons: list[tuple[Lesson, Runs]], watch: Runs | None) -> None:
    """The table: seconds, and ratios of medians to the floor beside the budget."""
    total = Runs("floor", [], ROOT)
    total.wall = [sum(times) for times in zip(*(runs.wall for runs in floor), strict=True)]
    total.cpu = [sum(times) for times in zip(*(runs.cpu for runs in floor), strict=True)]
    print(f"\n{'':<22} {'wall s, median (spread)':<26} {'CPU s, median (spread)':<26} wall ×  CPU ×  budget")
    for runs in [*floor, total]:
        print(f"{runs.name:<22} {spread(runs.wall):<26} {spread(runs.cpu):<26}")
    for lesson, runs in lessons:
        budget = BUDGETS.get(lesson.number, BUDGET)
        times = f"{ratio(runs.wall, total.wall)} {ratio(runs.cpu, total.cpu)}"
        print(f"{runs.name:<22} {spread(runs.wall):<26} {spread(runs.cpu):<26} {times}  ≤ {budget:g}")
    if watch:
        times = f"{ratio(watch.wall, total.wall)}         ≤ {WATCH_BUDGET:g}"
        print(f"{watch.name:<22} {spread(watch.wall):<53} {times}")


def load() -> str:
    """How busy the machine is, where the system tells."""
    return f"load {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores"


def main() -> None:
    """Measure, taking turns, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lessons", nargs="*", help="numbers of lessons, such as 01; without them all")
    parser.add_argument("-n", type=int, default=7, help="runs of each (default: 7)")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a learner's terminal keeps what is compiled
    postgres.server_url(print)  # warm
    print(f"Python {sys.version.split()[0]}, {sys.platform}, {load()} before")
    with tempfile.TemporaryDirectory(prefix="workshop-benchmark-") as name:
        floor, lessons = measured(Path(name), options.lessons)
        everything = [*floor, *(runs for _, runs in lessons)]
        for runs in everything:  # fills caches, as a learner's earlier runs have
            runs.once()
            runs.wall.clear()
            runs.cpu.clear()
        for _ in range(options.n):
            for runs in everything:
                runs.once()
        watch = watched(Path(name), options.n) if sys.platform != "win32" else None
    report(floor, lessons, watch)
    print(f"\n{options.n} runs of each, taking turns; {load()} after")


if __name__ == "__main__":
    main()
