"""`workshop update`: a newer version of the course, and every file that a learner has changed stays."""

import io
import subprocess
import tarfile
from collections.abc import Callable, Iterable

from workshop import desk
from workshop.lessons import ROOT


def update(say: Callable[[str], None]) -> int:
    """Bring the clone to its newest version; returns an exit code.

    Files that were changed here are never written to. If it is cut off, it can be run again.
    """
    if reason := _reason_against():
        say(reason)
        return 1
    coming = _lines("diff", "--name-only", "--no-renames", "HEAD", "@{upstream}")
    if not coming:
        say("You have the newest version.")
        return 0
    new = _newest()
    there = {path: (ROOT / path).read_bytes() for path in _touched(coming) if (ROOT / path).is_file()}
    own = {path: content for path, content in there.items() if content != new.get(path)}
    deleted = [path for path in _touched(coming) if path not in there and path in _lines("ls-files")]
    backup = desk.keep("update", own) if own else None
    _bring({path: new.get(path) for path in coming if path not in own and path not in deleted})
    if (moved := _git("reset", "--quiet", "@{upstream}")).returncode:
        say(f"The files are new, but git doesn't know it yet: {_last(moved.stderr)}. Run it again.")
        return 1
    stays = [path for path in coming if path in own or path in deleted]
    say(f"The course is up to date: {len(coming) - len(stays)} files are new or changed, and none of yours.")
    for path in stays:
        say(f"  yours stays: {path}")
    if backup:
        say(f"Your changed files are also kept in {backup.relative_to(ROOT).as_posix()}")
    say("If packages have changed: python -m workshop setup")
    return 0


def _reason_against() -> str:
    """Why there can be no update, or ''. Asks for what is new."""
    if _git("rev-parse", "--git-dir").returncode:
        return "This folder is no clone of git's. Download the new version, and copy your lessons into it."
    if (fetched := _git("fetch")).returncode:
        return f"The new version can't be fetched: {_last(fetched.stderr)}"
    if _git("rev-parse", "@{upstream}").returncode:
        return "This branch follows no other, so there is nothing to fetch a new version from."
    if _git("merge-base", "--is-ancestor", "HEAD", "@{upstream}").returncode:
        return "You have made commits, so git has to bring both together: git pull"
    return ""


def _newest() -> dict[str, bytes]:
    """Every file of the newest version, as git would write it here."""
    archive = subprocess.run(["git", "archive", "@{upstream}"], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        return {one.name: read.read() for one in files if (read := files.extractfile(one))}


def _touched(coming: Iterable[str]) -> list[str]:
    """The files that are not as git has them, or that git doesn't have, though they will come."""
    known = set(_lines("ls-files"))
    new_here = [path for path in coming if path not in known and (ROOT / path).exists()]
    return [*_lines("diff", "--name-only", "--no-renames", "HEAD"), *new_here]


def _bring(files: dict[str, bytes | None]) -> None:
    """Write files, and remove those that are None."""
    desk.replace({ROOT / path: content for path, content in files.items() if content is not None})
    for path, content in files.items():
        if content is None:
            (ROOT / path).unlink(missing_ok=True)


def _git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return subprocess.CompletedProcess([], 127, "", "git is not installed")


def _lines(*arguments: str) -> list[str]:
    return _git("-c", "core.quotepath=off", *arguments).stdout.splitlines()


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["git says nothing"])[-1]
