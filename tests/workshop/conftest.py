"""The proofs of the course begin before the first test, for they use what processor time the others leave."""

import os
import signal
from collections.abc import Iterator

import pytest
from proofs import Proofs, grade_alternative, grade_mistake, grade_solution, grade_starter, grade_state


def pytest_configure() -> None:
    """Let the programs that tests start run as in a learner's terminal, whatever started the tests.

    Ctrl-C reaches them, also where a shell in the background ignores it, and what they compile is kept.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that wait for proofs last."""
    items.sort(key=lambda item: item.path.name == "test_course.py")


@pytest.fixture(scope="session", autouse=True)
def proofs(request: pytest.FixtureRequest) -> Iterator[Proofs]:
    """Gradings of the course; those of the tests that were chosen are under way."""
    proofs = Proofs()
    for item in request.session.items:
        plan(proofs, item)
    yield proofs
    proofs.close()


def plan(proofs: Proofs, item: pytest.Item) -> None:
    """Begin with what a test will wait for."""
    given = getattr(getattr(item, "callspec", None), "params", {})
    match getattr(item, "originalname", ""), given:
        case "test_the_solution_passes_every_check", {"lesson": lesson}:
            proofs.plan(grade_solution, lesson.name)
        case "test_the_starter_serves_and_fails_every_check", {"lesson": lesson}:
            proofs.plan(grade_starter, lesson.name)
        case "test_a_state_passes_its_step_and_fails_the_next", {"lesson": lesson, "step": step}:
            proofs.plan(grade_state, lesson.name, step)
        case "test_a_mistake_is_caught_by_its_step", {"mistake": mistake}:
            proofs.plan(grade_mistake, mistake.lesson.name, mistake.name)
        case "test_another_right_answer_passes", {"lesson": lesson, "folder": folder}:
            proofs.plan(grade_alternative, lesson.name, str(folder.relative_to(lesson.checks)))
