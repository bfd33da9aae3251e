"""Check the style and the types of everything: ``python -m workshop.lint``. For authors and CI.

Each lesson is an app of flat modules with a ``models.py`` of its own, so the type checker runs once per app.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from workshop.lessons import CHECKS, LESSONS, ROOT, SOLUTIONS


def main() -> int:
    """Run all checks, show what they say, and return 1 if one of them failed."""
    codes = [run("ruff", "check"), run("ruff", "format", "--check")]
    for paths, solution in type_checked():
        names = [path.relative_to(ROOT).as_posix() for path in paths if holds_python(path)]
        if names:
            codes.append(run("mypy", *names, search_path=solution))
    return int(any(codes))


def type_checked() -> Iterator[tuple[list[Path], Path | None]]:
    """Each group of paths that the type checker sees at once, and a solution whose modules it may import."""
    yield [ROOT / "workshop", CHECKS / "workshop", ROOT / "benchmarks"], None
    for app in sorted([*SOLUTIONS.glob("[0-9]*"), *LESSONS.glob("[0-9]*")]):
        yield [app], None
    for checks in sorted(CHECKS.glob("[0-9]*")):
        solution = SOLUTIONS / checks.name
        yield sorted(checks.glob("*.py")), solution
        for alternative in sorted(checks.glob("alternatives/*/")):
            yield [alternative], solution


def holds_python(path: Path) -> bool:
    """Whether there is a Python file at the path or below it."""
    return path.is_file() or any(path.rglob("*.py"))


def run(tool: str, *arguments: str, search_path: Path | None = None) -> int:
    """Run one tool in the clone's folder and return its exit code."""
    print(f"\n{tool} {' '.join(arguments)}", flush=True)
    environment = os.environ | ({"MYPYPATH": str(search_path)} if search_path else {})
    return subprocess.call([sys.executable, "-m", tool, *arguments], cwd=ROOT, env=environment)


if __name__ == "__main__":
    sys.exit(main())
