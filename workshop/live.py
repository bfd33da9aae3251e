"""`workshop live`: play a lesson for a class, piece by piece, with notes, checks, SQL and the clock."""

import textwrap
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from workshop import desk, terminal
from workshop.apps import Submission
from workshop.checks import Apps, Check, collapse
from workshop.grading import Bench, Grading
from workshop.lessons import ROOT, Lesson, Step
from workshop.processes import Host, imports_of
from workshop.render import Piece, pieces, render_lesson
from workshop.report import Board, Line
from workshop.terminal import Screen

SCRATCH = ROOT / ".workshop" / "live"
_KEYS = "space next piece · enter type it for me · b back · c checks · s SQL · m notes · q quit"
_OBEYED = set(" \r\nbcsm")


class Live:
    """A lesson being taught: the step that comes next, and how much of it the class has seen."""

    def __init__(self, lesson: Lesson, step: Step, here: bool, console: Console) -> None:
        self.lesson, self.step, self.here = lesson, step, here
        self.folder = lesson.folder if here else SCRATCH / lesson.name
        self.screen = Screen(console)
        self.piece = 0
        self.below: list[Line] = []
        self._began = time.monotonic()

    @property
    def index(self) -> int:
        return self.lesson.steps.index(self.step)

    @property
    def pieces(self) -> list[Piece]:
        return pieces(self.lesson, self.step.id)

    def run(self) -> int:
        """Play until somebody quits; returns the exit code."""
        self.below = self._write(self._before) if not self.here else []
        if not terminal.has_keys():
            self.screen.show([*self._page(), [], *self._notes()])
            return 0
        with Bench(Host(imports_of(self.lesson))) as bench:
            try:
                with terminal.events(self.folder) as happened:
                    self._draw()
                    while (event := happened.get()).key != "q":
                        if event.key in _OBEYED:
                            self._obey(event.key, bench)
                            self._draw()
            except KeyboardInterrupt:
                pass
        self.screen.show([[(f"The code is in {_shown(self.folder)}", "dim")]], over=False)
        return 0

    def _obey(self, key: str, bench: Bench) -> None:
        self.below = []
        if key == " ":
            self.piece = min(self.piece + 1, len(self.pieces) - 1)
        elif key in {"\r", "\n"}:
            self.below = self._write(self.step.id)
            self._move(1)
        elif key == "b":
            self._move(-1 if self.piece == 0 else 0)
            self.below = self._write(self._before)
        elif key == "m":
            self.below = self._notes()
        else:
            self.screen.show([*self._page(), [], [("checking …", "dim")]])
            self.below = self._checks(bench) if key == "c" else self._statements(bench)

    def _move(self, by: int) -> None:
        steps = self.lesson.steps
        self.step = steps[max(0, min(self.index + by, len(steps) - 1))]
        self.piece = 0

    @property
    def _before(self) -> str:
        """The state in which the step begins."""
        return self.lesson.steps[self.index - 1].id if self.index else self.lesson.starter

    # The folder

    def _write(self, state: str) -> list[Line]:
        """Make the folder hold the lesson at a state; tells where a learner's own files are kept."""
        files = desk.as_bytes(render_lesson(self.lesson, state))
        if self.here:
            backup, _ = desk.put(self.lesson, files)
            return [[(f"What was there: workshop restore {backup.name}", "dim")]] if backup else []
        for path in desk.files_below(self.folder):
            if path not in files:
                (self.folder / path).unlink()
        for path, content in files.items():
            desk.write(self.folder / path, content)
        return []

    # What the class sees

    def _draw(self) -> None:
        self.screen.show([*self._page(), [], *self.below])

    def _page(self) -> Iterator[Line | Text]:
        spent = (time.monotonic() - self._began) / 60
        planned = sum(step.minutes for step in self.lesson.steps[: self.index])
        yield [(f"{self.step.id} {self.step.title}", "bold"), (f"  {_shown(self.folder)}", "dim")]
        yield [
            (f"{self.step.minutes} min planned · {planned} min before · {spent:.0f} min by the clock", "dim")
        ]
        found = self.pieces
        piece = found[self.piece]
        yield []
        yield [(piece.place, "cyan"), (f"  {self.piece + 1} of {len(found)}: {piece.why}", "")]
        yield []
        yield from code_lines(piece.code, piece.file)
        yield []
        if terminal.has_keys():
            yield [(_KEYS, "dim")]

    def _notes(self) -> list[Line]:
        lines: list[Line] = []
        for paragraph in self.step.notes.split("\n\n"):
            lines += [[(line, "")] for line in textwrap.wrap(" ".join(paragraph.split()), self.screen.width)]
        return lines

    # What the app does

    def _checks(self, bench: Bench) -> list[Line]:
        """The checks of the step that the folder holds: the last one that was typed."""
        board = Board(self.lesson, _shown(self.folder), self.lesson.databases, self.screen.width)
        done = self._typed
        for outcome in Grading(bench, self.lesson, Submission(self.folder)).run_all([done.id]):
            board.add(outcome)
        return list(board.step_lines(done))

    def _statements(self, bench: Bench) -> list[Line]:
        """The SQL that the app sends while the checks of that step run on its first database."""
        grading = Recording(bench, self.lesson, Submission(self.folder), self.lesson.databases[:1])
        for _ in grading.run_all([self._typed.id]):
            continue
        lines: list[Line] = []
        for title, statements in grading.sent:
            lines += [[(title, "bold")], *([(f"  {one}", "cyan")] for one in collapse(statements, 96))]
        return lines or [[("The checks of this step send no SQL.", "dim")]]

    @property
    def _typed(self) -> Step:
        """The last step that is typed: the one before the one shown, or that one at the end of the lesson."""
        current = desk.files_below(self.folder)
        complete = all(
            current.get(path) == content
            for path, content in desk.as_bytes(render_lesson(self.lesson, self.step.id)).items()
        )
        return self.step if complete else self.lesson.steps[max(0, self.index - 1)]


class Recording(Grading):
    """A grading that remembers the SQL that the app has sent in each check."""

    def __init__(
        self, bench: Bench, lesson: Lesson, submission: Submission, databases: Iterable[str]
    ) -> None:
        super().__init__(bench, lesson, submission, databases)
        self.sent: list[tuple[str, list[str]]] = []

    def _perform_on(self, apps: Apps, check: Check) -> None:
        def run_and_record(apps: Apps) -> None:
            check.function(apps)
            if apps.yours.running:
                self.sent.append((check.title, apps.yours.statements(0)))

        super()._perform_on(apps, replace(check, function=run_and_record))


def code_lines(code: str, file: str) -> Iterator[Text]:
    """Code, in colour where there is colour, a little to the right."""
    language = {".py": "python", ".sql": "sql", ".ini": "ini"}.get(Path(file).suffix, "text")
    highlighted = Syntax("", language, theme="ansi_dark").highlight(code.rstrip())
    highlighted.rstrip()
    for line in highlighted.split("\n"):
        line.rstrip()
        yield Text("  ") + line if line.plain else line


def _shown(folder: Path) -> str:
    return folder.relative_to(ROOT).as_posix()
