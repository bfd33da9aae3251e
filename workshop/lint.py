"""Check the style and the types of everything: ``python -m workshop.lint``. For authors and CI.

Each lesson is an app of flat modules with a ``models.py`` of its own, so the type checker runs once per app.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
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
    codes = [run("ruff", "check"), run("ruff", "format", "--check")]
    codes += [check_types(group) for group in groups()]
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
        for alternative in sorted(checks.glob("alternatives/*/")):
            yield Group([alternative], solution, LENIENT)


def check_types(group: Group) -> int:
    """Run the type checker on the paths that hold Python, and return its exit code."""
    paths = [path for path in group.paths if path.is_file() or any(path.rglob("*.py"))]
    if not paths:
        return 0
    names = [path.relative_to(ROOT).as_posix() for path in paths]
    search_path = {"MYPYPATH": str(group.solution)} if group.solution else {}
    return run("mypy", *group.options, *names, environment=os.environ | search_path)


def run(tool: str, *arguments: str, environment: dict[str, str] | None = None) -> int:
    """Run one tool in the clone's folder and return its exit code."""
    print(f"\n{tool} {' '.join(arguments)}", flush=True)
    return subprocess.call([sys.executable, "-m", tool, *arguments], cwd=ROOT, env=environment)


if __name__ == "__main__":
    sys.exit(main())
