"""The wrong and the right answers that prove the checks, and their gradings, which run ahead of the tests."""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from workshop.apps import Submission
from workshop.checks import Check
from workshop.grading import Bench, Grading
from workshop.lessons import Lesson, all_lessons, find_lesson
from workshop.processes import Host, imports_of
from workshop.render import read_files, render_lesson, starter
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
    folders = lesson.checks.rglob("alternatives/*/")
    return sorted(path for path in folders if any(path.rglob("*.py")) or (path / "edits.toml").exists())


def alternative_files(lesson: Lesson, folder: Path) -> dict[str, str]:
    """The solution with the files of an alternative in the place of its own, and with its edits."""
    own = read_files(folder)
    edits = tomllib.loads(own.pop("edits.toml", "edit = []"))["edit"]
    return edited({**render_lesson(lesson, lesson.steps[-1].id), **own}, edits, folder.name)


def alternative_steps(lesson: Lesson, folder: Path) -> list[str]:
    """The steps of the part in whose folder an alternative lies; none, which means all, beside the parts."""
    part = folder.parents[1].name
    return [step.id for step in lesson.steps if step.part == part]


MISTAKES = [mistake for lesson in LESSONS for mistake in mistakes_of(lesson)]
ALTERNATIVES = [(lesson, folder) for lesson in LESSONS for folder in alternatives_of(lesson)]


# Gradings, in worker processes: what a test changes in its own process doesn't reach them


def begin() -> None:
    """Give a worker process what all its gradings share."""
    bench = Bench(Host(imports_of(*LESSONS)))
    Finalize(None, bench.close, exitpriority=1)
    _worker.append(bench)


_worker: list[Bench] = []


def grading_of(lesson: Lesson, files: dict[str, str], databases: Sequence[str] = ()) -> Grading:
    return Grading(_worker[0], lesson, Submission(lesson.folder, files), databases)


def grade_solution(name: str) -> list[Outcome]:
    lesson = find_lesson(name)
    return list(grading_of(lesson, render_lesson(lesson, lesson.steps[-1].id)).run_all())


def grade_alternative(name: str, folder: str) -> list[Outcome]:
    """Each check on one database; which one, takes turns."""
    lesson = find_lesson(name)
    path = lesson.checks / folder
    turn = alternatives_of(lesson).index(path)
    with closing(grading_of(lesson, alternative_files(lesson, path))) as grading:
        tasks = once(grading.tasks(alternative_steps(lesson, path)), turn)
        return [grading.run(*task) for task in tasks]


def once(tasks: Iterable[tuple[Check, str]], turn: int = 0) -> list[tuple[Check, str]]:
    """Each check on one of its databases."""
    found: dict[str, list[tuple[Check, str]]] = {}
    for task in tasks:
        found.setdefault(task[0].name, []).append(task)
    return [both[turn % len(both)] for both in found.values()]


def grade_starter(name: str) -> list[Outcome]:
    """Every check, whatever failed before it; on the database on which the states are not graded."""
    lesson = find_lesson(name)
    with closing(Ungated(_worker[0], lesson, Submission(lesson.folder, starter(lesson)))) as grading:
        return [grading.run(*task, fresh=True) for task in once(grading.tasks(), 1)]


class Ungated(Grading):
    def waits_for(self, check: Check) -> str:
        return ""


def grade_state(name: str, step: str) -> list[Outcome]:
    """The step itself, each check on one database, and then the next one up to a check that fails."""
    lesson = find_lesson(name)
    with closing(grading_of(lesson, render_lesson(lesson, step))) as grading:
        outcomes = [grading.run(*task) for task in once(grading.tasks([step]))]
        for task in grading.tasks(following(lesson, step)):
            outcomes.append(grading.run(*task, fresh=True))
            if outcomes[-1].verdict == FAILED:
                break
        return outcomes


def following(lesson: Lesson, step: str) -> list[str]:
    """The step after this one, in a list; a step that no check has if it is the last one."""
    ids = [each.id for each in lesson.steps]
    return [*ids, "none"][ids.index(step) + 1 :][:1]


def grade_mistake(name: str, mistake_name: str) -> list[Outcome]:
    """The mistake's step, one database after another, up to the first check that fails."""
    mistake = find_mistake(name, mistake_name)
    lesson = mistake.lesson
    databases = mistake.databases or lesson.databases
    outcomes: list[Outcome] = []
    with closing(grading_of(lesson, mistake.files(), databases)) as grading:
        tasks = grading.tasks([mistake.step])
        for task in sorted(tasks, key=lambda task: databases.index(task[1])):
            outcomes.append(grading.run(*task, fresh=True))
            if outcomes[-1].verdict == FAILED:
                break
    return outcomes


def grade_everywhere(name: str, mistake_name: str) -> list[Outcome]:
    """The mistake's step on every database."""
    mistake = find_mistake(name, mistake_name)
    return list(grading_of(mistake.lesson, mistake.files()).run_all([mistake.step]))


def find_mistake(name: str, mistake_name: str) -> Mistake:
    return next(one for one in MISTAKES if (one.lesson.name, one.name) == (name, mistake_name))


Job = Callable[..., list[Outcome]]


def grade(job: Job, arguments: tuple[str, ...]) -> list[Outcome]:
    """Run a job, and let the other worker know what the reference has answered."""
    try:
        return job(*arguments)
    finally:
        _worker[0].remember()


class Proofs:
    """Gradings that run two at a time while the tests that wait for them come up."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(2, get_context("spawn"), begin)
        self._futures: dict[tuple[Job, tuple[str, ...]], Future[list[Outcome]]] = {}

    def plan(self, job: Job, *arguments: str) -> Future[list[Outcome]]:
        """Have it graded, if that hasn't been asked for."""
        key = job, arguments
        if key not in self._futures:
            self._futures[key] = self._pool.submit(grade, job, arguments)
        return self._futures[key]

    def outcomes(self, job: Job, *arguments: str) -> list[Outcome]:
        """What came of it."""
        return self.plan(job, *arguments).result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
