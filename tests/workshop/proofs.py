"""The wrong and the right answers that prove the checks, and their gradings, which run ahead of the tests."""

import tomllib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workshop.apps import Submission
from workshop.grading import Bench, Grading
from workshop.lessons import Lesson, all_lessons
from workshop.render import read_files, render_lesson
from workshop.verdicts import FAILED, Outcome

LESSONS = [lesson for lesson in all_lessons() if lesson.steps]


@dataclass(frozen=True)
class Mistake:
    """A named wrong answer: the solution at a step, edited."""

    lesson: Lesson
    name: str
    step: str
    about: str
    says: tuple[str, ...]
    edits: tuple[dict[str, str], ...]
    databases: tuple[str, ...]

    def files(self) -> dict[str, str]:
        return edited(render_lesson(self.lesson, self.step), self.edits, self.name)


def edited(files: dict[str, str], edits: Iterable[dict[str, str]], name: str) -> dict[str, str]:
    """The files with each edit's text found once and replaced. `name` says whose edits they are."""
    for edit in edits:
        times = files[edit["file"]].count(edit["find"])
        assert times == 1, f"{name}: {times} places in {edit['file']} match {edit['find']!r}"
        files[edit["file"]] = files[edit["file"]].replace(edit["find"], edit["replace"])
    return files


def mistakes_of(lesson: Lesson) -> list[Mistake]:
    pages = [path.read_text(encoding="utf-8") for path in sorted(lesson.checks.rglob("mistakes.toml"))]
    return [_mistake(lesson, entry) for page in pages for entry in tomllib.loads(page)["mistake"]]


def _mistake(lesson: Lesson, entry: dict[str, Any]) -> Mistake:
    return Mistake(
        lesson,
        entry["name"],
        entry["step"],
        entry["about"],
        tuple(entry["says"]),
        tuple(entry["edit"]),
        (entry["database"],) if "database" in entry else (),
    )


def alternatives_of(lesson: Lesson) -> list[Path]:
    folders = (lesson.checks / "alternatives").glob("*/")
    return sorted(path for path in folders if any(path.rglob("*.py")) or (path / "edits.toml").exists())


def alternative_files(lesson: Lesson, folder: Path) -> dict[str, str]:
    """The solution with the files of an alternative in the place of its own, and with its edits."""
    own = read_files(folder)
    edits = tomllib.loads(own.pop("edits.toml", "edit = []"))["edit"]
    return edited({**render_lesson(lesson, lesson.steps[-1].id), **own}, edits, folder.name)


MISTAKES = [mistake for lesson in LESSONS for mistake in mistakes_of(lesson)]
ALTERNATIVES = [(lesson, folder) for lesson in LESSONS for folder in alternatives_of(lesson)]


class Proofs:
    """Gradings that run two at a time while the tests that wait for them come up."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._pool = ThreadPoolExecutor(2)
        self._mistakes: dict[tuple[str, str], Future[list[Outcome]]] = {}

    def plan(self, mistakes: list[Mistake]) -> None:
        for mistake in mistakes:
            key = mistake.lesson.name, mistake.name
            if key not in self._mistakes:
                self._mistakes[key] = self._pool.submit(self._grade_mistake, mistake)

    def mistake(self, mistake: Mistake) -> list[Outcome]:
        self.plan([mistake])
        return self._mistakes[mistake.lesson.name, mistake.name].result()

    def _grade_mistake(self, mistake: Mistake) -> list[Outcome]:
        """The steps that it builds on directly, and the step itself on one database after another.

        The step is expected to fail, so its checks run at once as they would after a first failure.
        """
        lesson = mistake.lesson
        databases = mistake.databases or lesson.databases
        outcomes: list[Outcome] = []
        submission = Submission(lesson.folder, mistake.files())
        with closing(Grading(self._bench, lesson, submission, databases)) as grading:
            if before := lesson.step(mistake.step).needs:
                outcomes += [grading.run(*task) for task in grading.tasks(before) if task[1] == databases[0]]
            for database in databases:
                tasks = [task for task in grading.tasks([mistake.step]) if task[1] == database]
                outcomes += [grading.run(*task, fresh=True) for task in tasks]
                if any(outcome.verdict == FAILED for outcome in outcomes):
                    break
        return outcomes

    def everywhere(self, mistake: Mistake) -> list[Outcome]:
        """The mistake's step on every database."""
        return self.grade(mistake.lesson, mistake.files(), [mistake.step])

    def grade(self, lesson: Lesson, files: dict[str, str], steps: list[str]) -> list[Outcome]:
        return list(self.grading(lesson, files).run_all(steps))

    def grading(self, lesson: Lesson, files: dict[str, str]) -> Grading:
        return Grading(self._bench, lesson, Submission(lesson.folder, files))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
