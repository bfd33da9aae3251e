"""Everything that can be wrong with a learner's folder or computer, and the page that shows what they read of it.

Each fault is lesson 1's solution with one change. ``python tests/workshop/faults.py`` grades them all, which takes
some minutes, and writes docs/faults.md; `test_faults.py` does the same with shorter time limits.
"""

import html
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workshop import apps
from workshop.apps import Submission
from workshop.grading import Bench, Grading, imports_of
from workshop.lessons import ROOT, Lesson, find_lesson
from workshop.render import render_lesson
from workshop.report import Board, as_text
from workshop.verdicts import FAILED, PASSED, Outcome

LESSON = find_lesson("01")
PAGE = ROOT / "docs" / "faults.md"

Change = Callable[[Path], None]


@dataclass(frozen=True)
class Fault:
    """Something wrong in a lesson's folder, the step whose checks meet it, and words that the learner must read."""

    group: str
    name: str
    step: str
    change: Change
    says: tuple[str, ...] = ()
    passes: bool = False  # no check need fail
    hangs: bool = False  # a time limit ends it
    posix: bool = False  # Windows has no such thing


# Changes


def replace(file: str, old: str, new: str) -> Change:
    """Change a piece of text that is in the file once."""

    def change(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is in {file} {text.count(old)} times"
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")

    return change


def top(code: str, file: str = "main.py") -> Change:
    """Put code that runs on import above all else."""

    def change(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        (folder / file).write_text(f"{code}\n\n{text}", encoding="utf-8")

    return change


def end(code: str, file: str = "main.py") -> Change:
    """Put code that runs on import below all else."""

    def change(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        (folder / file).write_text(f"{text}\n\n{code}\n", encoding="utf-8")

    return change


_ROOT = 'def read_root() -> dict[str, str]:\n    return {"message": "Database tables created!"}'


def route(code: str, imports: str = "import time", kind: str = "def") -> Change:
    """Give ``GET /`` another body."""
    body = code.replace("\n", "\n    ")
    new = replace("main.py", _ROOT, f"{kind} read_root():\n    {body}")
    return both(new, top(imports))


def async_route(code: str, imports: str = "import time") -> Change:
    """Give ``GET /`` another body, on the event loop."""
    return route(code, imports, "async def")


def startup(code: str, imports: str = "import sys") -> Change:
    """Put code into the lifespan function, above all else."""
    old = "    Base.metadata.create_all(engine)\n"
    return both(replace("main.py", old, f"    {code}\n{old}"), top(imports))


def rename(old: str, new: str) -> Change:
    """Call something by another name in every file, as a learner who has not read which names are fixed."""

    def change(folder: Path) -> None:
        for path in folder.glob("*.py"):
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(rf"\b{old}\b", new, text), encoding="utf-8")

    return change


def write(file: str, content: str | bytes) -> Change:
    """Write a file."""

    def change(folder: Path) -> None:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def remove(*files: str) -> Change:
    """Remove files."""

    def change(folder: Path) -> None:
        for file in files:
            (folder / file).unlink()

    return change


def both(*changes: Change) -> Change:
    """One change after another."""

    def change(folder: Path) -> None:
        for one in changes:
            one(folder)

    return change


def lock_file(folder: Path) -> None:
    """Make a file that nobody may read."""
    (folder / "secret.txt").write_text("secret")
    (folder / "secret.txt").chmod(0)


def link_in_circles(folder: Path) -> None:
    """Make links that never end."""
    (folder / "again").symlink_to(folder, target_is_directory=True)
    (folder / "circle").symlink_to("circle")


def make_pipe(folder: Path) -> None:
    """Make a pipe, which nobody writes into."""
    os.mkfifo(folder / "pipe")


def fill(folder: Path) -> None:
    """Make a file of 30 MB."""
    with (folder / "data.csv").open("wb") as file:
        file.truncate(30 * 2**20)


# The faults

FILES, IMPORT, START, ROUTES, ENDS, OUTPUT, LEFT, FOLDER = (
    "Files",
    "Imports and names",
    "Starting",
    "Answering",
    "Ending the program",
    "Printing",
    "What an app leaves behind",
    "What else lies in the folder",
)
WRONG = "return {'message': 'Hello'}"


def _faults() -> Iterator[Fault]:
    yield from _files()
    yield from _imports()
    yield from _starts()
    yield from _routes()
    yield from _ends()
    yield from _output()
    yield from _left()
    yield from _folders()


def _files() -> Iterator[Fault]:
    all_files = remove("main.py", "database.py", "models.py", "schemas.py")
    yield Fault(FILES, "main.py is missing", "1.1", remove("main.py"), ("no main.py", "database.py"))
    yield Fault(FILES, "the folder is empty", "1.1", all_files, ("no main.py", "nothing"))
    yield Fault(FILES, "main.py is empty", "1.1", write("main.py", ""), ("main.py has no `app`", "app = FastAPI()"))
    yield Fault(FILES, "a syntax error in main.py", "1.1", end("def broken(:\n    pass"), ("SyntaxError", "main.py:", "def broken(:"))
    yield Fault(FILES, "a syntax error in database.py", "1.1", end("x = = 1", "database.py"), ("SyntaxError", "database.py:", "x = = 1"))
    yield Fault(FILES, "an indentation error", "1.1", end("def f():\nreturn 1"), ("IndentationError", "main.py:", "return 1"))
    yield Fault(FILES, "a file that is not UTF-8", "1.1", write("models.py", b"name = '\xff'\n"), ("SyntaxError", "models.py"))
    yield Fault(FILES, "a null byte in a file", "1.1", write("models.py", b"name = '\0'\n"), ("null bytes", "models.py"))


def _imports() -> Iterator[Fault]:
    yield Fault(IMPORT, "a package that is not installed", "1.1", top("import flask_blog"), ("No module named 'flask_blog'", "main.py:1"))
    yield Fault(
        IMPORT,
        "a misspelt name of one's own",
        "1.1",
        replace("main.py", "from database import Base, SessionDep, engine", "from database import Base, SessionDep, engin\nengine = engin"),
        ("cannot import name 'engin' from 'database'", "main.py:"),
    )
    yield Fault(
        IMPORT,
        "a circular import",
        "1.1",
        top("from main import app", "database.py"),
        ("circular import", "database.py:1"),
    )
    yield Fault(IMPORT, "no `engine`", "1.1", rename("engine", "motor"), ("'database'", "'engine'"))
    yield Fault(IMPORT, "no `SessionLocal`", "1.3", rename("SessionLocal", "Sessions"), ("'database'", "'SessionLocal'"))
    yield Fault(IMPORT, "no `Base`", "1.3", rename("Base", "Model"), ("'database'", "'Base'"))
    yield Fault(IMPORT, "no `get_db`", "1.5", rename("get_db", "give_session"), ("'database'", "'get_db'"))
    yield Fault(IMPORT, "no `app`", "1.1", rename("app", "blog"), ("main.py has no `app`", "app = FastAPI()"))
    yield Fault(IMPORT, "`app` is None", "1.1", end("app = None"), ("`app`", "app = FastAPI()"))
    yield Fault(IMPORT, "`app` is a function", "1.1", end("def app():\n    return FastAPI()"), ("`app`", "app = FastAPI()"))
    yield Fault(IMPORT, "`app` is the class", "1.1", end("app = FastAPI"), ("`app`", "app = FastAPI()"))


def _starts() -> Iterator[Fault]:
    loop = top("while True:\n    pass")
    yield Fault(START, "an endless loop on import", "1.1", loop, ("not started within", "main.py:2"), hangs=True)
    yield Fault(
        START,
        "a server of its own on import",
        "1.1",
        end("import uvicorn\n\nuvicorn.run(app, port=0)"),
        ("main.py:", "uvicorn.run(app, port=0)"),
        hangs=True,
    )
    yield Fault(START, "input() on import", "1.1", top('name = input("Your name? ")'), ("EOFError", "main.py:1"))
    yield Fault(START, "an error on import", "1.1", top("print(1 / 0)"), ("ZeroDivisionError", "main.py:1"))
    yield Fault(START, "an error in the lifespan function", "1.4", startup('raise RuntimeError("no coffee")'), ("RuntimeError: no coffee", "main.py:"))
    yield Fault(START, "an endless loop in the lifespan function", "1.4", startup("while True: pass"), ("not started within", "main.py:"), hangs=True)
    sleep = startup("await asyncio.sleep(60)", "import asyncio")
    yield Fault(START, "a lifespan function that waits for long", "1.4", sleep, ("not started within", "main.py:"), hangs=True)


def _routes() -> Iterator[Fault]:
    def hangs(name: str, change: Change, *says: str) -> Fault:
        return Fault(ROUTES, name, "1.4", change, ("not answered within", *says), hangs=True)

    def fails(name: str, change: Change, *says: str) -> Fault:
        return Fault(ROUTES, name, "1.4", change, says)

    yield hangs("an endless loop in a def route", route("while True:\n    pass"), "main.py:")
    yield hangs("an endless loop in an async def route", async_route("while True:\n    pass"), "main.py:")
    yield hangs("time.sleep(60) in a def route", route("time.sleep(60)"), "main.py:")
    yield hangs("time.sleep(60) in an async def route", async_route("time.sleep(60)"), "main.py:")
    yield hangs("asyncio.sleep(60) in an async def route", async_route("await asyncio.sleep(60)", "import asyncio"), "main.py:")
    lock = "import threading\n\nlock = threading.Lock()"
    yield hangs("a lock that is taken twice", route("with lock, lock:\n    return {}", lock), "main.py:")
    yield fails("an error in a route", route("return missing"), "500", "NameError: name 'missing' is not defined", "main.py:", "return missing")
    yield fails(
        "an error deep in a library",
        route('return session.scalar(text("SELECT nothing"))', kind="def").__class__ and _library_error(),
        "500",
        "no such column: nothing",
        "main.py:",
    )
    yield fails("a recursion without end", both(end("def dig(n):\n    return dig(n)"), route("return dig(1)")), "RecursionError", "main.py:")
    yield fails("an answer that is not JSON", route('return HTMLResponse("<h1>Hello</h1>")', "from fastapi.responses import HTMLResponse"), "<h1>Hello</h1>")
    yield fails("an answer that can't become JSON", route("return {'message': object()}"), "500")
    yield fails("an answer of 200 MB", route('return {"message": "x" * 200_000_000}'), "200 MB")
    stream = "from fastapi.responses import StreamingResponse\nimport itertools"
    yield fails("an answer that never ends", route('return StreamingResponse(itertools.repeat(b"x" * 1000))', stream))
    slow = "import itertools, time\nfrom fastapi.responses import StreamingResponse"
    drip = route('return StreamingResponse(time.sleep(0.2) or b"x" for _ in itertools.count())', slow)
    yield hangs("an answer that drips without end", drip)


def _library_error() -> Change:
    old = 'session.scalar(text("SELECT sqlite_version()"))'
    return both(
        replace("main.py", _ROOT, _ROOT.replace("()", "(session: SessionDep)").replace('"Database tables created!"', 'session.scalar(text("SELECT nothing"))')),
        replace("main.py", old, old),
    )


def _ends() -> Iterator[Fault]:
    def ends(name: str, step: str, change: Change, *says: str, posix: bool = False) -> Fault:
        return Fault(ENDS, name, step, change, says, posix=posix)

    yield ends("sys.exit() on import", "1.1", top("import sys\n\nsys.exit()"), "ends the whole program", "sys.exit", "main.py:3")
    yield ends("raise SystemExit(text) on import", "1.1", top('raise SystemExit("Set a password first.")'), "ends the whole program", "Set a password first.", "main.py:1")
    yield ends("os._exit(3) on import", "1.1", top("import os\n\nos._exit(3)"), "ends the whole program", "os._exit(3)", "main.py:3")
    yield ends("sys.exit() in the lifespan function", "1.4", startup("sys.exit()"), "ends the whole program", "sys.exit", "main.py:")
    yield ends("os._exit(3) in the lifespan function", "1.4", startup("os._exit(3)", "import os"), "os._exit(3)", "main.py:")
    yield ends("sys.exit(1) in a def route", "1.4", route("sys.exit(1)", "import sys"), "ends the whole program: sys.exit(1)", "main.py:")
    yield ends("sys.exit(1) in an async def route", "1.4", async_route("sys.exit(1)", "import sys"), "ends the whole program: sys.exit(1)", "main.py:")
    yield ends("os._exit(3) in a route", "1.4", route("os._exit(3)", "import os"), "ends the whole program: os._exit(3)", "main.py:")
    thread = "import os, sys, threading\n\ntry_it = threading.Thread(target={})\ntry_it.start()\ntry_it.join()"
    yield ends("os._exit(3) in a thread", "1.1", top(thread.format("lambda: os._exit(3)")), "os._exit(3)", "main.py:3")
    yield Fault(ENDS, "sys.exit() in a thread (it ends the thread only)", "1.1", top(thread.format("sys.exit")), passes=True)
    yield ends("a signal that kills", "1.4", route("os.kill(os.getpid(), signal.SIGKILL)", "import os, signal"), "was killed (SIGKILL)", posix=True)
    yield ends("a crash in C code", "1.4", route("ctypes.string_at(0)", "import ctypes"), "was killed (SIGSEGV)", posix=True)
    yield ends("os.abort()", "1.4", route("os.abort()", "import os"), "was killed (SIGABRT)", posix=True)
    yield ends("a crash in C code on import", "1.1", top("import ctypes\n\nctypes.string_at(0)"), "was killed (SIGSEGV)", posix=True)


def _output() -> Iterator[Fault]:
    def prints(name: str, code: str, *says: str, imports: str = "import sys", wrong: str = WRONG) -> Fault:
        return Fault(OUTPUT, name, "1.4", route(f"{code}\n{wrong}", imports), ("your app printed", *says))

    yield prints("a line", 'print("here I am")', "here I am")
    yield prints("thousands of lines", 'for number in range(5000):\n    print("line", number)', "lines before", "line 4999")
    yield prints("on import, the lines of a module", "pass", "hello from main", imports='print("hello from main")')
    yield prints("lines of the logging module", 'logging.getLogger("blog").warning("watch out")', "watch out", imports="import logging")
    yield Fault(OUTPUT, "lines without end, in a route", "1.4", route('while True:\n    print("again")'), ("not answered within", "again", "main.py:"), hangs=True)
    yield Fault(OUTPUT, "lines without end, on import", "1.1", top('while True:\n    print("again")'), ("again", "main.py:2"), hangs=True)
    yield prints("binary rubbish", "sys.stdout.buffer.write(bytes(range(256)) * 4)")
    yield prints("colours and cursor movements", r'print("\033[31mred\033[0m \033[2J\033[5A gone \a")', "red")
    yield prints("a line of a million characters", 'print("x" * 1_000_000)', "xxxx")


def _left() -> Iterator[Fault]:
    def left(name: str, change: Change, step: str = "1.4") -> Fault:
        return Fault(LEFT, name, step, change, passes=True)

    yield left("an open port", top('import socket\n\nserver = socket.create_server(("127.0.0.1", 0))'))
    yield left("an open file", top('log = open("log.txt", "a")'))
    yield left("a thread that never ends", top("import threading, time\n\nthreading.Thread(target=lambda: time.sleep(600)).start()"))
    yield left(
        "another program that runs on",
        top('import subprocess, sys\n\nsubprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])'),
    )
    shutil = "import os, shutil"
    yield Fault(LEFT, "the app deletes its own folder", "1.4", route("shutil.rmtree(os.path.dirname(__file__))\n" + WRONG, shutil), ("expected",))
    yield Fault(LEFT, "the app locks its own folder", "1.4", route("os.chmod(os.path.dirname(__file__), 0)\n" + WRONG, shutil), ("expected",))
    yield left("the app changes variables, folder and paths", top('import os, sys\n\nos.environ["HOME"] = "/nowhere"\nos.chdir("/")\nsys.path.clear()'))


def _folders() -> Iterator[Fault]:
    def lies(name: str, change: Change, posix: bool = False) -> Fault:
        return Fault(FOLDER, name, "1.4", change, passes=True, posix=posix)

    yield lies("a .env with another database", write(".env", "DATABASE_URL=postgresql://nobody@nowhere/nothing\n"))
    yield lies("a blog.db with the learner's own rows", write("blog.db", "not even a database"))
    yield lies("a file that can't be read", lock_file, posix=True)
    yield lies("links that lead in a circle", link_in_circles, posix=True)
    yield lies("a named pipe", make_pipe, posix=True)
    yield lies("an environment of 100 MB", both(write("env/pyvenv.cfg", "home = /usr"), write("env/lib/big.py", b"#" * 30 * 2**20)))
    yield Fault(FOLDER, "30 MB of other files", "1.1", fill, ("20 MB",))


FAULTS = tuple(_faults())


# Grading them


def make(fault: Fault, folder: Path) -> Path:
    """Write lesson 1's solution into a folder of its name below `folder`, with the fault; returns it."""
    desk = folder / LESSON.name
    desk.mkdir()
    for path, text in render_lesson(LESSON, LESSON.steps[-1].id).items():
        (desk / path).write_text(text, encoding="utf-8")
    fault.change(desk)
    return desk


def grade(bench: Bench, fault: Fault, desk: Path) -> list[Outcome]:
    """The outcomes of the checks of the fault's step."""
    return list(Grading(bench, LESSON, Submission(desk)).run_all([fault.step]))


def shown(lesson: Lesson, outcomes: Iterable[Outcome]) -> str:
    """What the learner reads of these outcomes, without the offer of a hint."""
    board = Board(lesson, "", lesson.databases)
    for outcome in outcomes:
        board.add(outcome)
    lines = [line for step in lesson.steps if step.id in board.outcomes for line in board.step_lines(step)]
    return "\n".join(line for line in as_text(lines).splitlines() if "hint: workshop hint" not in line)
