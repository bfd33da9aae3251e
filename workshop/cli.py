"""The command `workshop`: where am I, what is next, and what helps."""

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from workshop import desk, postgres, progress
from workshop.lessons import (
    DATABASES,
    ROOT,
    Lesson,
    Step,
    UnknownLesson,
    all_lessons,
    find_lesson,
    find_step,
)
from workshop.report import to_encoding

app = typer.Typer(
    add_completion=True,
    no_args_is_help=False,
    rich_markup_mode="markdown",
    epilog="Begin with `workshop watch`: it checks the step you are on whenever you save a file. "
    "Stuck? `workshop hint`. Lost? `workshop`. Something odd? `workshop doctor`.",
)
database = typer.Typer(no_args_is_help=False, help="The PostgreSQL server that came with the packages.")
app.add_typer(database, name="db")
console = Console(highlight=False, soft_wrap=True)  # a URL stays in one piece


# Parameters that several commands have

LessonName = Annotated[str, typer.Argument(metavar="LESSON", help="03; without it the lesson you are in")]
StepId = Annotated[str, typer.Argument(metavar="STEP", help="a step, such as 3.2; without it the next one")]
LessonOrStep = Annotated[
    str, typer.Argument(metavar="LESSON|STEP", help="03 or 3.2; without it the next step")
]
OneDatabase = Annotated[str, typer.Option(help="only sqlite, or only postgres")]


class Refused(Exception):
    """What was asked for can't be done; the message says why and what to do."""


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        code = app(standalone_mode=False)
    except (UnknownLesson, postgres.ServerError, Refused) as error:
        return _fail(str(error))
    except OSError as error:  # a full disk, a closed folder
        return _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
    except typer.Exit as leaving:
        return int(leaving.exit_code)
    except typer.Abort:
        return 130
    except Exception as error:  # what click says of wrong arguments
        if not hasattr(error, "format_message"):
            raise
        error.show()  # type: ignore[attr-defined]
        return 2
    return int(code or 0)


def _fail(message: str) -> int:
    print(to_encoding(message[:1].upper() + message[1:], sys.stderr.encoding), file=sys.stderr)
    return 1


def _say(*pieces: tuple[str, str] | str, end: str = "\n") -> None:
    text = Text()
    for piece in pieces:
        words, style = piece if isinstance(piece, tuple) else (piece, "")
        text.append(to_encoding(words, sys.stdout.encoding), style)
    console.print(text, end=end)


# Where am I


@app.callback(invoke_without_command=True)
def where(context: typer.Context) -> None:
    """Learn databases with FastAPI. Without a command: where you are, and what is next."""
    if context.invoked_subcommand is None:
        show_lessons()


def show_lessons() -> None:
    """The six lessons, the steps done, and the next one to do."""
    done = progress.done()
    _say(("FastAPI and databases", "bold"))
    _say()
    upcoming: tuple[Lesson, Step] | None = None
    for lesson in all_lessons():
        left = [step for step in lesson.steps if step.id not in done]
        if left and upcoming is None:
            upcoming = lesson, left[0]
        here = upcoming is not None and upcoming[0] == lesson
        _say_lesson(lesson, len(lesson.steps) - len(left), here)
        if here:
            _say_parts(lesson, done)
    _say()
    if upcoming:
        _say_next(*upcoming)
    else:
        _say(("Every step of every lesson is done.", "green"))


def _say_lesson(lesson: Lesson, done: int, here: bool) -> None:
    total = len(lesson.steps)
    if total == 0:
        _say(("  · ", "dim"), (f"{lesson.name:<18} in preparation", "dim"))
        return
    mark = ("  ✓ ", "green") if done == total else ("  → ", "bold") if here else ("  · ", "dim")
    _say(
        mark,
        (f"{lesson.name:<18} ", "bold" if here else ""),
        f"{done} of {total} steps",
        (f"  {lesson.minutes} min", "dim"),
    )
    if here:
        for line in textwrap.wrap(lesson.about, 55):
            _say((f"    {'':<18} {line}", "dim"))


def _say_parts(lesson: Lesson, done: set[str]) -> None:
    for part in dict.fromkeys(step.part for step in lesson.steps if step.part):
        steps = [step.id for step in lesson.steps if step.part == part]
        _say((f"    {'':<18} {part:<12} {len(done.intersection(steps))} of {len(steps)}", "dim"))


def _say_next(lesson: Lesson, step: Step) -> None:
    _say("Next: ", (f"{step.id} {step.title}", "bold"), (f"  about {step.minutes} minutes", "dim"))
    _say()
    readme = lesson.page(step).relative_to(ROOT).as_posix()
    for what, command in (
        ("read", readme),
        ("check", f"pytest lessons/{lesson.handle}"),
        ("hint", f"workshop hint {step.id}"),
    ):
        _say(f"  {what:<7}", (command, "cyan"))


# Help with a step


@app.command()
def hint(
    step_id: StepId = "",
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="which hint; without it the next one")] = 0,
) -> None:
    """Show a hint for a step. Ask again for the next one; the last is nearly the answer."""
    _, step = find_step(step_id) if step_id else _next_step()
    total = len(step.hints)
    number = min(number, total) if number > 0 else progress.next_hint(step.id, total)
    _say((f"{step.id} {step.title}", "bold"), (f"  hint {number} of {total}", "dim"))
    _say()
    for line, style in hint_lines(step.hints[number - 1], min(console.width, 90)):
        _say((line, style))
    _say()
    if number < total:
        _say(("The next hint: ", "dim"), f"workshop hint {step.id}")
    else:
        _say(("The last hint. The answer: ", "dim"), f"workshop solution {step.id}")


def hint_lines(text: str, width: int) -> Iterator[tuple[str, str]]:
    """A hint line by line: prose is wrapped; code, fenced or indented, stays as it is."""
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith(" "):
            yield f"    {line}" if fenced else line, "cyan"
        else:
            yield from ((part, "") for part in textwrap.wrap(line, width) or [""])


def _next_step() -> tuple[Lesson, Step]:
    """The first step that isn't done, of the lesson in whose folder we are, or of all."""
    here = [lesson for lesson in all_lessons() if lesson.steps and Path.cwd().is_relative_to(lesson.folder)]
    if here:
        return here[0], _step_here(here[0])
    done = progress.done()
    for lesson in all_lessons():
        for step in lesson.steps:
            if step.id not in done:
                return lesson, step
    raise UnknownLesson("Every step is done.")


# Checking


@app.command()
def check(
    what: LessonOrStep = "",
    db: OneDatabase = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="print the outcomes as JSON, for a program")
    ] = False,
) -> None:
    """Check your work: a lesson or a step. `pytest lessons/03` does the same, with pytest's options."""
    lesson, step = _lesson_and_step(what)
    databases = _databases(db)
    if as_json:
        raise typer.Exit(_check_as_json(lesson, step, databases))
    command = [sys.executable, "-m", "pytest", str(lesson.folder), *(["-k", step.id] if step else [])]
    raise typer.Exit(subprocess.call(command + ([f"--db={db}"] if db else []), cwd=ROOT))


def _lesson_and_step(what: str) -> tuple[Lesson, Step | None]:
    """What "03", "3.2" or nothing means."""
    if not what:
        return _next_step()
    return find_step(what) if "." in what else (_with_steps(find_lesson(what)), None)


def _with_steps(lesson: Lesson) -> Lesson:
    if not lesson.steps:
        raise UnknownLesson(f"lesson {lesson.handle}, {lesson.title}, has no steps yet")
    return lesson


def _check_as_json(lesson: Lesson, step: Step | None, databases: list[str]) -> int:
    import json

    from workshop.apps import Submission
    from workshop.grading import Bench, Grading
    from workshop.processes import Host, imports_of
    from workshop.verdicts import PASSED

    with Bench(Host(imports_of(lesson)), _notice) as bench:
        grading = Grading(bench, lesson, Submission(lesson.folder), databases)
        outcomes = list(grading.run_all([step.id] if step else []))
    print(json.dumps([outcome.to_dict() for outcome in outcomes], indent=1))
    return int(any(outcome.verdict != PASSED for outcome in outcomes))


@app.command()
def watch(
    what: LessonOrStep = "",
    db: OneDatabase = "",
) -> None:
    """Check the step you are on whenever you save a file, and show the first thing to fix."""
    from workshop.watch import Watch

    lesson, step = _lesson_and_step(what)
    databases = _databases(db)
    watching = Watch(lesson, step or _step_here(lesson), databases, console)
    raise typer.Exit(watching.run())


def _databases(db: str) -> list[str]:
    if db and db not in DATABASES:
        raise Refused(f"there is no database {db!r}: sqlite or postgres")
    return [DATABASES[db]] if db else []


# The reference


@app.command()
def solution(
    step_id: StepId = "",
) -> None:
    """Show the reference's code of a step, and why it is so."""
    from workshop.live import code_lines
    from workshop.render import pieces

    lesson, step = find_step(step_id) if step_id else _next_step()
    if lesson.task:
        raise Refused(f"a task's solution isn't cut into steps: look into solutions/{lesson.name}")
    _say((f"{step.id} {step.title}", "bold"))
    for piece in pieces(lesson, step.id):
        _say()
        _say((piece.place, "cyan"))
        for part in textwrap.wrap(piece.why, min(console.width, 90) - 2):
            _say((f"  {part}", "dim"))
        _say()
        for line in code_lines(piece.code, piece.file):
            console.print(line)


@app.command()
def diff(
    name: LessonName = "",
    everything: Annotated[bool, typer.Option("--all", help="against the finished reference")] = False,
) -> None:
    """Compare your files with the reference, as it is when the step you are on is done."""
    lesson = _with_steps(find_lesson(name)) if name else _next_step()[0]
    step = lesson.steps[-1] if everything else _step_here(lesson)
    upto = "the finished reference" if step == lesson.steps[-1] else f"the reference up to {step.id}"
    _say((f"lessons/{lesson.name}", "bold"), f" (-) against {upto} (+)")
    differing = list(differences(lesson, step))
    for line in differing or [("No difference.", "")]:
        _say(line)


def _step_here(lesson: Lesson) -> Step:
    """The first step of a lesson that isn't done, or the last one."""
    done = progress.done()
    return next((step for step in lesson.steps if step.id not in done), lesson.steps[-1])


def differences(lesson: Lesson, step: Step) -> Iterator[tuple[str, str]]:
    """How a learner's files differ from the reference with a step done: a unified diff, a line at a time."""
    import difflib

    from workshop.render import render_lesson

    styles = {"-": "red", "+": "green", "@": "cyan"}
    files = desk.files_below(lesson.folder)
    mine = {path: content.decode(errors="replace") for path, content in files.items()}
    for path, text in sorted(render_lesson(lesson, step.id).items()):
        yours, theirs = mine.get(path, "").splitlines(), text.splitlines()
        lines = difflib.unified_diff(yours, theirs, f"yours/{path}", f"reference/{path}", lineterm="", n=2)
        yield from ((line, styles.get(line[:1], "")) for line in lines)


# The desk


@app.command()
def reset(
    name: Annotated[str, typer.Argument(metavar="LESSON", help="03")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="only this file, such as models.py")] = "",
    step_id: Annotated[str, typer.Option("--step", help="back to where this step begins")] = "",
) -> None:
    """Bring a lesson's folder back to its start. What you have is kept in a backup."""
    lesson = _with_steps(find_lesson(name))
    state = lesson.starter if not step_id else _state_before(lesson, step_id)
    _put(
        lesson,
        state,
        file,
        f"lessons/{lesson.name} is as it was at the start" + (f" of {step_id}" * bool(step_id)),
    )


def _state_before(lesson: Lesson, step_id: str) -> str:
    ids = [step.id for step in lesson.steps]
    if step_id not in ids:
        raise UnknownLesson(f"lesson {lesson.handle} has the steps {ids[0]} to {ids[-1]}, and no {step_id}")
    return [lesson.starter, *ids][ids.index(step_id)]


@app.command("catch-up")
def catch_up(
    step_id: Annotated[str, typer.Argument(metavar="STEP", help="the last step that is done then")],
) -> None:
    """Bring a lesson's folder to where a step and all before it are done. What you have is kept."""
    lesson, step = find_step(step_id)
    if lesson.task:
        raise Refused("a task is done from an empty folder, so there is nothing to catch up with")
    _put(lesson, step.id, "", f"lessons/{lesson.name} has everything up to {step.id} done")


def _put(lesson: Lesson, state: str, file: str, now: str) -> None:
    from workshop.render import render_lesson

    files = desk.as_bytes(render_lesson(lesson, state))
    if file and file not in files:
        raise Refused(
            f"there is no {file} in lessons/{lesson.name} then, only {', '.join(files) or 'nothing'}"
        )
    _say_written(
        lesson,
        desk.put(lesson, files, file),
        f"{now}." if not file else f"lessons/{lesson.name}/{file} is back.",
    )
    ids = [step.id for step in lesson.steps]
    if state in ids and not file:
        progress.note(dict.fromkeys(ids[: ids.index(state) + 1], True))


def _say_written(lesson: Lesson, done: tuple[desk.Backup | None, list[str]], now: str) -> None:
    backup, changed = done
    if changed:
        progress.forget(step.id for step in lesson.steps)
    _say(now if changed else "Nothing to do: the files are like that already.")
    for path in changed:
        _say((f"  {path}", "dim"))
    if backup:
        _say()
        _say("What was there: ", (backup.folder.relative_to(ROOT).as_posix(), "cyan"))
        _say("To get it back: ", (f"workshop restore {backup.name}", "cyan"))


@app.command()
def restore(
    name: Annotated[
        str, typer.Argument(metavar="BACKUP", help="its name, or the beginning; without it the list")
    ] = "",
) -> None:
    """Bring back what a lesson's folder was before it was reset. What is there now is kept, too."""
    found = desk.backups()
    if not name:
        for backup in found:
            _say(f"  {backup.name}", (f"  {len(backup.files)} files", "dim"))
        _say("Bring one back with: workshop restore NAME" if found else "No backups yet.")
        return
    chosen = [backup for backup in found if backup.name.startswith(name)]
    if len(chosen) != 1:
        what = "no backup is" if not chosen else "several backups are"
        raise Refused(f"{what} called {name!r}. workshop restore shows them all")
    lesson = next(lesson for lesson in all_lessons() if lesson.name == chosen[0].lesson)
    _say_written(
        lesson, desk.put(lesson, chosen[0].files), f"lessons/{lesson.name} is as it was in {chosen[0].name}."
    )


# For the class


@app.command()
def live(
    what: Annotated[str, typer.Argument(metavar="LESSON|STEP", help="04, or 4.3 to begin there")],
    here: Annotated[bool, typer.Option("--here", help="type into lessons/, not into a scratch copy")] = False,
) -> None:
    """Play a lesson for a class: each piece of code with its why, notes, checks, SQL and the clock."""
    from workshop.live import Live

    lesson, step = _lesson_and_step(what)
    if lesson.task:
        raise Refused("a task is done from an empty folder, and its solution isn't cut into pieces")
    raise typer.Exit(Live(lesson, step or lesson.steps[0], here, console).run())


# Running the app


@app.command()
def run(
    name: LessonName = "",
    db: Annotated[str, typer.Option(help="sqlite or postgres")] = "sqlite",
    fresh: Annotated[bool, typer.Option("--fresh", help="begin with an empty database")] = False,
    port: Annotated[int, typer.Option(help="the first port to try")] = 8000,
) -> None:
    """Serve a lesson's app with uvicorn, and start it anew whenever a file is saved. Ctrl-C ends it."""
    from workshop import serve

    lesson = _with_steps(find_lesson(name)) if name else _next_step()[0]
    raise typer.Exit(serve.run(lesson, db, fresh, port, _say))


# The computer


@app.command()
def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="print the findings as JSON, for a program")
    ] = False,
) -> None:
    """Look whether this computer has all that the course needs, and say how to mend what it lacks."""
    from workshop.doctor import examine

    findings = list(examine(_notice))
    if as_json:
        import json

        print(json.dumps([vars(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            _say(("  ✓ ", "green") if finding.ok else ("  ✗ ", "red"), f"{finding.what:<12} {finding.found}")
            if not finding.ok:
                _say((f"    {'':<12} {finding.mend}", "yellow"))
    raise typer.Exit(int(not all(finding.ok for finding in findings)))


@app.command()
def update() -> None:
    """Fetch the newest version of the course. Files that you have changed stay as they are."""
    from workshop.update import update as fetch

    raise typer.Exit(fetch(_say))


# The database


@database.callback(invoke_without_command=True)
def db(context: typer.Context) -> None:
    """Tell whether the server runs, and where."""
    if context.invoked_subcommand is None:
        url = re.sub(r"://([^:@/]*):[^@]*@", r"://\1:***@", postgres.running_url() or "")
        _say(f"PostgreSQL runs: {url}" if url else "PostgreSQL doesn't run. It starts when a check needs it.")


@database.command("url")
def db_url() -> None:
    """Print the server's URL, and start the server if need be. Nothing else is printed."""
    print(postgres.server_url(_notice))


@database.command("psql", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def db_psql(context: typer.Context) -> None:
    """Open psql on the server, and start the server if need be. Further arguments go to psql."""
    raise typer.Exit(subprocess.call([str(_psql()), "-d", postgres.server_url(_notice), *context.args]))


@database.command("bin")
def db_bin() -> None:
    """Print the folder of PostgreSQL's programs, such as pg_dump. Nothing else is printed."""
    print(_psql().parent)


@database.command("sql")
def db_sql(file: Annotated[Path, typer.Argument(metavar="FILE", help="a file of SQL statements")]) -> None:
    """Run a file of SQL on the server with psql, up to the first statement that fails."""
    program, url = str(_psql()), postgres.server_url(_notice)
    raise typer.Exit(subprocess.call([program, "-v", "ON_ERROR_STOP=1", "-f", str(file), "-d", url]))


@database.command("stop")
def db_stop() -> None:
    """Stop the server. It stops by itself when nobody has used it for a while."""
    _say("Stopped." if postgres.stop() else "It wasn't running.")


def _psql() -> Path:
    program = postgres.psql()
    if program is None:
        raise postgres.ServerError("There is no psql here. Its place is beside the pip-installed server.")
    return program


def _notice(text: str) -> None:
    print(to_encoding(text, sys.stderr.encoding), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
