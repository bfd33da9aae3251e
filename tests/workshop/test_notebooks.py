"""Every notebook runs from top to bottom, shows what it showed when it was committed, and is in form."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workshop.lessons import all_lessons
from workshop.notebook import (
    Lecture,
    Picture,
    Span,
    bars,
    before_and_after,
    curves,
    dots,
    entities,
    exchange,
    rows,
    spans,
    statements,
    traced,
)
from workshop.notebooks import NOTEBOOKS, faults, in_form, missing_outputs
from workshop.render import pieces

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
BY_NOTEBOOK = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
EXERCISES = 3

# The notebooks that are committed


class Runs:
    """Notebooks that are executed by the command of their authors, outside of the clone, two at a time."""

    def __init__(self, folder: Path, planned: list[str]) -> None:
        self.folder, self._planned = folder, planned
        self._said: dict[str, str] = {}

    def said(self, path: Path) -> str:
        """What the command said of a notebook; runs it, and all that are planned, if it hasn't run."""
        if path.stem not in self._said:
            names = self._planned or [path.stem]
            command = [sys.executable, "-m", "workshop.notebooks", "run", *names, "--to", str(self.folder)]
            ran = subprocess.run(
                command, cwd=self.folder, capture_output=True, text=True, encoding="utf-8", check=False
            )
            self._said |= dict.fromkeys(names, ran.stdout + ran.stderr)
        return self._said[path.stem]


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    mine = [item for item in request.session.items if "runs" in getattr(item, "fixturenames", ())]
    planned = [item.callspec.params["path"].stem for item in mine]  # type: ignore[attr-defined]
    if "PYTEST_XDIST_WORKER" in os.environ:  # there, each process runs what it is asked for
        planned = []
    return Runs(tmp_path_factory.mktemp("notebooks"), planned)


@BY_NOTEBOOK
def test_a_notebook_runs_and_shows_what_it_showed(runs: Runs, path: Path) -> None:
    said = runs.said(path)
    assert f"{path.name} failed" not in said, said
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


# Their form


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


# What they are written with


@pytest.fixture(scope="module")
def lecture() -> Iterator[Lecture]:
    lecture = Lecture("04")
    yield lecture
    lecture.close()


def test_an_exercise_is_done_with_the_code_of_the_reference(lecture: Lecture) -> None:
    [piece] = [piece for piece in pieces(lecture.lesson, "4.3") if piece.file == "main.py"]
    done = lecture.grade("4.3", {"main.py": piece.code}, ["sqlite"])
    assert str(done).startswith("✓ 4.3")
    wrong = lecture.grade("4.3", {"main.py": piece.code.replace("selectinload", "joinedload")}, ["sqlite"])
    assert str(wrong).startswith("✗ 4.3")
    assert "unique()" in str(wrong)


def test_of_several_pieces_the_one_of_that_name_is_replaced(lecture: Lecture) -> None:
    models = lecture._with_answer("4.1", "models.py", "owner: Mapped[User] = relationship()")
    assert "    owner: Mapped[User] = relationship()\n" in models
    assert 'posts: Mapped[list["Post"]] = relationship(\n' in models


def test_a_variant_is_shown_and_served(lecture: Lecture, capsys: pytest.CaptureFixture[str]) -> None:
    lazy = ("main.py", ".options(selectinload(User.posts)).order_by", ".order_by")
    assert "-    return session.scalars(select(User).options(" in str(lecture.difference("4.3", lazy))
    app = lecture.app("4.3", lazy, database="sqlite")
    app.sql("INSERT INTO users (username, email, password_hash) VALUES ('ann', 'a', '-'), ('bob', 'b', '-')")
    with statements(app):
        exchange(app, "GET", "/users-with-posts")
    with traced(app) as trace:
        app.get("/users-with-posts")
    assert len(trace.statements) == 3
    assert 0 < trace.statements[0][1] <= trace.statements[0][2] <= trace.milliseconds
    assert "SELECT … FROM posts WHERE ? = posts.owner_id  ×2" in capsys.readouterr().out
    assert "ann" in str(rows(app, "SELECT username FROM users"))


def test_an_edit_must_match_one_place(lecture: Lecture) -> None:
    with pytest.raises(ValueError, match=r"0 places in main\.py match 'nothing like it'"):
        lecture.app("4.3", ("main.py", "nothing like it", ""))


def test_another_lecture_closes_the_one_before() -> None:
    first = Lecture("01")
    folder = first.app("1.8").folder
    assert folder.exists()
    second = Lecture("01")
    assert not folder.exists()
    second.close()
    second.close()


def test_real_hashes_cost_what_they_cost_outside() -> None:
    lecture = Lecture("03", real_hashes=True)
    app = lecture.app("3.7")
    app.post("/users", json={"username": "ann", "email": "ann@example.com", "password": "correct horse"})
    assert "$m=65536,t=3,p=4$" in app.sql("SELECT password_hash FROM users")[0]["password_hash"]
    lecture.close()


def column(kind: str = "INTEGER") -> dict[str, Any]:
    return {"type": kind, "nullable": False, "default": None}


def entity(*columns: str, **keys: str) -> dict[str, Any]:
    return {
        "columns": {name: column() for name in ("id", *columns, *keys)},
        "primary key": {"columns": ["id"], "name": "pk"},
        "unique": [],
        "indexes": [],
        "checks": [],
        "foreign keys": [
            {"columns": [name], "name": name, "table": table, "what": f" to {table}.id"}
            for name, table in keys.items()
        ],
    }


SHOP = {
    "users": entity("name"),
    "products": entity("stock"),
    "orders": entity(user_id="users"),
    "items": entity(order_id="orders", product_id="products", giver_id="users"),
    "nodes": entity(parent_id="nodes"),
}


@pytest.mark.parametrize(
    "picture",
    [
        curves({"a": [(1, 1), (2, 10)], "b": [(1, 2), (2, 2)]}, title="T", x="x", y="y", log=True),
        bars({"a": 1.0, "b": 20.0}, title="T", x="x"),
        spans({"a": [Span(0, 1, "k"), Span(1, 2, "l")], "b": []}, title="T", x="x", y="y"),
        dots({"a": [(0, 1, "k"), (1, 2, "l")]}, title="T", x="x", y="y", shaded={"a": (0, 1, "s")}),
        before_and_after({"a": [{"id": 1, "x": None}], "b": [{"id": 2, "y": 1}]}, title="T"),
        entities({"": SHOP}, title="T"),
        entities({"a": SHOP, "b": {**SHOP, "tags": entity("name")}}, title="T"),
    ],
    ids=["curves", "bars", "spans", "dots", "before and after", "entities", "two stages"],
)
def test_a_picture_is_drawn_and_says_itself_in_words(picture: Picture) -> None:
    data, metadata = picture._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"].startswith("T. ")
    assert metadata["image/png"]["alt"] == data["text/plain"]
