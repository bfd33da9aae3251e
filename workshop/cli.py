"""The command `workshop`: where am I, what is next, and what helps."""

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from workshop import postgres, progress
from workshop.lessons import ROOT, Lesson, Step, UnknownLesson, all_lessons, find_step
from workshop.report import to_encoding

app = typer.Typer(add_completion=True, no_args_is_help=False, rich_markup_mode="markdown")
database = typer.Typer(no_args_is_help=False, help="The PostgreSQL server that came with the packages.")
app.add_typer(database, name="db")
console = Console(highlight=False, soft_wrap=True)  # a URL stays in one piece


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        code = app(standalone_mode=False)
    except (UnknownLesson, postgres.ServerError) as error:
        return _fail(str(error))
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
    done = {step for step, passed in progress.load()["done"].items() if passed}
    _say(("FastAPI and databases", "bold"))
    _say()
    upcoming: tuple[Lesson, Step] | None = None
    for lesson in all_lessons():
        left = [step for step in lesson.steps if step.id not in done]
        if left and upcoming is None:
            upcoming = lesson, left[0]
        _say_lesson(lesson, len(lesson.steps) - len(left), upcoming is not None and upcoming[0] == lesson)
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


def _say_next(lesson: Lesson, step: Step) -> None:
    _say("Next: ", (f"{step.id} {step.title}", "bold"), (f"  about {step.minutes} minutes", "dim"))
    _say()
    readme = (lesson.folder / "README.md").relative_to(ROOT).as_posix()
    for what, command in (
        ("read", readme),
        ("check", f"pytest lessons/{lesson.handle}"),
        ("hint", f"workshop hint {step.id}"),
    ):
        _say(f"  {what:<7}", (command, "cyan"))


# Help with a step


@app.command()
def hint(
    step_id: Annotated[
        str, typer.Argument(metavar="STEP", help="a step, such as 3.2; without it the next one")
    ] = "",
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
    if number < total:
        _say()
        _say(("The next hint: ", "dim"), f"workshop hint {step.id}")


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
    done = {step for step, passed in progress.load()["done"].items() if passed}
    for lesson in all_lessons():
        for step in lesson.steps:
            if step.id not in done:
                return lesson, step
    raise UnknownLesson("Every step is done.")


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
    program = postgres.psql()
    if program is None:
        raise postgres.ServerError("There is no psql here. Its place is beside the pip-installed server.")
    raise typer.Exit(subprocess.call([str(program), "-d", postgres.server_url(_notice), *context.args]))


@database.command("bin")
def db_bin() -> None:
    """Print the folder of PostgreSQL's programs, such as pg_dump. Nothing else is printed."""
    program = postgres.psql()
    if program is None:
        raise postgres.ServerError("There is no PostgreSQL here. Its programs come with the packages.")
    print(program.parent)


@database.command("stop")
def db_stop() -> None:
    """Stop the server. It stops by itself when nobody has used it for a while."""
    _say("Stopped." if postgres.stop() else "It wasn't running.")


def _notice(text: str) -> None:
    print(to_encoding(text, sys.stderr.encoding), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
