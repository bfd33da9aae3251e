"""`workshop watch`: save a file, and see at once what the step you are on still lacks."""

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import cache
from itertools import islice

from rich.console import Console

from workshop import progress, terminal
from workshop.apps import Submission
from workshop.grading import Bench, Grading, count_checks
from workshop.lessons import Lesson, Step
from workshop.processes import FORKS, SPARE, Host, imports_of
from workshop.render import render_lesson
from workshop.report import Board, Line
from workshop.terminal import Event, Screen
from workshop.verdicts import FAILED, Unavailable

_SPARES = 8 if FORKS else 2  # processes that are ready when a file is saved; each takes some 30 MB
_KEYS = "h hint · d diff · a run all · n next · p back · q quit"


class Watch:
    """One lesson, the step a learner is on, and what is known of it."""

    def __init__(self, lesson: Lesson, step: Step, databases: Sequence[str], console: Console) -> None:
        self.lesson, self.step = lesson, step
        self.databases = tuple(databases) or lesson.databases
        self.screen = Screen(console)
        self._lines: list[Line] = []
        self._passed = False
        self._asked = ""  # the key that has to be pressed again
        self._happened: queue.SimpleQueue[Event]
        self._maker: ThreadPoolExecutor  # of spare processes
        self._waiting: deque[Event] = deque()  # that have happened and are not obeyed yet

    def run(self) -> int:
        """Check on every save until somebody quits; returns the exit code."""
        with suppress(KeyboardInterrupt), Bench(Host(imports_of(self.lesson))) as bench:
            if "postgresql" in self.databases:
                bench.prepare_postgres()
            with ThreadPoolExecutor(1) as self._maker, terminal.events(self.lesson.folder) as self._happened:
                self.check(bench, [self.step])
                while self._obey(self._next(bench), bench):
                    continue
        self.screen.show([[("Stopped watching.", "dim")]], over=False)
        return 0

    def _next(self, bench: Bench) -> Event:
        """What happens next. While we wait for it, spare processes are made."""
        if self._waiting:
            return self._waiting.popleft()
        ended = threading.Event()
        self._maker.submit(self._make_spares, bench, self.step, ended)
        try:
            return self._happened.get()
        finally:
            ended.set()

    def _make_spares(self, bench: Bench, step: Step, ended: threading.Event) -> None:
        reference = _reference(bench, self.lesson, step, self.databases)
        with suppress(Unavailable):
            if "postgresql" in self.databases and not self.lesson.migrated:
                bench.stock_up(_SPARES // 2)
        while not ended.is_set() and bench.host.spares() < _SPARES and reference.make_spare(step.id):
            continue

    def _came_up(self, *keys: str) -> bool:
        """Whether something was saved, or one of these keys was pressed, that we have not obeyed yet."""
        while not self._happened.empty():
            self._waiting.append(self._happened.get())
        return any(event.kind == "saved" or event.key in keys for event in self._waiting)

    def _obey(self, event: Event, bench: Bench) -> bool:
        """Do what a save or a key asks for; False to quit."""
        if event.kind == "saved":
            self._came_up()
            self._waiting = deque(other for other in self._waiting if other.kind != "saved")
            self._go_on_without_keys()
            self.check(bench, [self.step])
        elif event.key == "a":
            self.check(bench, self.lesson.steps)
        elif event.key in {"n", "p"}:
            if event.key == "p" or self._passed or self._sure("n", f"{self.step.id} isn't done yet"):
                self._move(1 if event.key == "n" else -1)
                self.check(bench, [self.step])
        elif event.key == "h":
            self._show_below(self._hint())
        elif event.key == "d" and self._sure("d", "This shows the answer"):
            self._show_below(self._difference())
        return event.key != "q"

    def _sure(self, key: str, why: str) -> bool:
        """Whether a key was pressed twice; says why it has to be."""
        if self._asked == key:
            self._asked = ""
            return True
        self._asked = key
        self._show_below([[(f"{why}. Press {key} again.", "bold")]])
        return False

    def _move(self, by: int) -> None:
        steps = self.lesson.steps
        self.step = steps[max(0, min(steps.index(self.step) + by, len(steps) - 1))]
        self._passed = False

    def _go_on_without_keys(self) -> None:
        """Where no key can be pressed, the save after a step is done is for the next one."""
        if self._passed and not terminal.has_keys():
            self._move(1)

    # Checking

    def check(self, bench: Bench, steps: Sequence[Step]) -> None:
        """Check steps up to the first failure, and show the first thing to fix."""
        if self.screen.is_terminal:
            self.screen.show([*self._lines, [("checking …", "dim")]])
        began = time.perf_counter()
        board = Board(self.lesson, f"lessons/{self.lesson.name}", self.databases, self.screen.width)
        board.checks = count_checks(self.lesson, self.databases)
        grading = Grading(bench, self.lesson, Submission(self.lesson.folder), self.databases)
        wanted = [step.id for step in steps]
        left = len(grading.tasks(wanted))
        with closing(grading.run_together(wanted, lambda: self._came_up("q"))) as outcomes:
            for outcome in islice(outcomes, left):
                board.add(outcome)
                left = 0 if outcome.verdict == FAILED else left - 1
                if not left:
                    break
            if not left:
                self._show(board, steps, time.perf_counter() - began)
        if not left and self.databases == self.lesson.databases:
            known = [
                step for step in steps if board.failed(step) or (board.done(step) and not board.partly(step))
            ]
            progress.note({step.id: board.done(step) for step in known})

    def _show(self, board: Board, steps: Sequence[Step], seconds: float) -> None:
        self._passed = board.done(self.step)
        self._asked = ""
        self._lines = list(self._page(board, steps, seconds))
        self.screen.show(self._lines)

    def _page(self, board: Board, steps: Sequence[Step], seconds: float) -> Iterator[Line]:
        yield from board.header()
        for step in steps:
            yield from board.step_lines(step)
        for step in steps:
            for found in board.unchecked(step)[:1]:
                yield [(f"  {found.finding.yours if found.finding else ''}", "dim")]
        yield []
        yield from self._what_now(board)
        yield [(f"{time.strftime('%H:%M:%S')} · {seconds:.1f} s", "dim")]
        if terminal.has_keys():
            yield [(_KEYS, "dim")]

    def _what_now(self, board: Board) -> Iterator[Line]:
        if not board.done(self.step):
            return
        later = self.lesson.steps[self.lesson.steps.index(self.step) + 1 :]
        if not later:
            yield [(f"{self.step.id} is done, and so is this lesson's last step. ", "good")]
        elif terminal.has_keys():
            yield [
                (f"{self.step.id} is done. ", "good"),
                (f"Press n for {later[0].id} {later[0].title}.", ""),
            ]
        else:
            yield [(f"{self.step.id} is done. ", "good"), (f"The next save checks {later[0].id}.", "")]

    # Help

    def _show_below(self, lines: list[Line]) -> None:
        self.screen.show([*self._lines, [], *lines])

    def _hint(self) -> list[Line]:
        from workshop.cli import hint_lines

        number = progress.next_hint(self.step.id, len(self.step.hints))
        title: Line = [(f"hint {number} of {len(self.step.hints)} for {self.step.id}", "bold")]
        hint = hint_lines(self.step.hints[number - 1], self.screen.width)
        return [title, *([(line, style)] for line, style in hint)]

    def _difference(self) -> list[Line]:
        from workshop.cli import differences

        return [[line] for line in differences(self.lesson, self.step)] or [[("No difference.", "")]]


@cache
def _reference(bench: Bench, lesson: Lesson, step: Step, databases: tuple[str, ...]) -> Grading:
    """A grading of the reference at a step, whose processes become spare ones."""
    files = render_lesson(lesson, step.id)
    return Grading(bench, lesson, Submission(lesson.folder, files, pool=SPARE), databases)
