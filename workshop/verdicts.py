"""What a check found, as plain data: every report is made from this."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

PASSED, FAILED, WAITS, BROKEN = "passed", "failed", "waits", "broken"


@dataclass(frozen=True)
class Frame:
    """A line of the learner's own code."""

    file: str
    line: int
    function: str = ""
    code: str = ""

    def __str__(self) -> str:
        inside = f" in {self.function}" if self.function and self.function != "module" else ""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}{inside}" + (f": {self.code}" if self.code else "")


@dataclass(frozen=True)
class Finding:
    """The first thing that is wrong: what was asked, what should have come and what came."""

    kind: str
    asked: str = ""
    where: str = ""
    expected: str = ""
    yours: str = ""
    frames: tuple[Frame, ...] = ()
    why: str = ""
    output: str = ""
    statements: tuple[str, ...] = ()


class Failure(AssertionError):
    """A learner's app does not do what the check asks."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(describe(finding))
        self.finding = finding


class Unavailable(Exception):
    """Not the learner's fault: a database or the reference can't be had; the message says what to do."""


def describe(finding: Finding) -> str:
    """A finding as a few lines of text."""
    lines = [finding.asked]
    if finding.where:
        lines.append(f"  {finding.where}")
    if finding.expected:
        lines.append(f"  expected  {finding.expected}")
    lines.append(f"  yours     {finding.yours}")
    lines += [f"    {frame}" for frame in finding.frames[-3:]]
    lines += [f"    {statement}" for statement in finding.statements]
    if finding.why:
        lines.append(f"  {finding.why}")
    return "\n".join(line for line in lines if line.strip())


@dataclass(frozen=True)
class Outcome:
    """The result of one check on one database."""

    lesson: str
    step: str
    check: str
    title: str
    database: str
    verdict: str
    seconds: float
    finding: Finding | None = None
    waits_for: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON values only."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        found = data["finding"]
        if found:
            frames = tuple(Frame(**frame) for frame in found["frames"])
            found = Finding(**{**found, "frames": frames, "statements": tuple(found["statements"])})
        return cls(**{**data, "finding": found})
