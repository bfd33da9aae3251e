"""The reference, with a memory: what it has answered once it need not be started for again.

A check asks the same questions of the reference in every run. Their answers are kept beside the course,
under a digest of everything they depend on. As soon as a check asks something new, a real reference is
started, asked all that came before, and goes on from there.
"""

import contextlib
import hashlib
import inspect
import pickle
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from workshop import desk
from workshop.apps import Answer, App, Ran, Requests
from workshop.lessons import ROOT, SOLUTIONS, Lesson

_FOLDER = ROOT / ".workshop"
_PACKAGES = ("alembic", "fastapi", "pydantic", "sqlalchemy", "psycopg2-binary", "uvicorn")
Call = tuple[str, Any]  # what was asked, as text, and what the reference answered


class Memory:
    """All answers of one lesson's reference, once they are `refresh`ed; safe to lose."""

    def __init__(self, lesson: Lesson) -> None:
        self._file = _FOLDER / f"answers-{lesson.name}-{_digest(lesson)}.pickle"
        self._changed = False
        self._written = 0  # when the file was written that was read, or written, last
        self.calls: dict[tuple[str, str], list[Call]] = {}

    def refresh(self) -> None:
        """Take over what other processes have remembered since."""
        with contextlib.suppress(OSError, pickle.UnpicklingError, EOFError, AttributeError):
            written = self._file.stat().st_mtime_ns
            if written != self._written:
                self.calls = pickle.loads(self._file.read_bytes()) | self.calls
                self._written = written

    def keep(self, check: str, database: str, calls: list[Call]) -> None:
        """Remember what was asked in a check."""
        self.calls[check, database] = calls
        self._changed = True

    def save(self) -> None:
        """Write the file whole and remove those of older versions, if the folder can be written at all."""
        if not self._changed:
            return
        self.refresh()
        self._changed = False
        lesson = self._file.name.rpartition("-")[0]
        with contextlib.suppress(OSError):
            desk.write(self._file, pickle.dumps(self.calls))
            self._written = self._file.stat().st_mtime_ns
            for other in _FOLDER.glob(f"{lesson}-*.pickle"):
                if other != self._file:
                    other.unlink()


def _digest(lesson: Lesson) -> str:
    """Everything that an answer of the reference depends on."""
    found = hashlib.sha256(platform.python_version().encode())
    for package in _PACKAGES:
        found.update(version(package).encode())
    own = [
        *Path(__file__).parent.glob("*.py"),
        *lesson.checks.rglob("test_*.py"),
        *(SOLUTIONS / lesson.name).rglob("*"),
    ]
    for path in sorted(path for path in own if path.is_file() and path.suffix != ".pyc"):
        found.update(path.as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:16]


class Reference(Requests):
    """An `App` that answers from memory as long as it can."""

    def __init__(
        self, make: Callable[[], App], calls: list[Call], keep: Callable[[list[Call]], None]
    ) -> None:
        self._make, self._calls, self._keep = make, calls, keep
        self._asked: list[tuple[str, str, tuple[Any, ...], Mapping[str, Any]]] = []
        self._heard: list[Call] = []
        self._app: App | None = None
        self._new = False

    def _ask(self, name: str, /, *arguments: Any, **keywords: Any) -> Any:
        key = _key(name, arguments, keywords)
        position = len(self._heard)
        if self._app is None and position < len(self._calls) and self._calls[position][0] == key:
            answer = self._calls[position][1]
        else:
            answer = getattr(self.live, name)(*arguments, **keywords)
            self._new = True
        self._asked.append((key, name, arguments, keywords))
        self._heard.append((key, answer))
        return answer

    @property
    def live(self) -> App:
        """A real app that has been asked all that this one has been."""
        if self._app is None:
            self._app = self._make()
            for _, name, arguments, keywords in self._asked:
                getattr(self._app, name)(*arguments, **keywords)
        return self._app

    @property
    def app(self) -> App | None:
        """The real app, if there had to be one."""
        return self._app

    def launch(self, *arguments: Any) -> None:
        self._ask("launch", *arguments)

    def wait_until_ready(self) -> None:
        self._ask("wait_until_ready")

    def start(self, *arguments: Any, **keywords: Any) -> None:
        self._ask("start", *arguments, **keywords)

    def restart(self) -> None:
        self._ask("restart")

    def stop(self) -> None:
        self._ask("stop")

    def run(self, *command: str, **keywords: Any) -> Ran:
        ran: Ran = self._ask("run", *command, **keywords)
        return ran

    def fails_to_start(self, *arguments: Any, **keywords: Any) -> Any:
        return self._ask("fails_to_start", *arguments, **keywords)

    def request(self, method: str, path: str, **keywords: Any) -> Answer:
        answer: Answer = self._ask("request", method, path, **keywords)
        return answer

    def probe(self, function: Callable[..., Any], *modules: str, **arguments: Any) -> Any:
        return self._ask("probe", function, *modules, **arguments)

    def sql(self, statement: str, /, **parameters: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._ask("sql", statement, **parameters)
        return rows

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = self._ask("schema")
        return schema

    @contextmanager
    def recorded(self) -> Iterator[list[str]]:
        statements: list[str] = []
        since = self._ask("count_statements")
        yield statements
        statements += self._ask("statements", since)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.live, name)  # folder, url, output, engine: only a real app has them

    def finish(self) -> None:
        """The check has ended: remember what is new."""
        if self._new and len(self._heard) >= len(self._calls):
            self._keep(self._heard)


def _key(name: str, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
    shown = [inspect.getsource(one) if inspect.isfunction(one) else repr(one) for one in arguments]
    return f"{name}({', '.join(shown)}, {sorted(keywords.items())!r})"
