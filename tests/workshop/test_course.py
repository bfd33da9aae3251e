"""The course proves itself: solutions and alternatives pass, starters and mistakes fail where they should."""

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workshop.apps import Submission
from workshop.grading import Bench, Grading, checks_of, imports_of
from workshop.lessons import Lesson, all_lessons
from workshop.render import read_files, render_lesson, starter, starters_record
from workshop.report import outcome_text
from workshop.verdicts import FAILED, PASSED, Outcome

LESSONS = [lesson for lesson in all_lessons() if lesson.steps]
BY_LESSON = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
BY_LESSON_WITH_STATES = pytest.mark.parametrize(
    "lesson", [lesson for lesson in LESSONS if not lesson.task], ids=lambda lesson: lesson.name
)


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
    return sorted(path for path in (lesson.checks / "alternatives").glob("*/") if any(path.rglob("*.py")))


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
        """The steps that it builds on directly, and the step itself on one database after another."""
        lesson = mistake.lesson
        submission = Submission(lesson.folder, mistake.files())
        databases = mistake.databases or lesson.databases
        before = lesson.step(mistake.step).needs
        outcomes: list[Outcome] = []
        if before:
            outcomes += Grading(self._bench, lesson, submission, databases[:1]).run_all(before)
        for database in databases:
            outcomes += Grading(self._bench, lesson, submission, [database]).run_all([mistake.step])
            if any(outcome.verdict == FAILED for outcome in outcomes):
                break
        return outcomes

    def everywhere(self, mistake: Mistake) -> list[Outcome]:
        """The mistake's step on every database."""
        return self.grade(mistake.lesson, mistake.files(), [mistake.step])

    def grade(self, lesson: Lesson, files: dict[str, str], steps: list[str]) -> list[Outcome]:
        return list(Grading(self._bench, lesson, Submission(lesson.folder, files)).run_all(steps))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def proofs(request: pytest.FixtureRequest) -> Iterator[Proofs]:
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    chosen = [found.params["mistake"] for found in parameters if found and "mistake" in found.params]
    with Bench(preload=dict.fromkeys(name for lesson in LESSONS for name in imports_of(lesson))) as bench:
        proofs = Proofs(bench)
        proofs.plan(chosen)
        yield proofs
        proofs.close()


def told(outcomes: list[Outcome]) -> str:
    return "\n\n".join(f"{one.step} {one.database} {outcome_text(one)}" for one in outcomes)


# Solutions, starters and the states between


@BY_LESSON
def test_the_solution_passes_every_check(proofs: Proofs, lesson: Lesson) -> None:
    outcomes = proofs.grade(lesson, render_lesson(lesson, lesson.steps[-1].id), [])
    wrong = [outcome for outcome in outcomes if outcome.verdict != PASSED]
    assert not wrong, told(wrong)
    assert {outcome.database for outcome in outcomes} == set(lesson.databases)


@BY_LESSON
def test_the_starter_serves_and_fails_every_check(proofs: Proofs, lesson: Lesson) -> None:
    for step in lesson.steps:
        for outcome in UngatedGrading.of(proofs, lesson, starter(lesson)).run_all([step.id]):
            assert outcome.verdict == FAILED, f"{outcome.step} {outcome.check} passes on the starter"
            assert outcome.finding
            assert outcome.finding.kind not in {"failed to start", "import error", "syntax error"}, told(
                [outcome]
            )


class UngatedGrading(Grading):
    """Every check runs, whatever failed before it."""

    @classmethod
    def of(cls, proofs: Proofs, lesson: Lesson, files: dict[str, str]) -> Grading:
        return cls(proofs._bench, lesson, Submission(lesson.folder, files))

    def waits_for(self, check: Any) -> str:
        return ""


@BY_LESSON_WITH_STATES
def test_every_state_passes_its_step_and_fails_the_next(proofs: Proofs, lesson: Lesson) -> None:
    for step, following in zip(lesson.steps, [*lesson.steps[1:], None], strict=True):
        files = render_lesson(lesson, step.id)
        wrong = [found for found in proofs.grade(lesson, files, [step.id]) if found.verdict != PASSED]
        assert not wrong, told(wrong)
        if following:
            assert any(found.verdict == FAILED for found in proofs.grade(lesson, files, [following.id]))


@BY_LESSON
def test_the_starters_are_rendered_from_the_solutions(lesson: Lesson) -> None:
    """The record is committed with the starters; a learner's work in lessons/ doesn't matter here."""
    for path, text in starter(lesson).items():
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert starters_record().get(f"{lesson.name}/{path}") == digest, "run: python -m workshop.render"


@BY_LESSON_WITH_STATES
def test_a_starter_says_what_to_do_in_each_step(lesson: Lesson) -> None:
    text = "\n".join(starter(lesson).values())
    for step in lesson.steps:
        assert f"TODO {step.id}:" in text, f"no TODO {step.id} in the starter"
    solution = "\n".join(render_lesson(lesson, lesson.steps[-1].id).values())
    assert "TODO" not in solution
    for marker in ("# region", "# starter:", "# endregion", "-- region"):
        assert marker not in solution + text


# Mistakes and alternatives


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: f"{one.lesson.name}-{one.step}-{one.name}")
def test_a_mistake_is_caught_by_its_step(proofs: Proofs, mistake: Mistake) -> None:
    outcomes = proofs.mistake(mistake)
    before = [one for one in outcomes if one.step != mistake.step and one.verdict != PASSED]
    assert not before, f"caught too early:\n{told(before)}"
    failed = [one for one in outcomes if one.step == mistake.step and one.verdict == FAILED]
    assert failed, f"not caught: {mistake.about}"
    shown = " ".join(outcome_text(failed[0]).split()).lower()
    for words in mistake.says:
        assert words.lower() in shown, f"{words!r} is not in:\n{outcome_text(failed[0])}"


@BY_LESSON
def test_every_check_is_failed_by_a_mistake(proofs: Proofs, lesson: Lesson) -> None:
    mistakes = mistakes_of(lesson)
    proofs.plan(mistakes)
    failed = {one.check for mistake in mistakes for one in proofs.mistake(mistake) if one.verdict == FAILED}
    for check in [check for check in checks_of(lesson) if check.name not in failed]:
        outcomes = (proofs.everywhere(one) for one in mistakes if one.step == check.step)
        assert any(
            one.check == check.name and one.verdict == FAILED for found in outcomes for one in found
        ), f"no mistake fails {check.name}"


@pytest.mark.parametrize(("lesson", "folder"), ALTERNATIVES, ids=lambda one: one.name)
def test_another_right_answer_passes(proofs: Proofs, lesson: Lesson, folder: Path) -> None:
    files = alternative_files(lesson, folder)
    wrong = [outcome for outcome in proofs.grade(lesson, files, []) if outcome.verdict != PASSED]
    assert not wrong, told(wrong)


# What an author must not forget


@BY_LESSON
def test_a_lesson_is_complete(lesson: Lesson) -> None:
    for step in lesson.steps:
        assert f"## {step.id} {step.title}\n" in lesson.page(step).read_text(encoding="utf-8")
        assert len(step.hints) >= 2, f"{step.id} needs two hints"
        assert step.notes, f"{step.id} has no notes for the instructor"
        assert 5 <= step.minutes <= 15
    assert {step.id for step in lesson.steps} == {check.step for check in checks_of(lesson)}
    assert len(mistakes_of(lesson)) >= 3 * len(lesson.steps)
    assert len(alternatives_of(lesson)) >= 3
    assert sum(step.minutes for step in lesson.steps) <= lesson.minutes
