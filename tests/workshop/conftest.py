"""The proofs of the course begin before the first test, for they use what processor time the others leave."""

from collections.abc import Iterator

import pytest
from proofs import LESSONS, Proofs

from workshop.grading import Bench, imports_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that wait for proofs last."""
    items.sort(key=lambda item: item.path.name == "test_course.py")


@pytest.fixture(scope="session")
def proofs(request: pytest.FixtureRequest) -> Iterator[Proofs]:
    """Gradings of the course; those of the mistakes whose tests were chosen are under way."""
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    chosen = [found.params["mistake"] for found in parameters if found and "mistake" in found.params]
    with Bench(preload=dict.fromkeys(name for lesson in LESSONS for name in imports_of(lesson))) as bench:
        proofs = Proofs(bench)
        proofs.plan(chosen)
        yield proofs
        proofs.close()


@pytest.fixture(scope="session", autouse=True)
def proofs_run_ahead(request: pytest.FixtureRequest) -> None:
    """Begin with the proofs, if any of them was chosen."""
    if any("proofs" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("proofs")
