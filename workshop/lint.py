"""Check the style and the types of everything: ``python -m workshop.lint``. For authors and CI.

Each lesson is an app of flat modules with a ``models.py`` of its own, so the type checker runs once per app.
Runs at the same time have caches of their own: in a shared one, an app's module is taken for another's. So
have runs with other options, which would find nothing of use in the cache.
"""

import os
import queue
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from workshop.lessons import CHECKS, LESSONS, ROOT, SOLUTIONS

# Another right answer may leave out annotations, as a learner may.
LENIENT = (
    "--allow-incomplete-defs",
    "--allow-subclassing-any",
    "--allow-untyped-calls",
    "--allow-untyped-defs",
    "--no-warn-unused-ignores",
)


@dataclass(frozen=True)
class Group:
    """Files and folders that the type checker sees at once, and a solution whose modules they may import."""

    paths: list[Path]
    solution: Path | None = None
    options: tuple[str, ...] = ()


def main() -> int:
    """Run all checks, show what they say, and return 1 if one of them failed."""
    tasks = [("ruff", "check"), ("ruff", "format", "--check")]
    at_once = os.cpu_count() or 1
    caches: queue.SimpleQueue[str] = queue.SimpleQueue()
    for number in range(at_once):
        caches.put(f".mypy_cache/{number}")
    with ThreadPoolExecutor(at_once) as pool:
        runs = [pool.submit(run, *task) for task in tasks]
        runs += [pool.submit(check_types, group, caches) for group in groups()]
        codes = [show(*done.result()) for done in runs]
    return int(any(codes))


def groups() -> Iterator[Group]:
    """The tool, then each solution, each starter, each lesson's checks and what runs beside its solution."""
    benchmarks = ROOT / "benchmarks"
    yield Group([ROOT / "workshop", CHECKS / "workshop", *sorted(benchmarks.glob("*.py"))])
    for app in sorted([*SOLUTIONS.glob("[0-9]*"), *LESSONS.glob("[0-9]*")]):
        yield Group([app])
    for checks in sorted(CHECKS.glob("[0-9]*")):
        solution = SOLUTIONS / checks.name
        yield Group(sorted(checks.rglob("test_*.py")), solution)
        yield Group([benchmarks / checks.name], solution)
        for alternative in sorted(checks.rglob("alternatives/*/")):
            yield Group([alternative], solution, LENIENT)


def check_types(group: Group, caches: "queue.SimpleQueue[str]") -> tuple[int, str]:
    """Run the type checker on the paths that hold Python; returns its exit code and what it said."""
    paths = [path for path in group.paths if path.is_file() or any(path.rglob("*.py"))]
    if not paths:
        return 0, ""
    names = [path.relative_to(ROOT).as_posix() for path in paths]
    search_path = {"MYPYPATH": str(group.solution)} if group.solution else {}
    cache = caches.get()
    try:
        options = ("--cache-dir", f"{cache}{'-lenient' if group.options else ''}", *group.options)
        return run("mypy", *options, *names, environment=os.environ | search_path)
    finally:
        caches.put(cache)


def run(tool: str, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run one tool in the clone's folder; returns its exit code, and its command with what it said."""
    command = [sys.executable, "-m", tool, *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, f"\n{tool} {' '.join(arguments)}\n{done.stdout}"


def show(code: int, said: str) -> int:
    """Print what a tool said, and hand its exit code on."""
    print(said, end="", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
