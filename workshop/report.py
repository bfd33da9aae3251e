"""What a learner reads: outcomes as lines of text, the first thing to fix on top, silent about what waits."""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from workshop.lessons import Lesson, Step
from workshop.verdicts import BROKEN, FAILED, PASSED, Finding, Outcome

Line = list[tuple[str, str]]  # pieces of text, each with a style: good, bad, dim, bold or none

_CONTROL = re.compile(
    r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_INDENT = " " * 9
_LABEL = 10  # columns of "expected" and "yours"
_ASCII = str.maketrans(
    {"✓": "+", "✗": "x", "·": "-", "×": "x", "…": "...", "→": "->", "“": '"', "”": '"', "’": "'"}
)


def to_encoding(text: str, encoding: str | None) -> str:
    """`text`, with ASCII for the symbols and ? for letters where the terminal can't show them."""
    encoding = encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
    except LookupError:
        return to_encoding(text, "ascii")
    return text


class Board:
    """The steps of one lesson and what is known of them."""

    def __init__(self, lesson: Lesson, folder: str, databases: Sequence[str], width: int = 80) -> None:
        self.lesson, self.folder, self.databases = lesson, folder, databases
        self.width = max(60, min(width, 100))
        self.outcomes: dict[str, list[Outcome]] = {}
        self.checks: Mapping[str, int] = {}  # how many each step has, also those that don't run this time

    def add(self, outcome: Outcome) -> None:
        """Note an outcome."""
        self.outcomes.setdefault(outcome.step, []).append(outcome)

    def failed(self, step: Step) -> list[Outcome]:
        """The checks of a step that failed."""
        return [found for found in self.outcomes.get(step.id, []) if found.verdict == FAILED]

    def unchecked(self, step: Step) -> list[Outcome]:
        """The checks of a step that could not run, which is not the learner's fault."""
        return [found for found in self.outcomes.get(step.id, []) if found.verdict == BROKEN]

    def done(self, step: Step) -> bool:
        """Whether a step was checked and every check passed."""
        found = self.outcomes.get(step.id, [])
        return bool(found) and all(outcome.verdict == PASSED for outcome in found)

    def partly(self, step: Step) -> str:
        """How many of a step's checks ran, in words, if not all did."""
        ran, total = len(self.outcomes.get(step.id, [])), self.checks.get(step.id, 0)
        return f"{ran} of {total} checks" if ran < total else ""

    def waits(self, step: Step) -> Step | None:
        """The first failed step that this one builds on."""
        base = self.lesson.base(step.id)
        return next((other for other in self.lesson.steps if other.id in base and self.failed(other)), None)

    @property
    def first_to_fix(self) -> Step | None:
        """The first step that fails."""
        return next((step for step in self.lesson.steps if self.failed(step)), None)

    # Lines

    def header(self) -> Iterator[Line]:
        """Which folder is graded, on what."""
        rest = f" · {', '.join(self.databases)}"
        space = self.width - len(f" · {self.lesson.title}{rest}")
        folder = self.folder if len(self.folder) <= space else f"…{self.folder[1 - space :]}"
        place = f"{folder} · " if folder else ""
        yield [(f"{place}{self.lesson.title}", "bold"), (rest, "dim")]
        yield []

    def step_lines(self, step: Step, *, everything: bool = False) -> Iterator[Line]:
        """A step that has been checked; nothing for one that waits or wasn't asked for."""
        if self.done(step):
            partly = f"  {self.partly(step)}" if self.partly(step) else ""
            yield [("  ✓ ", "good"), (f"{step.id:<4} ", ""), (step.title, ""), (partly, "dim")]
        elif self.failed(step) and (everything or not self.waits(step)):
            yield from self._failed_lines(step, everything)
        elif unchecked := self.unchecked(step):
            where = ", ".join(dict.fromkeys(one.database for one in unchecked))
            yield [
                ("  ? ", "dim"),
                (f"{step.id:<4} ", ""),
                (step.title, ""),
                (f"  not checked on {where}", "dim"),
            ]

    def _failed_lines(self, step: Step, everything: bool) -> Iterator[Line]:
        failed = self.failed(step)
        yield [("  ✗ ", "bad"), (f"{step.id:<4} ", "bold"), (step.title, "bold")]
        if step != self.first_to_fix and not everything:
            return
        shown = failed if everything else failed[:1]
        for outcome in shown:
            alike = [one for one in failed if _same(one, outcome)]
            if everything and outcome is not alike[0]:
                continue
            others = [one for one in failed if one.check == outcome.check and one not in alike]
            yield from self._finding_lines(outcome, alike, [] if everything else others)
        left = len({outcome.check for outcome in failed} - {outcome.check for outcome in shown})
        if left:
            yield [(f"{_INDENT}{left} more check{'s' if left > 1 else ''} of this step will follow", "dim")]
        yield [(f"{_INDENT}hint: ", "dim"), (f"workshop hint {step.id}", "")]

    def _finding_lines(
        self, outcome: Outcome, alike: Sequence[Outcome], others: Sequence[Outcome]
    ) -> Iterator[Line]:
        assert outcome.finding
        where = ", ".join(one.database for one in alike)
        too = ", ".join(one.database for one in others)
        where += f"; {too} fails too" if too else ""
        title = f"{outcome.title}  ({where})" if len(self.databases) > 1 else outcome.title
        yield from self._wrapped(title, _INDENT, "bold")
        yield from finding_lines(outcome.finding, self.width)

    def _wrapped(self, text: str, indent: str, style: str = "") -> Iterator[Line]:
        for line in textwrap.wrap(text, self.width - len(indent)):
            yield [(indent + line, style)]

    def closing(
        self, seconds: float, next_lesson: Lesson | None = None, *, named: bool = False
    ) -> Iterator[Line]:
        """How far the learner is, and what to do next."""
        checked = [step for step in self.lesson.steps if step.id in self.outcomes]
        done = [step for step in checked if self.done(step)]
        waiting = [step for step in checked if not self.done(step) and self.waits(step)]
        bases = Counter(base.id for step in waiting if (base := self.waits(step) or self.first_to_fix))
        for base_id, count in bases.items():
            yield [(f"  · {count} step{'s wait' if count > 1 else ' waits'} for {base_id}", "dim")]
        if bases:
            yield []
        for reason in dict.fromkeys(
            one.finding.yours for step in checked for one in self.unchecked(step) if one.finding
        ):
            yield from _wrap(f"Not checked: {reason}", "  ", self.width)
            yield []
        total = len(self.lesson.steps)
        part = (
            f"{len(done)} of {total} steps done"
            if len(checked) == total
            else f"{len(done)} of {len(checked)} checked steps done"
        )
        style = "good" if checked and len(done) == len(checked) else "bad"
        name = f"{self.lesson.name}: " if named else ""
        yield [(name + part, style), (f" · {seconds:.1f} s", "dim")]
        if len(done) == total and next_lesson:
            yield [(f"Lesson {self.lesson.handle} is done. Next: lessons/{next_lesson.name}/README.md", "")]


def _same(one: Outcome, other: Outcome) -> bool:
    """Whether two failures of a check, on two databases, need be told only once."""
    a, b = one.finding, other.finding
    alike = a and b and (a.where, a.expected, a.yours) == (b.where, b.expected, b.yours)
    return one.check == other.check and bool(alike)


def finding_lines(finding: Finding, width: int = 80) -> Iterator[Line]:
    """One finding: what was asked, what should have come, what came, and what helps."""
    if finding.kind in {"unavailable", "broken check"}:
        yield from _wrap(f"The check could not run: {finding.yours}", _INDENT, width)
        return
    if finding.asked:
        yield from _wrap(finding.asked, _INDENT, width, most=3)
    if finding.where:
        yield from _wrap(finding.where, _INDENT + "  ", width, most=2)
    if finding.expected:
        yield from _labelled("expected", finding.expected, "good", width)
    if finding.yours:
        yield from _labelled("yours", finding.yours, "bad", width)
    for frame in finding.frames[-3:]:
        yield from _wrap(str(frame), _INDENT + " " * (_LABEL + 2), width, most=3)
    for statement in _few(finding.statements):
        yield from _wrap(statement, _INDENT + " " * (_LABEL + 2), width, style="dim", most=2)
    if finding.why:
        yield from _wrap(finding.why, _INDENT, width)
    if lines := [line for line in finding.output.split("\n") if _harmless(line).strip()]:
        yield [(f"{_INDENT}your app printed:", "dim")]
        for line in lines:
            yield from _wrap(line, _INDENT + "  ", width, style="dim", most=1)


def _harmless(text: str) -> str:
    """`text` without what would move the cursor, change colours or ring the bell."""
    return _CONTROL.sub("", text.expandtabs(4))


def _labelled(label: str, text: str, style: str, width: int) -> Iterator[Line]:
    indent = _INDENT + "  "
    lines = _cut(text, width - len(indent) - _LABEL, 5)
    for number, line in enumerate(lines):
        yield [(indent + f"{label if number == 0 else '':<{_LABEL}}", "dim"), (line, style)]


def _wrap(text: str, indent: str, width: int, style: str = "", most: int = 8) -> Iterator[Line]:
    for line in _cut(text, width - len(indent), most):
        yield [(indent + line, style)]


def _few(statements: Sequence[str], most: int = 6) -> Iterator[str]:
    """The first and the number of the others."""
    left = len(statements) - most
    yield from statements[:most] if left > 1 else statements
    if left > 1:
        yield f"… and {left} more"


def _wrapped(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, width, break_on_hyphens=False) or [""]


def _cut(text: str, width: int, most: int) -> list[str]:
    """`text` in lines of at most `width` columns, and at most `most` of them."""
    lines = [part for line in _harmless(text).split("\n") for part in _wrapped(line, width)]
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: width - 4] + " …"]
    return lines


def as_text(lines: Iterable[Line]) -> str:
    """Lines without their styles."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def outcome_text(outcome: Outcome) -> str:
    """All that a learner reads of one failed check, as plain text."""
    lines: list[Line] = [[(outcome.title, "")]]
    if outcome.finding:
        lines += finding_lines(outcome.finding)
    return as_text(lines)
