"""Every notebook runs from top to bottom, shows what it showed when it was committed, and is in form."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from workshop.lessons import all_lessons
from workshop.notebooks import NOTEBOOKS, faults, in_form, missing_outputs

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
BY_NOTEBOOK = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
EXERCISES = 3


class Runs:
    """Notebooks that are executed two at a time, each by the command of its author, outside of the clone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pool = ThreadPoolExecutor(2)
        self._runs: dict[Path, Future[subprocess.CompletedProcess[str]]] = {}

    def plan(self, path: Path) -> "Future[subprocess.CompletedProcess[str]]":
        if path not in self._runs:
            self._runs[path] = self._pool.submit(self._run, path)
        return self._runs[path]

    def _run(self, path: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "workshop.notebooks", "run", path.stem, "--to", str(self.folder)]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, encoding="utf-8", check=False
        )

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    runs = Runs(tmp_path_factory.mktemp("notebooks"))
    if "PYTEST_XDIST_WORKER" not in os.environ:  # there, each worker runs what it is asked for
        for item in request.session.items:
            if item.path == Path(__file__) and "runs" in getattr(item, "fixturenames", ()):
                runs.plan(item.callspec.params["path"])  # type: ignore[attr-defined]
    yield runs
    runs.close()


@BY_NOTEBOOK
def test_a_notebook_runs_and_shows_what_it_showed(runs: Runs, path: Path) -> None:
    ran = runs.plan(path).result()
    assert ran.returncode == 0, ran.stderr
    result = (runs.folder / path.name).read_text(encoding="utf-8")
    assert missing_outputs(path.read_text(encoding="utf-8"), result) == []
    assert "The check could not run" not in result
    assert "not checked on" not in result


@BY_NOTEBOOK
def test_a_committed_notebook_is_in_form(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


@BY_NOTEBOOK
def test_a_notebook_begins_with_objectives_and_ends_with_exercises(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    first = "".join(cells[0]["source"])
    assert first.startswith(f"# Lecture {path.name[:2]}: ")
    assert "**After it you can**" in first
    assert f"](../lessons/{path.stem}/README.md)" in first
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert sum("lecture.grade(" in source for source in sources) == EXERCISES
    assert sources[-1] == "lecture.close()"


def test_every_lesson_has_a_notebook() -> None:
    lessons = {lesson.name for lesson in all_lessons() if lesson.steps and not lesson.task}
    assert {path.stem for path in PATHS} == lessons


def test_the_form_leaves_out_what_differs_between_machines_and_runs() -> None:
    printed = [{"output_type": "stream", "name": "stdout", "text": text} for text in ("one\n", ["two\n"])]
    value = {
        "output_type": "execute_result",
        "execution_count": 7,
        "data": {"text/plain": "3"},
        "metadata": {},
    }
    code = {"cell_type": "code", "id": "sum", "execution_count": 7, "source": "1 + 2\n", "outputs": []}
    cell = code | {"metadata": {"execution": {"started": "now"}}, "outputs": [*printed, value]}
    notebook = {"cells": [cell], "metadata": {"language_info": {"version": "3.11.7"}}}
    formed = in_form(json.dumps(notebook))
    assert in_form(formed) == formed
    assert "version" not in formed
    [found] = json.loads(formed)["cells"]
    assert found["metadata"] == {}
    assert found["execution_count"] is None
    assert found["source"] == ["1 + 2"]
    assert found["outputs"][0]["text"] == ["one\n", "two\n"]
    assert found["outputs"][1]["execution_count"] is None


@pytest.mark.parametrize("path", ["/home/ann/clone/main.py", "/tmp/x", r"C:\Users\ann", "/private/var/x"])
def test_a_path_of_a_machine_in_an_output_is_a_fault(path: str) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": [f"File {path}, line 1"]}
    cell = {"cell_type": "code", "id": "a", "source": "print()", "outputs": [output]}
    [fault] = faults(in_form(json.dumps({"cells": [cell]})))
    assert "a path of a machine" in fault


def test_an_output_that_went_missing_is_noticed() -> None:
    def notebook(*kinds: str) -> str:
        outputs = [{"output_type": "display_data", "data": {kind: "x"}, "metadata": {}} for kind in kinds]
        return json.dumps({"cells": [{"cell_type": "code", "id": "a", "source": "", "outputs": outputs}]})

    assert missing_outputs(notebook("image/png"), notebook("image/png", "text/plain")) == []
    assert missing_outputs(notebook("image/png"), notebook("text/plain")) == ["a"]
    assert missing_outputs(notebook("image/png"), notebook()) == ["a"]
