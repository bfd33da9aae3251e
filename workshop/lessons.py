"""The lessons: what steps they have, where they lie, and which folder a name means."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LESSONS = ROOT / "lessons"
SOLUTIONS = ROOT / "solutions"
CHECKS = ROOT / "tests"
# What a person may call a database, and what it is called in steps.toml.
DATABASES = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}


class UnknownLesson(ValueError):
    """No lesson, or more than one, has this name; the message lists them all."""


@dataclass(frozen=True)
class Step:
    """One thing to do: 5 to 15 minutes of a learner's work."""

    id: str
    title: str
    minutes: int
    hints: tuple[str, ...]
    needs: tuple[str, ...]
    notes: str = ""
    part: str = ""  # of the lesson; "" where a lesson has no parts


@dataclass(frozen=True)
class Lesson:
    """One numbered folder, which has the same name in each room.

    A lesson's practice task has the lesson's number too, and is called by its whole name.
    """

    name: str
    title: str
    about: str
    minutes: int
    databases: tuple[str, ...] = ("sqlite",)
    steps: tuple[Step, ...] = field(default=(), repr=False)
    launch: bool = True  # whether the apps serve when a check begins
    migrated: bool = False  # whether `alembic upgrade head` has made the tables when a check begins
    task: bool = False  # whether it begins with an empty folder

    @property
    def number(self) -> str:
        return self.name.partition("_")[0]

    @property
    def handle(self) -> str:
        """The shortest name that means it: ``05``, ``05_practice``."""
        return self.name if self.task else self.number

    @property
    def folder(self) -> Path:
        """The learner's desk."""
        return LESSONS / self.name

    @property
    def checks(self) -> Path:
        """The examiner's folder."""
        return CHECKS / self.name

    @property
    def starter(self) -> str:
        """The name of the state in which no step is done, such as ``"3.0"``."""
        return f"{int(self.number)}.0"

    def step(self, step_id: str) -> Step:
        """The step of that id; KeyError if there is none."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def page(self, step: Step) -> Path:
        """The page that says what to do in a step."""
        return self.folder / f"{step.part or 'README'}.md"

    def base(self, step_id: str) -> set[str]:
        """Every step that `step_id` builds on, directly or through others."""
        found: set[str] = set()
        waiting = list(self.step(step_id).needs)
        while waiting:
            needed = waiting.pop()
            if needed not in found:
                found.add(needed)
                waiting.extend(self.step(needed).needs)
        return found


@cache
def all_lessons() -> tuple[Lesson, ...]:
    """Every lesson that has a `steps.toml`, in order."""
    return tuple(_read(path) for path in sorted(CHECKS.glob("[0-9]*/steps.toml")))


def _read(path: Path) -> Lesson:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    steps = list(_steps(data, ""))
    for part in data.get("parts", []):
        page = (path.parent / part / "steps.toml").read_text(encoding="utf-8")
        steps += _steps(tomllib.loads(page), part)
    return Lesson(
        name=path.parent.name,
        title=data["title"],
        about=data["about"],
        minutes=data["minutes"],
        databases=tuple(data.get("databases", ["sqlite"])),
        steps=tuple(steps),
        launch=data.get("launch", True),
        task=data.get("task", False),
        migrated=data.get("migrated", False),
    )


def _steps(data: dict[str, Any], part: str) -> Iterator[Step]:
    """The steps of a lesson or of a part; each needs the one before it, unless it says otherwise."""
    before: list[str] = []
    for entry in data.get("step", []):
        yield Step(
            id=entry["id"],
            title=entry["title"],
            minutes=entry["minutes"],
            hints=tuple(hint.strip() for hint in entry["hints"]),
            needs=tuple(entry.get("needs", before)),
            notes=entry.get("notes", "").strip(),
            part=part,
        )
        before = [entry["id"]]


def find_lesson(name: str) -> Lesson:
    """The lesson that `name` means: its name or the beginning of it (``03``, ``3``, ``03_mod``)."""
    several = False
    for candidate in filter(None, (name, name.zfill(2))):
        found = [
            lesson
            for lesson in all_lessons()
            if lesson.name.startswith(candidate) and not (lesson.task and candidate == lesson.number)
        ]
        exact = [lesson for lesson in found if lesson.name == candidate]
        if len(exact or found) == 1:
            return (exact or found)[0]
        several = several or bool(found)
    known = "\n".join(f"  {lesson.name}  {lesson.title}" for lesson in all_lessons())
    problem = "more than one lesson begins with" if several else "no lesson is called"
    raise UnknownLesson(f"{problem} {name!r}. The lessons are:\n{known}")


def find_step(step_id: str) -> tuple[Lesson, Step]:
    """The step of that id and its lesson."""
    for lesson in all_lessons():
        for step in lesson.steps:
            if step.id == step_id:
                return lesson, step
    steps = [lesson.steps for lesson in all_lessons() if lesson.steps]
    known = "\n".join(f"  {each[0].id} to {each[-1].id}" for each in steps)
    raise UnknownLesson(f"no step is called {step_id!r}. The steps are:\n{known}")
