"""`workshop update`: a newer version of the course, and every file that a learner has changed stays."""

import subprocess
from collections.abc import Callable

from workshop import desk
from workshop.lessons import ROOT


def update(say: Callable[[str], None]) -> int:
    """Bring the clone to its newest version; returns an exit code.

    Files that were changed here are set aside in memory and in a backup, and are put back as they are.
    """
    if _git("rev-parse", "--git-dir").returncode:
        say("This folder is no clone of git's. Download the new version, and copy your lessons into it.")
        return 1
    if (fetched := _git("fetch")).returncode:
        say(f"The new version can't be fetched: {_last(fetched.stderr)}")
        return 1
    if _git("rev-parse", "@{upstream}").returncode:
        say("This branch follows no other, so there is nothing to fetch a new version from.")
        return 1
    coming = _lines("diff", "--name-only", "HEAD...@{upstream}")
    if not coming:
        say("You have the newest version.")
        return 0
    changed = _lines("diff", "--name-only", "HEAD")
    own = {path: (ROOT / path).read_bytes() for path in changed if (ROOT / path).is_file()}
    deleted = [path for path in changed if path not in own]
    return _merge(coming, own, deleted, say)


def _merge(coming: list[str], own: dict[str, bytes], deleted: list[str], say: Callable[[str], None]) -> int:
    backup = desk.keep("update", own) if own else None
    touched = [path for path in coming if path in own or path in deleted]
    for path in touched:
        _git("checkout", "HEAD", "--", path)
    merged = _git("merge", "--ff-only", "@{upstream}")
    for path, content in own.items():
        desk.write(ROOT / path, content)
    for path in deleted:
        (ROOT / path).unlink(missing_ok=True)
    if merged.returncode:
        say(f"The new version doesn't fit: {_last(merged.stderr)}. Nothing was changed.")
        return 1
    say(f"The course is up to date: {len(coming)} files are new or changed, and none of yours.")
    for path in touched:
        say(f"  yours stays: {path}")
    if backup:
        say(f"Your changed files are also kept in {backup.relative_to(ROOT).as_posix()}")
    say("If packages have changed: python -m workshop setup")
    return 0


def _git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return subprocess.CompletedProcess([], 127, "", "git is not installed")


def _lines(*arguments: str) -> list[str]:
    return _git("-c", "core.quotepath=off", *arguments).stdout.splitlines()


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["git says nothing"])[-1]
