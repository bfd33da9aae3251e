"""The learner's desk: nothing on it is replaced without a backup, and a file is old or new, never half."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from workshop.lessons import ROOT, Lesson, all_lessons

BACKUPS = ROOT / ".workshop" / "backups"
_UNFINISHED = ".workshop-"  # and the process's number begin the names of what is still being written
_LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", ".*_cache", ".git", ".venv", "venv", "*.db", "*.db-*", f"{_UNFINISHED}*"
)


@dataclass(frozen=True)
class Backup:
    """What a lesson's folder held at a moment."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def lesson(self) -> str:
        """The name of the lesson's folder."""
        return self.name.partition("_")[2]

    @property
    def files(self) -> dict[str, bytes]:
        return files_below(self.folder)


def files_below(folder: Path) -> dict[str, bytes]:
    """Relative path → content of all that a learner could have written; no databases and no caches."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths_below(folder)}


def paths_below(folder: Path) -> Iterator[Path]:
    """Every file that a learner could have written; none if there is no folder."""
    for parent, folders, names in os.walk(folder):
        left = _LEFT_OUT(parent, [*folders, *names])
        folders[:] = sorted(set(folders) - left)
        for name in sorted(set(names) - left):
            if (path := Path(parent, name)).is_file():
                yield path


def back_up(lesson: Lesson) -> Backup | None:
    """Copy a lesson's folder into a dated backup. None: there is nothing to copy."""
    files = files_below(lesson.folder)
    return Backup(keep(lesson.name, files)) if files else None


def keep(name: str, files: Mapping[str, bytes]) -> Path:
    """Write files into a new dated folder of the backups, which is there whole or not at all."""
    BACKUPS.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=_prefix(), dir=BACKUPS))
    try:
        for path, content in files.items():
            write(unfinished / path, content)
        return _rename(unfinished, f"{datetime.now().astimezone():%Y-%m-%dT%H-%M-%S}", name)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _rename(unfinished: Path, stamp: str, name: str) -> Path:
    """Give a backup its name, or one with a number if another one has it."""
    for number in range(1, 1000):
        target = BACKUPS / (f"{stamp}_{name}" if number == 1 else f"{stamp}.{number:03}_{name}")
        with contextlib.suppress(OSError):  # there is one of that name
            return unfinished.rename(target)
    raise OSError(f"too many backups are called {stamp}_{name}")


def backups() -> list[Backup]:
    """All backups, the newest first."""
    names = {lesson.name for lesson in all_lessons()}
    found = [Backup(path) for path in BACKUPS.glob("*_*")]
    return sorted((one for one in found if one.lesson in names), key=lambda one: one.name, reverse=True)


def put(lesson: Lesson, files: Mapping[str, bytes], only: str = "") -> tuple[Backup | None, list[str]]:
    """Make a lesson's folder hold these files, and no other Python file; returns the backup and what changed.

    With `only`, no other file is touched.
    """
    there = files_below(lesson.folder)
    wanted = {path: content for path, content in files.items() if not only or path == only}
    changed = [path for path, content in wanted.items() if there.get(path) != content]
    gone = [path for path in there if path.endswith(".py") and path not in files and not only]
    sweep(lesson.folder, below=True)
    sweep(BACKUPS)
    if not changed and not gone:
        return None, []
    backup = back_up(lesson)
    replace({lesson.folder / path: wanted[path] for path in changed})
    for path in gone:
        (lesson.folder / path).unlink(missing_ok=True)
    return backup, sorted([*changed, *gone])


def write(path: Path, content: bytes) -> None:
    """Replace a file at once: whoever looks, and whatever stops us, finds the old one or the new one."""
    replace({path: content})


def replace(files: Mapping[Path, bytes]) -> None:
    """Replace files, once all of them are written beside the old ones: a full disk replaces none."""
    written: dict[Path, Path] = {}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=_prefix(), dir=path.parent)
            written[path] = Path(name)
            with open(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, name)
            else:
                Path(name).chmod(0o644)
        for path, new in written.items():
            new.replace(path)
    except BaseException:
        for new in written.values():
            with contextlib.suppress(OSError):
                new.unlink()
        raise


def _prefix() -> str:
    return f"{_UNFINISHED}{os.getpid()}-"


def sweep(folder: Path, *, below: bool = False) -> None:
    """Remove what runs that were cut off have left half-written in a folder, or also below it."""
    for path in list((folder.rglob if below else folder.glob)(f"{_UNFINISHED}*")):
        writer = path.name.removeprefix(_UNFINISHED).partition("-")[0]
        if not (writer.isdecimal() and psutil.pid_exists(int(writer))):
            with contextlib.suppress(OSError):
                path.unlink() if path.is_file() else shutil.rmtree(path)


def as_bytes(files: Mapping[str, str]) -> dict[str, bytes]:
    """Rendered files as they are written."""
    return {path: text.encode() for path, text in files.items()}
