"""One source for every state of a lesson: a solution with step regions, rendered at any step.

A region begins with ``# region step 1.5: why`` and ends with ``# endregion``. Until its step is done it
shows the lines marked ``# starter: ``; once it is done it shows the others. SQL files use ``--``.
"""

import hashlib
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workshop.lessons import LESSONS, SOLUTIONS, Lesson, all_lessons

_REGION = re.compile(r"\s*(?:#|--) region step (?P<step>\d+\.\d+): \S")
_ALMOST_REGION = re.compile(r"\s*(?:#|--)\s*(?:region|endregion|starter)\b")
_END = re.compile(r"\s*(?:#|--) endregion$")
_STARTER = re.compile(r"(?P<indent>\s*)(?:#|--) starter:(?: (?P<text>.*))?$")
# The end of a function or class at the top of a module, and what follows it.
_AFTER_BLOCK = re.compile(
    r"(\n[ ]+\S[^\n]*)\n+(?=(?:@|def |class |async def |# |[A-Za-z_]\w*(?:: [^=\n]+)? = ))"
)
_DATABASE = re.compile(r"\.db($|-)|\.sqlite")
_SKIPPED = {
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".venv",
    ".env",
    ".DS_Store",
    "Thumbs.db",
}


class RegionError(ValueError):
    """A solution's regions are not well formed; the message names the line."""


def step_number(step: str) -> tuple[int, int]:
    """``"3.10"`` as ``(3, 10)``, so that steps sort as a person counts them."""
    lesson, _, number = step.partition(".")
    return int(lesson), int(number)


def render(source: str, done: str) -> str:
    """Return the text of a solution file as it is when every step up to `done` has been done.

    `done` is a step such as ``"3.2"``; ``"3.0"`` gives the starter.
    """
    lines: list[str] = []
    open_regions: list[tuple[int, int]] = []
    opened: list[int] = []  # the lines that they begin on
    limit = step_number(done)
    for number, line in enumerate(source.splitlines(), 1):
        if match := _REGION.match(line):
            step = step_number(match["step"])
            if open_regions and step <= open_regions[-1]:
                outer_step = "{}.{}".format(*open_regions[-1])
                raise RegionError(
                    f"line {number}: step {match['step']} lies inside a region of step {outer_step}; "
                    "only later steps can"
                )
            open_regions.append(step)
            opened.append(number)
        elif _END.match(line):
            if not open_regions:
                raise RegionError(f"line {number}: endregion without region")
            open_regions.pop()
            opened.pop()
        elif match := _STARTER.match(line):
            if not open_regions:
                raise RegionError(f"line {number}: a starter line outside a region")
            *outer, step = open_regions
            if step > limit and all(other <= limit for other in outer):
                lines.append((match["indent"] + (match["text"] or "")).rstrip())
        elif _ALMOST_REGION.match(line):
            raise RegionError(f"line {number}: not a marker: {line.strip()}")
        elif all(step <= limit for step in open_regions):
            lines.append(line)
    if open_regions:
        step_id = "{}.{}".format(*open_regions[-1])
        raise RegionError(f"line {opened[-1]}: the region of step {step_id} has no end")
    return _tidy("\n".join(lines))


def _tidy(text: str) -> str:
    """Close the gaps that left-out regions leave, and open those that are missing, as a formatter would."""
    text = _AFTER_BLOCK.sub(r"\1\n\n\n", text)
    text = re.sub(r"\n{4,}", "\n\n\n", text)  # two blank lines at most
    text = re.sub(r"\n{3,}(?=[ \t])", "\n\n", text)  # and one inside a block
    return text.strip("\n") + "\n" if text.strip() else ""


@dataclass(frozen=True)
class Piece:
    """A region of a step: where it is, why it is so, and its code when the step is done."""

    file: str
    inside: str  # the function or class that it is part of, if it is
    why: str
    code: str

    @property
    def place(self) -> str:
        """Where to look for it."""
        return f"{self.file}, in {self.inside}" if self.inside else self.file


def pieces(lesson: Lesson, step: str) -> list[Piece]:
    """What a step adds or changes, file by file, in the order of the files."""
    found: list[Piece] = []
    for path, source in solution_files(lesson).items():
        found += [
            Piece(path, inside, why, textwrap.dedent(code)) for inside, why, code in _regions(source, step)
        ]
    return found


def _regions(source: str, step: str) -> Iterator[tuple[str, str, str]]:
    """Place, why and code of each region of a step in a file."""
    lines = source.splitlines()
    for start, line in enumerate(lines):
        match = _REGION.match(line)
        if not match or match["step"] != step:
            continue
        depth = 1
        for end in range(start + 1, len(lines)):
            depth += bool(_REGION.match(lines[end])) - bool(_END.match(lines[end]))
            if depth == 0:
                code = render("\n".join(lines[start : end + 1]), step)
                yield _around(lines[: start + 1]), line.partition(": ")[2], code
                break


def _around(lines: list[str]) -> str:
    """The name of the function or class that the last of these lines belongs to."""
    indent = len(lines[-1]) - len(lines[-1].lstrip())
    for line in reversed(lines):
        found = re.match(r"( *)(?:async )?(?:def|class) (\w+)", line)
        if found and len(found[1]) < indent:
            return found[2]
    return ""


def solution_files(lesson: Lesson) -> dict[str, str]:
    """The reference's files as path → text, markers and all; paths are relative, with forward slashes."""
    return read_files(SOLUTIONS / lesson.name)


def read_files(folder: Path) -> dict[str, str]:
    """The text files below `folder` as relative path → text."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not _SKIPPED.intersection(path.relative_to(folder).parts)
        and not _DATABASE.search(path.name)
    }


def render_lesson(lesson: Lesson, done: str) -> dict[str, str]:
    """All files of a lesson as they are when every step up to `done` has been done.

    A file of which nothing is there yet, such as a migration, is left out. A task is done whole.
    """
    if lesson.task:
        return {} if done == lesson.starter else solution_files(lesson)
    rendered = {}
    for path, source in solution_files(lesson).items():
        try:
            text = render(source, done)
        except RegionError as error:
            raise RegionError(f"solutions/{lesson.name}/{path}, {error}") from None
        if text or not source:
            rendered[path] = text
    return rendered


def starter(lesson: Lesson) -> dict[str, str]:
    """What a learner begins with."""
    return render_lesson(lesson, lesson.starter)


RECORD = LESSONS / "starters.sha256"


def starters_record() -> dict[str, str]:
    """The digests of the starters as they were rendered: path below lessons/ → SHA-256 of its text.

    It tells a learner's work from a starter that is out of date.
    """
    lines = RECORD.read_text(encoding="utf-8").splitlines() if RECORD.exists() else []
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def _current_record() -> str:
    found = {
        f"{lesson.name}/{path}": hashlib.sha256(text.encode()).hexdigest()
        for lesson in all_lessons()
        for path, text in starter(lesson).items()
    }
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(found.items()))


def main(arguments: list[str]) -> int:
    """Write the starters into lessons/, or with ``--check`` tell which differ. For authors and CI."""
    targets = {
        lesson.folder / path: text for lesson in all_lessons() for path, text in starter(lesson).items()
    }
    targets[RECORD] = _current_record()
    check, differing = "--check" in arguments, 0
    for target, text in targets.items():
        if target.exists() and target.read_text(encoding="utf-8") == text:
            continue
        differing += 1
        print(f"{'differs' if check else 'wrote'}: {target.relative_to(LESSONS.parent)}")
        if not check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
    return 1 if check and differing else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RegionError as error:
        sys.exit(str(error))
