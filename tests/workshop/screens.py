"""A copy of the repository, and the command `workshop` in it, in a real pseudo-terminal or through a pipe."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from workshop import desk
from workshop.lessons import ROOT, Lesson
from workshop.render import starter

SECONDS = 60.0  # until a screen that should come is given up
_FORKING = """
import json, os, sys
from workshop import cli, desk, render  # once, for all commands
for line in sys.stdin:
    sys.argv = ["workshop", *json.loads(line)]
    pid = os.fork()
    if pid == 0:
        sys.stdout = sys.stderr = open(os.devnull, "w")
        os._exit(cli.main())
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
_ROOMS = ("lessons", "solutions", "tests", "workshop", "requirements.txt", "pyproject.toml")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.db", "alternatives", "workshop-*")


class Copy:
    """A copy of the repository, in which every lesson is at its start."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for room in _ROOMS:
            source = ROOT / room
            if source.is_dir():
                shutil.copytree(source, root / room, ignore=_NOT_COPIED)
            else:
                shutil.copy(source, root / room)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))},
            "PYTHONPATH": str(root),
            "COLUMNS": "80",
            "LINES": "40",
            "TERM": "xterm-256color",
        }

    def begin(self, lesson: Lesson) -> None:
        """Put a lesson at its start, and forget progress and backups."""
        shutil.rmtree(self.root / ".workshop", ignore_errors=True)
        folder = self.root / "lessons" / lesson.name
        shutil.rmtree(folder)
        shutil.copytree(ROOT / "lessons" / lesson.name, folder, ignore=_NOT_COPIED)
        for path in desk.files_below(folder):
            if path != "README.md":
                (folder / path).unlink()
        for path, content in desk.as_bytes(starter(lesson)).items():
            desk.write(folder / path, content)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "workshop.cli", *arguments]

    def workshop(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command through pipes."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )

    def terminal(self, *arguments: str) -> "Terminal":
        """Run a command in a pseudo-terminal."""
        return Terminal(self.command(*arguments), self.root, self.environment)


class Forks:
    """The command `workshop` in a copy again and again, without a new Python each time."""

    def __init__(self, copy: Copy) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKING],
            cwd=copy.root,
            env=copy.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def workshop(self, *arguments: str, killed_after: float | None = None) -> int:
        """Run a command, and kill it after so many seconds; returns the exit code, or minus the signal."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(arguments), file=self._process.stdin, flush=True)
        pid = int(self._process.stdout.readline())
        if killed_after is not None:
            time.sleep(killed_after)  # the moment of the kill, not a wait for something
            with suppress(ProcessLookupError):  # it has ended
                os.kill(pid, signal.SIGKILL)
        return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


class Terminal:
    """A process in a pseudo-terminal of its own, what it has shown, and its keyboard."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.shown = ""
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(command[0], command, environment)

    def until(self, pattern: str, seconds: float = SECONDS) -> str:
        """Read until the pattern is on the screen; returns all that came, and forgets it."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.shown):
            assert time.monotonic() < end, f"{pattern!r} didn't come:\n{self.shown}"
            assert self._read(0.1), f"it ended before {pattern!r} came:\n{self.shown}"
        shown, self.shown = self.shown, ""
        return shown

    def look(self, seconds: float) -> None:
        """Read what comes within so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self._read(left):
            continue

    def _read(self, seconds: float) -> bool:
        if select.select([self._descriptor], [], [], seconds)[0]:
            try:
                more = os.read(self._descriptor, 65536)
            except OSError:  # Linux's way to say that nobody is on the other end any more
                return False
            self.shown += more.decode(errors="replace")
            return bool(more)
        return True

    def press(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def end(self) -> tuple[int, str]:
        """Wait until it has ended; returns the exit code, or minus the signal, and the last that it said."""
        stop = time.monotonic() + SECONDS
        while self._read(0.1):
            assert time.monotonic() < stop, f"it doesn't end:\n{self.shown}"
        status = os.waitpid(self.pid, 0)[1]
        os.close(self._descriptor)
        return os.waitstatus_to_exitcode(status), self.shown

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)
