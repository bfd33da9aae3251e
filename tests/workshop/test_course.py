"""The course proves itself: solutions and alternatives pass, starters and mistakes fail where they should."""

import hashlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from proofs import (
    ALTERNATIVES,
    LESSONS,
    MISTAKES,
    Mistake,
    Proofs,
    alternative_files,
    alternatives_of,
    mistakes_of,
)

from workshop.apps import Submission
from workshop.grading import Grading, checks_of
from workshop.lessons import Lesson
from workshop.render import render_lesson, starter, starters_record
from workshop.report import outcome_text
from workshop.verdicts import FAILED, PASSED, Outcome

BY_LESSON = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
BY_LESSON_WITH_STATES = pytest.mark.parametrize(
    "lesson", [lesson for lesson in LESSONS if not lesson.task], ids=lambda lesson: lesson.name
)


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
    with closing(UngatedGrading.of(proofs, lesson, starter(lesson))) as grading:
        for task in grading.tasks():
            outcome = grading.run(*task, fresh=True)
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
        with closing(proofs.grading(lesson, render_lesson(lesson, step.id))) as grading:
            outcomes = [grading.run(*task) for task in grading.tasks([step.id])]
            wrong = [outcome for outcome in outcomes if outcome.verdict != PASSED]
            assert not wrong, told(wrong)
            if following:
                tasks = grading.tasks([following.id])
                assert any(grading.run(*task, fresh=True).verdict == FAILED for task in tasks)


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
