"""The faults of `faults.toml`, and the page that shows what a learner reads of each.

``python tests/workshop/faults.py`` grades them all with the real time limits and writes docs/faults.md.
`test_faults.py` does the same with shorter limits, and tells when the page is out of date.
"""

import html
import os
import re
import secrets
import socket
import socketserver
import sqlite3
import struct
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent, indent
from threading import Thread
from typing import Any
from unittest.mock import create_autospec, patch

import sqlalchemy as sa

from workshop import postgres
from workshop.apps import Submission
from workshop.grading import Bench, Grading, solution_at
from workshop.lessons import ROOT, find_lesson
from workshop.processes import Host, imports_of
from workshop.render import render_lesson
from workshop.report import Board, as_text, finding_lines
from workshop.verdicts import PASSED, Outcome

LESSON = find_lesson("01")
PAGE = ROOT / "docs" / "faults.md"


@dataclass(frozen=True)
class Fault:
    """Something wrong in a lesson's folder; `faults.toml` tells what the fields mean."""

    group: str
    name: str
    step: str
    says: tuple[str, ...]
    hangs: bool
    posix: bool
    change: Mapping[str, Any]

    def put_into(self, folder: Path) -> Path:
        """Write lesson 1 with the fault below `folder`, and return its place."""
        desk = folder / LESSON.name
        desk.mkdir()
        for path, text in self._files().items():
            (desk / path).write_bytes(text.encode())
        if maker := self.change.get("make"):
            globals()[maker](desk)
        return desk

    def _files(self) -> dict[str, str]:
        files = render_lesson(LESSON, LESSON.steps[-1].id)
        files["main.py"] = self._main(files["main.py"])
        old, new = self.change.get("rename", ("", ""))
        if old:
            files = {path: re.sub(rf"\b{old}\b", new, text) for path, text in files.items()}
        files |= self.change.get("files", {})
        return {path: text for path, text in files.items() if path not in self.change.get("remove", ())}

    def _main(self, text: str) -> str:
        for kind, keyword in (("route", "def"), ("async_route", "async def")):
            if body := self.change.get(kind):
                text = text.replace(ROUTE, f"{keyword} read_root():\n{indent(body.strip(), '    ')}")
        if code := self.change.get("startup"):
            text = text.replace(STARTUP, indent(code.strip(), "    ") + "\n" + STARTUP)
        return "\n".join(part for part in (self.change.get("top"), text, self.change.get("end")) if part)


ROUTE = 'def read_root() -> dict[str, str]:\n    return {"message": "Database tables created!"}'
ASKS_THE_ROUTE = "test_the_root_tells_that_tables_exist"
STARTUP = "    Base.metadata.create_all(engine)\n"


def read_faults() -> Iterator[Fault]:
    """Every fault, in order."""
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    for group in data["group"]:
        for entry in group["fault"]:
            known = {"says": tuple(entry.pop("says", ())), "hangs": entry.pop("hangs", False)}
            name, step, posix = entry.pop("name"), entry.pop("step"), entry.pop("posix", False)
            yield Fault(group["title"], name, step, posix=posix, change=entry, **known)


# What can't be written as text


def write_latin_1(desk: Path) -> None:
    (desk / "models.py").write_bytes("name = 'Zoë'\n".encode("latin-1"))


def listen_on_a_port(desk: Path) -> None:
    """Let main.py listen on a port that it names; here one that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    main = desk / "main.py"
    code = f"import socket\n\nserver = socket.create_server(('127.0.0.1', {port}))\n"
    main.write_text(code + main.read_text(encoding="utf-8"), encoding="utf-8")


def fill_blog(desk: Path) -> None:
    with closing(sqlite3.connect(desk / "blog.db")) as connection:
        connection.executescript("CREATE TABLE users (mine); INSERT INTO users VALUES ('precious')")


def lock_file(desk: Path) -> None:
    (desk / "secret.txt").touch(mode=0)


def link_in_circles(desk: Path) -> None:
    (desk / "again").symlink_to(desk, target_is_directory=True)
    (desk / "circle").symlink_to("circle")


def make_pipe(desk: Path) -> None:
    os.mkfifo(desk / "pipe")


def make_environment(desk: Path) -> None:
    (desk / "env").mkdir()
    (desk / "env" / "pyvenv.cfg").touch()
    _write_30_mb(desk / "env" / "big.py")


def make_big_file(desk: Path) -> None:
    _write_30_mb(desk / "data.csv")


def _write_30_mb(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(30 * 2**20)


# Ways to PostgreSQL that lead nowhere


@contextmanager
def server_faults() -> Iterator[dict[str, dict[str, str]]]:
    """Each fault's name with the variables that make it, while the block runs."""
    with (
        refusing_server('password authentication failed for user "ann"') as port,
        role_without_rights() as url,
    ):
        addresses = {
            "WORKSHOP_POSTGRES_URL is not a URL": "localhost:5432",
            "WORKSHOP_POSTGRES_URL names an unknown host": "postgresql://ann:secret@nowhere.invalid/blog",
            "WORKSHOP_POSTGRES_URL names a port where nobody listens": "postgresql://ann:secret@127.0.0.1:1/blog",
            "WORKSHOP_POSTGRES_URL holds a wrong password": f"postgresql://ann:secret@127.0.0.1:{port}/blog",
            "WORKSHOP_POSTGRES_URL names a user who may not create databases": url,
        }
        faults = {name: {"WORKSHOP_POSTGRES_URL": address} for name, address in addresses.items()}
        nowhere = {"WORKSHOP_POSTGRES_URL": "", "WORKSHOP_CACHE": __file__}
        yield {**faults, "PostgreSQL can't be started": nowhere}


@contextmanager
def refusing_server(message: str) -> Iterator[int]:
    """The port of a server that greets as PostgreSQL does, then refuses."""
    fields = f"SFATAL\0VFATAL\0C28P01\0M{message}\0\0".encode()
    refusal = b"E" + struct.pack("!i", len(fields) + 4) + fields

    class Refusing(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(1024)[4:8] in ENCRYPTION_REQUESTS:
                self.request.sendall(b"N")
            self.request.sendall(refusal)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


ENCRYPTION_REQUESTS = {struct.pack("!i", code) for code in (80877103, 80877104)}  # by SSL, by GSSAPI


@contextmanager
def role_without_rights() -> Iterator[str]:
    """The URL of a user who may do nothing but log in."""
    url, role = postgres.server_url(print), f"ann_{secrets.token_hex(4)}"
    with closing(postgres.connect(url)) as connection:
        postgres.execute(connection, f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        try:
            yield sa.make_url(url).set(username=role, password="secret").render_as_string(hide_password=False)
        finally:
            postgres.execute(connection, f"DROP ROLE {role}")


# Grading


def grade(bench: Bench, fault: Fault, desk: Path) -> list[Outcome]:
    """The outcomes of the checks that meet the fault, up to the first that is not as it should be."""
    grading = Grading(bench, LESSON, Submission(desk))
    tasks = grading.tasks([fault.step])
    if {"route", "async_route"}.intersection(fault.change):
        tasks = [(check, database) for check, database in tasks if check.name == ASKS_THE_ROUTE]
    if not fault.says:
        for task in tasks:  # all at once, as in a run: none may disturb another
            grading.prepare(*task)
    outcomes = []
    for task in tasks:
        outcomes.append(grading.run(*task))
        if outcomes[-1].verdict != PASSED:
            break
    grading.close()
    return outcomes


def grade_without_server(environment: Mapping[str, str]) -> list[Outcome]:
    """The outcome of a check that needs PostgreSQL, which it misses before it would start an app."""
    lesson = find_lesson("02")
    with patch.dict(os.environ, environment), Bench(create_autospec(Host)) as bench:
        grading = Grading(bench, lesson, solution_at(lesson, lesson.steps[-1].id), ["postgresql"])
        return [grading.run(*grading.tasks()[0])]


def shown(outcomes: Sequence[Outcome]) -> str:
    """What the learner reads at 80 columns of the checks of one step."""
    lesson = find_lesson(outcomes[0].lesson)
    board = Board(lesson, "", lesson.databases)
    for outcome in outcomes:
        board.add(outcome)
    return as_text(board.step_lines(lesson.step(outcomes[0].step)))


def told(outcomes: Iterable[Outcome]) -> str:
    """The heart of it: what was asked, what came and what helps; nothing if every check passes."""
    findings = [outcome.finding for outcome in outcomes if outcome.finding]
    if not findings:
        return ""
    finding = replace(findings[0], yours=unchanging(findings[0].yours))
    return dedent(as_text(finding_lines(finding)))


def unchanging(text: str) -> str:
    """A text without what differs from run to run and from user to user."""
    text = re.sub(r"ann_[0-9a-f]{8}", "ann", text)
    text = text.replace(" and that everyone may enter, for as root PostgreSQL runs as nobody", "")
    return re.sub(r"127\.0\.0\.1:\d{4,}", "127.0.0.1:5432", text)


# The page

ROW = """\
<tr><td>{fault}</td><td><pre>
{reads}
</pre></td></tr>
"""
PASSES = "(nothing: the checks pass)"
SERVER = "PostgreSQL"


def main() -> None:
    """Grade every fault and write the page's tables. The words above them stay."""
    rows: dict[str, list[str]] = {}
    with Bench(Host(imports_of(LESSON))) as bench, tempfile.TemporaryDirectory() as folder:
        for number, fault in enumerate(read_faults()):
            place = Path(folder, str(number))
            place.mkdir()
            text = told(grade(bench, fault, fault.put_into(place)))
            rows.setdefault(fault.group, []).append(row(fault.name, text))
    with server_faults() as faults:
        rows[SERVER] = [row(name, told(grade_without_server(faults[name]))) for name in faults]
    above = PAGE.read_text(encoding="utf-8").partition("\n## ")[0]
    tables = [f"\n## {group}\n\n{HEAD}{''.join(found)}</table>\n" for group, found in rows.items()]
    PAGE.write_text(above + "".join(tables), encoding="utf-8", newline="\n")


HEAD = "<table>\n<tr><th>what is wrong</th><th>what the learner reads</th></tr>\n"


def row(name: str, text: str) -> str:
    """One row of a table. It is HTML, for Markdown's tables can't hold lines as they are."""
    fault = re.sub(r"`(.*?)`", r"<code>\1</code>", html.escape(name, quote=False))
    return ROW.format(fault=fault, reads=html.escape(text or PASSES, quote=False))


def read_page() -> dict[str, str]:
    """The page's rows: what is wrong → what the learner reads."""
    pattern = ROW.format(fault="(.*)", reads="(?s:(.*?))")
    found = re.findall(pattern, PAGE.read_text(encoding="utf-8"))
    return {_unescaped(fault): _unescaped(reads).removeprefix(PASSES) for fault, reads in found}


def _unescaped(text: str) -> str:
    return html.unescape(re.sub("</?code>", "`", text))


if __name__ == "__main__":
    main()
