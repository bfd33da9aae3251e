"""The course proves itself: solutions and alternatives pass, starters and mistakes fail where they should."""

import hashlib
from pathlib import Path

import pytest
from proofs import (
    ALTERNATIVES,
    LESSONS,
    MISTAKES,
    Mistake,
    Proofs,
    alternatives_of,
    grade_alternative,
    grade_everywhere,
    grade_mistake,
    grade_solution,
    grade_starter,
    grade_state,
    mistakes_of,
)

from workshop.grading import checks_of
from workshop.lessons import Lesson
from workshop.render import render_lesson, starter, starters_record
from workshop.report import outcome_text
from workshop.verdicts import FAILED, PASSED, Outcome

BY_LESSON = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
STATES = [(lesson, step.id) for lesson in LESSONS if not lesson.task for step in lesson.steps]
BY_LESSON_WITH_STATES = pytest.mark.parametrize(
    "lesson", [lesson for lesson in LESSONS if not lesson.task], ids=lambda lesson: lesson.name
)


def told(outcomes: list[Outcome]) -> str:
    return "\n\n".join(f"{one.step} {one.database} {outcome_text(one)}" for one in outcomes)


# Solutions, starters and the states between


@BY_LESSON
def test_the_solution_passes_every_check(proofs: Proofs, lesson: Lesson) -> None:
    outcomes = proofs.outcomes(grade_solution, lesson.name)
    wrong = [outcome for outcome in outcomes if outcome.verdict != PASSED]
    assert not wrong, told(wrong)
    assert {outcome.database for outcome in outcomes} == set(lesson.databases)


@BY_LESSON
def test_the_starter_serves_and_fails_every_check(proofs: Proofs, lesson: Lesson) -> None:
    for outcome in proofs.outcomes(grade_starter, lesson.name):
        assert outcome.verdict == FAILED, f"{outcome.step} {outcome.check} passes on the starter"
        assert outcome.finding
        assert outcome.finding.kind not in {"failed to start", "import error", "syntax error"}, told(
            [outcome]
        )


@pytest.mark.parametrize(("lesson", "step"), STATES, ids=lambda one: one if isinstance(one, str) else "")
def test_a_state_passes_its_step_and_fails_the_next(proofs: Proofs, lesson: Lesson, step: str) -> None:
    outcomes = proofs.outcomes(grade_state, lesson.name, step)
    wrong = [outcome for outcome in outcomes if outcome.step == step and outcome.verdict != PASSED]
    assert not wrong, told(wrong)
    if step != lesson.steps[-1].id:
        assert outcomes[-1].verdict == FAILED, f"{outcomes[-1].step} passes although it isn't done"


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
    outcomes = proofs.outcomes(grade_mistake, mistake.lesson.name, mistake.name)
    failed = [one for one in outcomes if one.verdict == FAILED]
    assert failed, f"not caught: {mistake.about}\n{told(outcomes)}"
    shown = " ".join(outcome_text(failed[0]).split()).lower()
    for words in mistake.says:
        assert words.lower() in shown, f"{words!r} is not in:\n{outcome_text(failed[0])}"


@BY_LESSON
def test_every_check_is_failed_by_a_mistake(proofs: Proofs, lesson: Lesson) -> None:
    missing = {check.name: check.step for check in checks_of(lesson)}
    for job in (grade_mistake, grade_everywhere):  # most mistakes need one database only
        for mistake in mistakes_of(lesson):
            if mistake.step in missing.values():
                for outcome in proofs.outcomes(job, lesson.name, mistake.name):
                    if outcome.verdict == FAILED:
                        missing.pop(outcome.check, None)
    assert not missing, f"no mistake fails {', '.join(missing)}"


@pytest.mark.parametrize(("lesson", "folder"), ALTERNATIVES, ids=lambda one: one.name)
def test_another_right_answer_passes(proofs: Proofs, lesson: Lesson, folder: Path) -> None:
    outcomes = proofs.outcomes(grade_alternative, lesson.name, str(folder.relative_to(lesson.checks)))
    wrong = [outcome for outcome in outcomes if outcome.verdict != PASSED]
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
