"""A terminal that is drawn on without flicker, the keys pressed in it, and files that are saved meanwhile."""

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.text import Text

from workshop import desk
from workshop.report import Line, to_encoding

POLL_SECONDS = 0.02  # a lesson has some twenty files; to look at them takes less than a millisecond
_SETTLE_SECONDS = 0.01  # in which nothing must have changed: an editor writes in several steps
_STYLES = {"good": "green", "bad": "red"}
_OF_EDITORS = ("~", ".swp")  # what they keep beside a file while it is open


@dataclass(frozen=True)
class Event:
    """Something that happened: ``"saved"`` or ``"key"``, and which key."""

    kind: str
    key: str = ""


class Screen:
    """What a person looks at: redrawn as a whole in a terminal, added to elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.is_terminal = console.is_terminal

    @property
    def width(self) -> int:
        return min(self.console.width, 100)

    def show(self, lines: Iterable[Line | Text], *, over: bool = True) -> None:
        """Print lines; in a terminal over what was there, in one piece."""
        with self.console.capture() as captured:
            for line in lines:
                self.console.print(line if isinstance(line, Text) else self._text(line), soft_wrap=True)
        drawn = captured.get()
        if self.is_terminal and over:
            drawn = "\x1b[H" + drawn.replace("\n", "\x1b[K\n") + "\x1b[J"
        self.console.file.write(drawn)
        self.console.file.flush()

    def _text(self, line: Line) -> Text:
        text = Text()
        for words, style in line:
            text.append(to_encoding(words, self.console.encoding), _STYLES.get(style, style))
        return text


@contextmanager
def events(folder: Path) -> Iterator["queue.SimpleQueue[Event]"]:
    """The keys that are pressed and the saves in a folder, as they come. The terminal is as before, after."""
    happened: queue.SimpleQueue[Event] = queue.SimpleQueue()
    ended = threading.Event()
    threads = [threading.Thread(target=_watch, args=(folder, happened, ended), daemon=True)]
    with _keys_at_once() as keys, _ended_by_signals():
        if keys:
            threads.append(threading.Thread(target=_read_keys, args=(happened, ended), daemon=True))
        for thread in threads:
            thread.start()
        try:
            yield happened
        finally:
            ended.set()
            for thread in threads:
                thread.join(1.0)


def has_keys() -> bool:
    """Whether somebody can press keys: whether the input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


# Files


def snapshot(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Path → inode, time of change and size of every file that a learner could save; {} without a folder."""
    found = {}
    for path in desk.paths_below(folder):
        if not path.name.endswith(_OF_EDITORS):
            with suppress(OSError):
                status = path.stat()
                found[path] = status.st_ino, status.st_mtime_ns, status.st_size
    return found


def _watch(folder: Path, happened: "queue.SimpleQueue[Event]", ended: threading.Event) -> None:
    """Tell of a change once nothing has changed for one look.

    Looking works everywhere, also where no system tells of changes, such as network drives and containers.
    """
    told = seen = snapshot(folder)
    while not ended.wait(POLL_SECONDS if seen == told else _SETTLE_SECONDS):
        now = snapshot(folder)
        if now == seen and now != told:
            told = now
            happened.put(Event("saved"))
        seen = now


# Keys


@contextmanager
def _keys_at_once() -> Iterator[bool]:
    """Let keys arrive without Enter, and not be shown; whether there are keys at all."""
    if not has_keys() or sys.platform == "win32":
        yield has_keys()
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield True
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _read_keys(happened: "queue.SimpleQueue[Event]", ended: threading.Event) -> None:
    read = _read_key_on_windows if sys.platform == "win32" else _read_key
    while not ended.is_set():
        if key := read():
            happened.put(Event("key", key))


def _read_key() -> str:
    import select

    if not select.select([sys.stdin], [], [], 0.1)[0]:
        return ""
    pressed = os.read(sys.stdin.fileno(), 1)
    return "q" if not pressed else pressed.decode(errors="ignore")  # nothing: the terminal was closed


def _read_key_on_windows() -> str:
    import msvcrt
    import time

    console: Any = msvcrt
    if console.kbhit():
        return str(console.getwch())
    time.sleep(0.05)
    return ""


# Signals


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A closed terminal ends the program as Ctrl-C does, so that nothing keeps running."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: dict[int, Callable[..., Any] | int | None] = {}
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            before[getattr(signal, name)] = signal.signal(getattr(signal, name), stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
