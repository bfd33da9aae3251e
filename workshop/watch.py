"""`workshop watch`: save a file, and see at once what the step you are on still lacks."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing

from rich.console import Console

from workshop import progress, terminal
from workshop.apps import Submission
from workshop.grading import Bench, Grading, count_checks, imports_of
from workshop.lessons import Lesson, Step
from workshop.report import Board, Line
from workshop.terminal import Event, Screen
from workshop.verdicts import FAILED

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

    def run(self) -> int:
        """Check on every save until somebody quits; returns the exit code."""
        with Bench(preload=imports_of(self.lesson)) as bench:
            if "postgresql" in self.databases:
                bench.prepare_postgres()
            try:
                with terminal.events(self.lesson.folder) as happened:
                    self.check(bench, [self.step])
                    while self._obey(happened.get(), bench):
                        continue
            except KeyboardInterrupt:
                pass
        self.screen.show([[("Stopped watching.", "dim")]], over=False)
        return 0

    def _obey(self, event: Event, bench: Bench) -> bool:
        """Do what a save or a key asks for; False to quit."""
        if event.kind == "saved":
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
        with closing(grading.run_all([step.id for step in steps])) as outcomes:
            for outcome in outcomes:
                board.add(outcome)
                if outcome.verdict == FAILED:
                    break
        self._passed = board.done(self.step)
        known = [
            step for step in steps if board.failed(step) or (board.done(step) and not board.partly(step))
        ]
        if self.databases == self.lesson.databases:
            progress.note({step.id: board.done(step) for step in known})
        self._asked = ""
        self._lines = list(self._page(board, steps, time.perf_counter() - began))
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
