"""What the author of a check works with: `step` names its step, `Apps` is an app beside the reference."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Never, TypeVar

from workshop.answers import Reference
from workshop.apps import Answer, App, Ran, Requests, sentence_of
from workshop.compare import PARTS, Difference, Ids, first_difference, schema_difference
from workshop.host import UNROUTED_HEADER
from workshop.verdicts import Failure, Finding, Unavailable

__all__ = ["Answer", "App", "Apps", "Both", "Check", "Ran", "explained", "step"]

T = TypeVar("T")
CheckFunction = Callable[["Apps"], None]


@dataclass(frozen=True)
class Check:
    """One check of a step; it runs once for each database."""

    step: str
    name: str
    title: str
    function: CheckFunction
    databases: tuple[str, ...] = ()

    @property
    def starts_apps(self) -> bool:
        """Whether the check starts the apps in its own way, so that starting them ahead is no use."""
        return bool({"start", "fails_to_start"}.intersection(self.function.__code__.co_names))


def step(step_id: str, *, databases: Iterable[str] = ()) -> Callable[[CheckFunction], CheckFunction]:
    """Say which step a check belongs to, and on which databases it runs if not on all of the lesson's."""

    def mark(function: CheckFunction) -> CheckFunction:
        title = (function.__doc__ or function.__name__.replace("_", " ")).strip().splitlines()[0]
        check = Check(step_id, function.__name__, title, function, tuple(databases))
        function.check = check  # type: ignore[attr-defined]
        return function

    return mark


@dataclass(frozen=True)
class Both:
    """The same thing on both sides. Indexed like the value, and usable inside the next request."""

    expected: Any
    yours: Any

    def __getitem__(self, key: Any) -> "Both":
        return Both(self.expected[key], self.yours[key])

    @staticmethod
    def side(value: Any, name: str) -> Any:
        """`value` with every `Both` in it, at any depth, replaced by one of its sides."""
        if isinstance(value, Both):
            return getattr(value, name)
        if isinstance(value, Mapping):
            return {key: Both.side(item, name) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(Both.side(item, name) for item in value)
        return value


class Apps:
    """A learner's app and the reference, on databases of their own that hold the same."""

    def __init__(
        self,
        yours: App,
        reference: Reference,
        database: str,
        older: Callable[[str], AbstractContextManager[App]],
        twin: Callable[[], AbstractContextManager[App]],
    ) -> None:
        self.yours, self.reference, self.database = yours, reference, database
        self.older = older  # the reference at an earlier step, serving on the learner's database
        self.twin = twin  # the learner's app once more, in another process, on the same database
        self._ids = Ids(self._table_of)
        self._launched = False

    # Starting

    def launch(self) -> None:
        """Begin to start both, without waiting."""
        self.yours.launch()
        self.reference.launch()
        self._launched = True

    def ready(self) -> None:
        """Wait until both serve; starts them if they don't run."""
        if not (self._launched or self.yours.running):
            self.launch()
        if self._launched:
            self._launched = False
            _of_the_course(self.reference.wait_until_ready)
            self.yours.wait_until_ready()

    def start(
        self,
        environment: Mapping[str, str | None] | None = None,
        files: Mapping[str, str] | None = None,
        cwd: str = "",
        lifespan: bool = True,
        why: str = "",
    ) -> None:
        """Start both, with changed variables (None removes one), extra files, another working folder
        (relative to the app's), or without their start-up code.
        """
        for app in (self.yours, self.reference):
            app.launch(environment, files, cwd, lifespan)
        self._launched = True
        with explained(why):
            self.ready()

    def _used(self) -> None:
        """Start both, unless a command has run: then there is something to look into already."""
        if not self.yours.was_used:
            self.ready()

    def restart(self) -> None:
        """A new process for both, on the same folders and databases."""
        self.ready()
        _of_the_course(self.reference.restart)
        self.yours.restart()

    def stop(self) -> None:
        """End both processes. Folders and databases stay."""
        self._launched = False
        self.yours.stop()
        self.reference.stop()

    def close(self) -> None:
        """End both for good."""
        self.yours.close()
        self.reference.close()

    # Commands

    def run(self, *command: "str | Both", why: str = "", fails: bool | None = False, **keywords: Any) -> Both:
        """Run ``alembic …`` or a script of the folder in both, not serving for it; returns both `Ran`.

        The check fails if the learner's fails; or, with ``fails=True``, if it doesn't. With None either is
        right. Keywords: `environment`, `files` (path → text, or None to remove one; they stay), `cwd`.
        """
        sides = [Both.side((command, keywords), side) for side in ("expected", "yours")]
        (own, options), (theirs, others) = sides
        expected = _of_the_course(lambda: self.reference.run(*own, fails=fails, **options))
        with explained(why):
            return Both(expected, self.yours.run(*theirs, fails=fails, **others))

    def alembic(self, *arguments: "str | Both", **keywords: Any) -> Both:
        """Run ``alembic`` with these arguments in both."""
        return self.run("alembic", *arguments, **keywords)

    # One request, two apps

    def request(
        self,
        method: str,
        path: str,
        *parts: Any,
        why: str = "",
        ordered: bool = False,
        status_only: bool = False,
        **keywords: Any,
    ) -> Both:
        """Send the same request to both and compare the answers; returns the bodies."""
        self.ready()
        expected = _of_the_course(
            lambda: self._send("expected", self.reference, method, path, parts, keywords)
        )
        with explained(why, _told(expected)):
            yours = self._send("yours", self.yours, method, path, parts, keywords)
        self._compare_answers(expected, yours, why, ordered, status_only, _last(_SEGMENT, path))
        return Both(expected.body, yours.body)

    def _send(
        self,
        side: str,
        app: Requests,
        method: str,
        path: str,
        parts: Sequence[Any],
        keywords: Mapping[str, Any],
    ) -> Answer:
        own = Both.side(keywords, side)
        return app.request(method, path.format(*Both.side(parts, side)), **own)

    def _compare_answers(
        self, expected: Answer, yours: Answer, why: str, ordered: bool, status_only: bool, rows: str
    ) -> None:
        if expected.status != yours.status:
            _check_reference(expected)
            kind = "server error" if yours.status >= 500 else "difference"
            raise Failure(
                Finding(
                    kind,
                    asked=yours.asked,
                    expected=_told(expected),
                    yours=_told(yours),
                    frames=yours.frames,
                    why=why,
                    output="" if yours.frames else self._printed(),
                )
            )
        if status_only:
            return
        if expected.status >= 400:  # the texts and the form of errors are free; secrets are not
            found = first_difference({}, yours.body) if isinstance(yours.body, dict) else None
            if found:
                self._fail(found, asked=yours.asked, why=why)
            return
        found = first_difference(expected.body, yours.body, ordered=ordered, ids=self._ids, kind=rows)
        if found:
            self._fail(found, asked=yours.asked, why=why)

    def get(self, path: str, *parts: Any, **keywords: Any) -> Both:
        """Send a GET request to both."""
        return self.request("GET", path, *parts, **keywords)

    def post(self, path: str, *parts: Any, **keywords: Any) -> Both:
        """Send a POST request to both."""
        return self.request("POST", path, *parts, **keywords)

    def put(self, path: str, *parts: Any, **keywords: Any) -> Both:
        """Send a PUT request to both."""
        return self.request("PUT", path, *parts, **keywords)

    def patch(self, path: str, *parts: Any, **keywords: Any) -> Both:
        """Send a PATCH request to both."""
        return self.request("PATCH", path, *parts, **keywords)

    def delete(self, path: str, *parts: Any, **keywords: Any) -> Both:
        """Send a DELETE request to both."""
        return self.request("DELETE", path, *parts, **keywords)

    # The databases

    def sql(self, statement: str, /, *, why: str = "", **parameters: Any) -> Both:
        """Run SQL in both databases, on the grader's own connections; returns the rows."""
        self._used()
        expected = _of_the_course(lambda: self.reference.sql(statement, **Both.side(parameters, "expected")))
        with explained(why):
            return Both(expected, self.yours.sql(statement, **Both.side(parameters, "yours")))

    def same_rows(self, query: str, /, *, why: str = "", ordered: bool = False, **parameters: Any) -> Both:
        """The query finds equal rows in both databases; returns them."""
        rows = self.sql(query, why=why, **parameters)
        found = first_difference(
            rows.expected, rows.yours, ordered=ordered, ids=self._ids, where="rows", kind=_last(_TABLE, query)
        )
        if found:
            self._fail(found, asked=f"Rows in the database: {query}", why=why)
        return rows

    def _table_of(self, foreign_key: str) -> str:
        """The table that a foreign key leads to, as the reference's database says; "" if there is none."""
        keys = [key for table in self.reference.schema().values() for key in table["foreign keys"]]
        return next((str(key["table"]) for key in keys if key["columns"] == [foreign_key]), "")

    def same_schema(self, *what: str, parts: Iterable[str] = PARTS, why: str = "") -> None:
        """The databases report the same of each table (``"users"``) or column (``"users.email"``)."""
        self._used()
        expected, yours = self.reference.schema(), self.yours.schema()
        for name in what:
            found = schema_difference(expected, yours, name, tuple(parts))
            if found:
                self._fail(found, asked="What the database says of its tables", why=why)

    # Inside the apps

    def probe(
        self,
        function: Callable[..., Any],
        *modules: str,
        compare: bool = True,
        why: str = "",
        **arguments: Any,
    ) -> Both:
        """Run a function inside both apps, on modules of theirs, and compare the JSON it returns."""
        self.ready()
        own = {side: Both.side(arguments, side) for side in ("expected", "yours")}
        expected = _of_the_course(lambda: self.reference.probe(function, *modules, **own["expected"]))
        with explained(why):
            yours = self.yours.probe(function, *modules, **own["yours"])
        found = first_difference(expected, yours, ordered=True) if compare else None
        if found:
            self._fail(found, asked=sentence_of(function), why=why)
        return Both(expected, yours)

    @contextmanager
    def recorded(self) -> Iterator[Both]:
        """Two lists that hold, after the block, the SQL statements that each app sent within it."""
        self.ready()
        with self.reference.recorded() as expected, self.yours.recorded() as yours:
            yield Both(expected, yours)

    # Verdicts

    def expect(
        self,
        ok: bool,
        what: str,
        *,
        expected: object = "",
        yours: object = "",
        why: str = "",
        statements: Sequence[str] = (),
    ) -> None:
        """Fail the check unless `ok`. `what` says what was done, `why` what helps."""
        if not ok:
            shown = tuple(collapse(statements))
            raise Failure(
                Finding(
                    "difference",
                    what,
                    "",
                    str(expected),
                    str(yours),
                    why=why,
                    statements=shown,
                    output=self._printed(),
                )
            )

    def _fail(self, found: Difference, asked: str, why: str) -> Never:
        raise Failure(
            Finding(
                "difference", asked, found.where, found.expected, found.yours, why=why, output=self._printed()
            )
        )

    def _printed(self) -> str:
        return self.yours.printed


_SEGMENT = re.compile(r"/([a-z]\w*)")
_TABLE = re.compile(r"\bfrom (\w+)", re.IGNORECASE)


def _last(pattern: re.Pattern[str], text: str) -> str:
    """What kind of rows a path or a query is about: its last segment, its table."""
    return str((pattern.findall(text) or ["other"])[-1])


def collapse(statements: Sequence[str], longest: int = 70) -> list[str]:
    """SQL statements in one line each, as they first came; those that come again are counted: ``×50``."""
    shown: dict[str, int] = {}
    for statement in statements:
        line = re.sub(r"\s+", " ", statement).strip()
        line = re.sub(r"^SELECT .*? FROM ", "SELECT … FROM ", line)
        line = line if len(line) <= longest else line[: longest - 1] + "…"
        shown[line] = shown.get(line, 0) + 1
    return [line if times == 1 else f"{line}  ×{times}" for line, times in shown.items()]


def _told(answer: Answer) -> str:
    """An answer in a line: status, then the error or the beginning of the body."""
    if answer.error:
        return f"{answer.status}  {answer.error}"
    detail = answer.body.get("detail") if isinstance(answer.body, dict) else None
    if detail == "Not Found" and UNROUTED_HEADER in answer.headers:
        return f"{answer.status}  Not Found: no route answers this"
    if detail is not None and answer.status >= 400:
        return f"{answer.status}  {_detail(detail)}"
    return f"{answer.status}"


def _detail(detail: Any) -> str:
    """The text of an error, and of a 422 the fields that were refused."""
    if isinstance(detail, list):
        parts = [f"{'.'.join(map(str, item.get('loc', [])))}: {item.get('msg', '')}" for item in detail[:2]]
        return "; ".join(parts)
    return str(detail)[:100]


@contextmanager
def explained(why: str, expected: str = "") -> Iterator[None]:
    """Add what the check knows to a failure that comes from the app."""
    try:
        yield
    except Failure as failure:
        found = failure.finding
        more = replace(found, why=found.why or why, expected=found.expected or expected)
        raise Failure(more) from None


def _check_reference(answer: Answer) -> None:
    if answer.error and answer.frames:  # without frames it is a check's own route, which fails on purpose
        raise Unavailable(f"the reference itself fails: {answer.asked}: {answer.error}")


def _of_the_course(ask: Callable[[], T]) -> T:
    """Ask the reference; what fails there is the course's own fault, never the learner's."""
    try:
        return ask()
    except Failure as failure:
        raise Unavailable(f"the reference itself fails: {failure}") from None
