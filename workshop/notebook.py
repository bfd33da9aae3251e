"""What the notebooks are written with: a lesson's code by step, its app at any step, and what the app does.

`Lecture` starts the reference app, as it is or changed into what it warns of, and grades an exercise. The
functions beside it show what an app does: `exchange` HTTP, `statements` SQL, `rows` a table, `traced` times.
Pictures are in `pictures.py`. Whatever these return is shown by a notebook when it ends a cell.
"""

import atexit
import difflib
import html
import json
import re
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from workshop.apps import Answer, App, Submission
from workshop.checks import collapse
from workshop.grading import Bench, Grading, checks_of, databases_of
from workshop.lessons import Lesson, find_lesson
from workshop.pictures import (
    Picture,
    Span,
    bars,
    before_and_after,
    curves,
    dots,
    entities,
    spans,
)
from workshop.processes import Host, imports_of
from workshop.render import pieces, render_lesson
from workshop.report import Board, as_text

__all__ = [
    "Lecture",
    "Picture",
    "Sent",
    "Shown",
    "Span",
    "Trace",
    "at_once",
    "bars",
    "before_and_after",
    "curves",
    "dots",
    "entities",
    "exchange",
    "files",
    "rows",
    "spans",
    "statements",
    "table",
    "timeline",
    "traced",
]

Edit = tuple[str, str, str]  # file, a text that occurs once in it, and what takes its place
_PLACEHOLDERS = re.compile(r"\((?:\?|%\(\w+\)s)(?:, (?:\?|%\(\w+\)s)){3,}\)")  # of a long list
_open: list["Lecture"] = []


@dataclass(frozen=True)
class Shown:
    """Something to read: plain text, and Markdown or HTML for those that can show it."""

    text: str
    markdown: str = ""
    html: str = ""

    def __str__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle = {"text/plain": self.text, "text/markdown": self.markdown, "text/html": self.html}
        return {kind: text for kind, text in bundle.items() if text}


class Lecture:
    """A lesson to be shown: its code by step, its app at any step, its checks on an answer.

    Apps run in processes of their own, on databases of their own. `close` ends and removes all of it; so do
    another Lecture and the end of the kernel.
    """

    def __init__(self, lesson: str, *, real_hashes: bool = False) -> None:
        """The lesson by its number. Passwords are hashed quickly, as in checks, unless `real_hashes`."""
        while _open:
            _open.pop().close()
        self.lesson: Lesson = find_lesson(lesson)
        imports = imports_of(self.lesson)
        if real_hashes:  # where pwdlib is imported ahead, the host makes it quick
            imports = [name for name in imports if not name.startswith("pwdlib")]
        self._bench = Bench(Host(imports))
        self._apps: list[App] = []
        if "postgresql" in self.lesson.databases:
            self._bench.prepare_postgres()
        _open.append(self)
        atexit.register(self.close)

    # Code

    def code(self, step: str, *names: str, without_why: bool = False) -> Shown:
        """The reference's code of a step, each piece with its place and why; of some files only, if named."""
        found = [piece for piece in pieces(self.lesson, step) if not names or piece.file in names]
        if not found:
            raise ValueError(f"step {step} has no code in {', '.join(names)}")
        parts = []
        for piece in found:
            why = "" if without_why else f": {piece.why}"
            language = {"py": "python", "sql": "sql", "ini": "ini"}.get(piece.file.rpartition(".")[2], "text")
            parts.append(f"**{piece.place}**{why}\n\n```{language}\n{piece.code.strip()}\n```")
        plain = "\n\n".join(f"{piece.place}: {piece.why}\n\n{piece.code.strip()}" for piece in found)
        return Shown(plain, "\n\n".join(parts))

    def difference(self, step: str, *edits: Edit) -> Shown:
        """What the edits change in the reference at a step, as a diff."""
        before, after = render_lesson(self.lesson, step), self._edited(step, edits)
        lines: list[str] = []
        for name in after:
            old, new = before.get(name, "").splitlines(), after[name].splitlines()
            found = list(difflib.unified_diff(old, new, name, name, n=1, lineterm=""))[2:]
            if found:
                lines += [f"# {name}", *(line.rstrip() for line in found if not line.startswith("@@"))]
        text = "\n".join(lines)
        return Shown(text, f"```diff\n{text}\n```")

    def _edited(self, step: str, edits: Sequence[Edit]) -> dict[str, str]:
        """The files of the reference at a step, changed. An edit of "" in a file writes the whole file."""
        changed = render_lesson(self.lesson, step)
        for name, old, new in edits:
            if not old:
                changed[name] = new
                continue
            times = changed[name].count(old)
            if times != 1:
                raise ValueError(f"{times} places in {name} match {old!r}")
            changed[name] = changed[name].replace(old, new)
        return changed

    # The app

    def app(
        self,
        step: str,
        *edits: Edit,
        database: str = "",
        beside: App | None = None,
        start: bool = True,
        **how: Any,
    ) -> App:
        """The reference app as it is after a step, changed by edits, with a new database, and serving.

        `database`: the lesson's first by default. `beside`: on the database of that app instead, and without
        its start-up code. `start=False` doesn't start it. Further keywords are those of `App.start`.
        """
        submission = Submission(self.lesson.folder, self._edited(step, edits))
        chosen = database or self.lesson.databases[0]
        if beside:
            app = self._bench.beside(beside, submission)
            how = {"lifespan": False, **how}
        else:
            by_environment = "postgresql" in self.lesson.databases
            app = self._bench.app(submission, chosen, by_environment=by_environment, fresh=True)
        self._apps.append(app)
        if start:
            app.start(**how)
        return app

    # Exercises

    def grade(self, step: str, answers: Mapping[str, str], databases: Sequence[str] = ()) -> Shown:
        """Run a step's checks on the reference with your code in it, and say what they found.

        `answers`: file → the code that takes the place of what the step has there, or a whole file.
        """
        given = render_lesson(self.lesson, step) | {
            name: self._with_answer(step, name, text) for name, text in answers.items()
        }
        grading = Grading(self._bench, self.lesson, Submission(self.lesson.folder, given), databases)
        board = Board(self.lesson, "", databases or self.lesson.databases, 96)
        for outcome in grading.run_all([step]):
            board.add(outcome)
        found = self.lesson.step(step)
        lines = list(board.step_lines(found))
        return Shown(textwrap.dedent(as_text(lines)))

    def _with_answer(self, step: str, name: str, answer: str) -> str:
        """The file at the step, with the answer in the place of the step's own code.

        Where the step has several pieces in the file, it is the one that defines the same name. Where it
        has none, the answer is the whole file.
        """
        text = render_lesson(self.lesson, step).get(name, "")
        answer = textwrap.dedent(answer).strip("\n")
        found = [piece.code.strip("\n") for piece in pieces(self.lesson, step) if piece.file == name]
        if len(found) > 1:
            found = [code for code in found if _defined(code) == _defined(answer)]
        for indent in ("", "    ", "        ") if len(found) == 1 else ():
            own = textwrap.indent(found[0], indent)
            if text.count(own) == 1:
                return text.replace(own, textwrap.indent(answer, indent))
        return answer + "\n"

    def checked_on(self, step: str) -> list[str]:
        """The databases that a step's checks run on."""
        found = (databases_of(self.lesson, check) for check in checks_of(self.lesson) if check.step == step)
        return list(dict.fromkeys(name for names in found for name in names))

    # The end

    def close(self) -> None:
        """End every process, and remove every file and database."""
        atexit.unregister(self.close)
        if self in _open:
            _open.remove(self)
        while self._apps:
            app = self._apps.pop()
            app.close()
        self._bench.close()


def _defined(code: str) -> str:
    """The name that a piece of code defines first."""
    found = re.search(r"^(?:class |(?:async )?def )?(\w+)\s*[:=(]", code, re.MULTILINE)
    return found[1] if found else ""


# What an app does


def exchange(app: App, method: str, path: str, *, most: int = 12, **keywords: Any) -> Answer:
    """Send a request, print it with its answer, and return that. Keywords are those of `App.request`."""
    answer = app.request(method, path, **keywords)
    print(f"{method} {path}")
    if keywords.get("json") is not None:
        print(textwrap.indent(json.dumps(keywords["json"], ensure_ascii=False), "  "))
    print(f"→ {answer.status}")
    print(textwrap.indent(_body(answer, most), "  "))
    if answer.error:
        print(textwrap.indent(textwrap.shorten(answer.error, 200), "  in the log: "))
    return answer


def _body(answer: Answer, most: int) -> str:
    if isinstance(answer.body, str):
        return answer.body
    text = json.dumps(answer.body, ensure_ascii=False)
    if len(text) <= 100:
        return text
    if isinstance(answer.body, list):
        lines = [textwrap.shorten(json.dumps(item, ensure_ascii=False), 160) for item in answer.body]
    else:
        lines = json.dumps(answer.body, ensure_ascii=False, indent=2).splitlines()
    left = len(lines) - most
    return "\n".join([*lines[:most], f"… {left} more"] if left > 1 else lines)


@contextmanager
def statements(app: App, most: int = 12) -> Iterator[list[str]]:
    """Print the SQL that an app sends within the block; equal statements are counted."""
    with app.recorded() as found:
        yield found
    lines = collapse([_PLACEHOLDERS.sub("(?, …)", statement) for statement in found], 150)
    print(f"{len(found)} statement{'s' if len(found) != 1 else ''}")
    for line in lines[:most]:
        print(textwrap.fill(line, 96, initial_indent="  ", subsequent_indent="      "))
    if len(lines) > most:
        print(f"  … {len(lines) - most} others")


def rows(app: App, query: str, /, **parameters: Any) -> Shown:
    """The rows of a query, read past the app, as a table."""
    return table(app.sql(query, **parameters))


def table(found: Sequence[Mapping[Any, Any]]) -> Shown:
    """Rows as a table."""
    if not found:
        return Shown("no rows")
    names = list(found[0])
    lines = [[str(name) for name in names], *([_cell(row[name]) for name in names] for row in found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    plain = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    head = "".join(f"<th>{html.escape(name)}</th>" for name in lines[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>" for line in lines[1:]
    )
    return Shown(plain, html=f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _cell(value: Any) -> str:
    text = "NULL" if value is None else str(value)
    return text if len(text) <= 110 else text[:109] + "…"


def files(app: App, pattern: str = "**/*.db") -> list[str]:
    """The files of that pattern in an app's folder, as paths in it."""
    return sorted(path.relative_to(app.folder).as_posix() for path in app.folder.glob(pattern))


# Many requests


@dataclass(frozen=True)
class Sent:
    """A request that was sent with others: its answer, and when it was sent and answered, in milliseconds."""

    answer: Answer
    began: float
    ended: float


def at_once(app: App, method: str, path: str, bodies: Sequence[Any], **keywords: Any) -> list[Sent]:
    """Send one request for each body (None: without one), all at the same moment; returns what came back.

    Times count from the first. Keywords are those of `App.request`, for all of them.
    """
    start = threading.Barrier(len(bodies))

    def send(body: Any) -> tuple[Answer, float, float]:
        start.wait()
        began = time.perf_counter()
        answer = app.request(method, path, **keywords, **({} if body is None else {"json": body}))
        return answer, began, time.perf_counter()

    with ThreadPoolExecutor(len(bodies)) as pool:
        found = list(pool.map(send, bodies))
    first = min(began for _, began, _ in found)
    return [Sent(answer, (began - first) * 1000, (ended - first) * 1000) for answer, began, ended in found]


# Times


@dataclass
class Trace:
    """A stretch of time and what an app sent in it, in milliseconds since its beginning."""

    statements: list[tuple[str, float, float]] = field(default_factory=list)  # SQL, when sent, when answered
    ends: list[tuple[str, float]] = field(default_factory=list)  # COMMIT or ROLLBACK, when
    milliseconds: float = 0.0

    @property
    def words(self) -> list[str]:
        """The first word of each statement, and the ends of transactions, as they were sent."""
        sent = [(moment, text.split()[0]) for text, moment, _ in self.statements]
        return [word for _, word in sorted(sent + [(moment, word) for word, moment in self.ends])]


@contextmanager
def traced(app: App) -> Iterator[Trace]:
    """Measure a block and the statements that the app sends in it."""
    app.probe(_note_statements, "database")
    trace = Trace()
    began = time.perf_counter()  # the clock of the machine, so both processes read the same
    yield trace
    trace.milliseconds = (time.perf_counter() - began) * 1000
    for text, sent, answered in app.probe(_noted_statements, "database"):
        if answered is None:
            trace.ends.append((text, (sent - began) * 1000))
        else:
            trace.statements.append((text, (sent - began) * 1000, (answered - began) * 1000))


def _note_statements(database: Any) -> None:
    """Note from now on when each statement is sent and answered."""
    import time

    from sqlalchemy import event

    if hasattr(database, "noted"):
        database.noted.clear()
        return
    noted = database.noted = []
    engine = getattr(database.engine, "sync_engine", database.engine)

    def sent(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        context.sent_at = time.perf_counter()

    def answered(
        connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        noted.append((statement, context.sent_at, time.perf_counter()))

    def ended(word: str) -> Any:
        def note(connection: Any) -> None:
            noted.append((word, time.perf_counter(), None))

        return note

    event.listen(engine, "before_cursor_execute", sent)
    event.listen(engine, "after_cursor_execute", answered)
    event.listen(engine, "commit", ended("COMMIT"))
    event.listen(engine, "rollback", ended("ROLLBACK"))


def _noted_statements(database: Any) -> Any:
    """What was noted, when the connections are back: a session may be closed after the answer."""
    import time

    count = getattr(database.engine.pool, "checkedout", int)
    until = time.monotonic() + 1
    while count() and time.monotonic() < until:
        time.sleep(0.001)
    return list(database.noted)


def timeline(
    traces: Mapping[str, Trace], *, title: str, kind: Callable[[str], str] = lambda _: "statement"
) -> Picture:
    """Traces as bars, one below the other: each statement from the moment it was sent to its answer.

    `kind` gives a statement's SQL a name, and with it a colour.
    """
    names = {
        name: f"{name}: {len(trace.statements)} statements, {trace.milliseconds:.0f} ms in all"
        for name, trace in traces.items()
    }
    panels = {
        names[name]: [Span(sent, answered, kind(text)) for text, sent, answered in trace.statements]
        for name, trace in traces.items()
    }
    wholes = {names[name]: trace.milliseconds for name, trace in traces.items()}
    return spans(
        panels, title=title, x="milliseconds since the request was sent", y="statement", wholes=wholes
    )
