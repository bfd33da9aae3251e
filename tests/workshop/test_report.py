"""What a learner reads, as golden texts: the first thing to do on top, silence about what waits."""

import re
from collections.abc import Sequence

import pytest

from workshop.lessons import Lesson, Step, all_lessons
from workshop.report import Board, Line, as_text, outcome_text, to_encoding
from workshop.verdicts import BROKEN, FAILED, PASSED, WAITS, Finding, Frame, Outcome


def step(step_id: str, title: str, *needs: str) -> Step:
    return Step(step_id, title, 10, ("a nudge", "the answer"), needs)


LESSON = Lesson(
    "04_posts",
    "Posts",
    "Posts and their owners.",
    45,
    ("sqlite", "postgresql"),
    (
        step("4.1", "A post has an owner"),
        step("4.2", "The posts of a user", "4.1"),
        step("4.3", "Delete a user", "4.1"),
        step("4.4", "Delete a user's posts too", "4.3"),
        step("4.5", "Three statements, however many posts", "4.2"),
    ),
)
NEXT = Lesson("05_alembic", "Alembic", "Migrations.", 60)

NO_ATTRIBUTE = Finding(
    "server error",
    asked="GET /users/1/posts",
    expected="200",
    yours="500  AttributeError: 'User' object has no attribute 'posts'",
    frames=(Frame("main.py", 41, "read_posts", "return user.posts"),),
    why="A relationship gives the User its posts.",
)


def outcome(
    step_id: str,
    verdict: str = PASSED,
    finding: Finding | None = None,
    database: str = "sqlite",
    check: str = "test_it",
) -> Outcome:
    return Outcome(
        "04_posts", step_id, check, "The posts of a user are listed.", database, verdict, 0.1, finding
    )


def on_both(step_id: str, verdict: str = PASSED, finding: Finding | None = None) -> list[Outcome]:
    return [outcome(step_id, verdict, finding, database) for database in LESSON.databases]


def board(*outcomes: Sequence[Outcome], width: int = 80, folder: str = "lessons/04_posts") -> Board:
    found = Board(LESSON, folder, LESSON.databases, width)
    for one in (one for some in outcomes for one in some):
        found.add(one)
    return found


def lines(shown: Board, *, everything: bool = False) -> list[Line]:
    """What is shown of a whole run, as the pytest plugin puts it together."""
    found = [*shown.header()]
    for one in LESSON.steps:
        if one.id in shown.outcomes:
            found += shown.step_lines(one, everything=everything)
    return [*found, [], *shown.closing(1.25, NEXT)]


def screen(shown: Board, *, everything: bool = False) -> str:
    return as_text(lines(shown, everything=everything))


def test_a_lesson_that_is_done() -> None:
    assert (
        screen(board(*(on_both(one.id) for one in LESSON.steps)))
        == """\
lessons/04_posts · Posts · sqlite, postgresql

  ✓ 4.1  A post has an owner
  ✓ 4.2  The posts of a user
  ✓ 4.3  Delete a user
  ✓ 4.4  Delete a user's posts too
  ✓ 4.5  Three statements, however many posts

5 of 5 steps done · 1.2 s
Lesson 04 is done. Next: lessons/05_alembic/README.md"""
    )


def test_a_starter() -> None:
    """One step to do, told once though it fails on both databases; not a word about the others."""
    waiting = [on_both(one.id, WAITS) for one in LESSON.steps[1:]]
    assert (
        screen(board(on_both("4.1", FAILED, NO_ATTRIBUTE), *waiting))
        == """\
lessons/04_posts · Posts · sqlite, postgresql

  ✗ 4.1  A post has an owner
         The posts of a user are listed.  (sqlite, postgresql)
         GET /users/1/posts
           expected  200
           yours     500  AttributeError: 'User' object has no attribute 'posts'
                     main.py:41 in read_posts: return user.posts
         A relationship gives the User its posts.
         hint: workshop hint 4.1

  · 4 steps wait for 4.1

0 of 5 steps done · 1.2 s"""
    )


def test_only_the_first_failing_step_is_explained() -> None:
    shown = board(
        on_both("4.1"),
        on_both("4.2", FAILED, NO_ATTRIBUTE),
        on_both("4.3", FAILED, NO_ATTRIBUTE),
        on_both("4.4", WAITS),
        on_both("4.5", WAITS),
    )
    assert (
        screen(shown)
        == """\
lessons/04_posts · Posts · sqlite, postgresql

  ✓ 4.1  A post has an owner
  ✗ 4.2  The posts of a user
         The posts of a user are listed.  (sqlite, postgresql)
         GET /users/1/posts
           expected  200
           yours     500  AttributeError: 'User' object has no attribute 'posts'
                     main.py:41 in read_posts: return user.posts
         A relationship gives the User its posts.
         hint: workshop hint 4.2
  ✗ 4.3  Delete a user

  · 1 step waits for 4.3
  · 1 step waits for 4.2

1 of 5 steps done · 1.2 s"""
    )
    assert screen(shown, everything=True).count("main.py:41") == 2


def test_one_database_that_fails_is_named() -> None:
    shown = board([outcome("4.1"), outcome("4.1", FAILED, NO_ATTRIBUTE, "postgresql")])
    assert "The posts of a user are listed.  (postgresql)\n" in screen(shown)


def test_databases_that_fail_differently() -> None:
    """The first is told, the other is mentioned; -vv tells both."""
    other = Finding("difference", asked="GET /users/1/posts", where="[0].draft", expected="false", yours="0")
    shown = board([outcome("4.1", FAILED, NO_ATTRIBUTE), outcome("4.1", FAILED, other, "postgresql")])
    assert "The posts of a user are listed.  (sqlite; postgresql fails too)\n" in screen(shown)
    assert "[0].draft" not in screen(shown)
    everything = screen(shown, everything=True)
    assert "listed.  (sqlite)\n" in everything
    assert "listed.  (postgresql)\n" in everything
    assert "           [0].draft\n           expected  false\n           yours     0\n" in everything


def test_further_failing_checks_of_a_step_are_counted() -> None:
    checks = [outcome("4.1", FAILED, NO_ATTRIBUTE, check=name) for name in ("test_a", "test_b", "test_c")]
    assert "         2 more checks of this step will follow\n         hint:" in screen(board(checks))
    assert "         1 more check of this step will follow\n" in screen(board(checks[:2]))
    assert screen(board(checks), everything=True).count("GET /users/1/posts") == 3


def test_steps_that_were_chosen() -> None:
    assert screen(board(on_both("4.2"))).endswith("\n\n1 of 1 checked steps done · 1.2 s")


def test_a_lesson_on_one_database_doesnt_name_it_each_time() -> None:
    shown = Board(LESSON, "lessons/04_posts", ["sqlite"])
    shown.add(outcome("4.1", FAILED, NO_ATTRIBUTE))
    assert "\n         The posts of a user are listed.\n" in screen(shown)


def test_a_database_that_cannot_be_had() -> None:
    """It isn't the learner's fault: told once, no hint, and nothing waits for it."""
    finding = Finding(
        "unavailable", yours="PostgreSQL has no folder for its data. Set WORKSHOP_CACHE to one."
    )
    for_one = [
        [outcome(one.id), outcome(one.id, BROKEN, finding, "postgresql"), outcome(one.id, check="test_b")]
        for one in LESSON.steps[:3]
    ]
    assert (
        screen(board(*for_one, [outcome("4.4", FAILED, NO_ATTRIBUTE)]))
        == """\
lessons/04_posts · Posts · sqlite, postgresql

  ? 4.1  A post has an owner  not checked on postgresql
  ? 4.2  The posts of a user  not checked on postgresql
  ? 4.3  Delete a user  not checked on postgresql
  ✗ 4.4  Delete a user's posts too
         The posts of a user are listed.  (sqlite)
         GET /users/1/posts
           expected  200
           yours     500  AttributeError: 'User' object has no attribute 'posts'
                     main.py:41 in read_posts: return user.posts
         A relationship gives the User its posts.
         hint: workshop hint 4.4

  Not checked: PostgreSQL has no folder for its data. Set WORKSHOP_CACHE to one.

0 of 4 checked steps done · 1.2 s"""
    )


def test_a_check_that_is_broken_in_words() -> None:
    broken = outcome("4.1", BROKEN, Finding("broken check", yours="the check itself failed: KeyError: 'id'"))
    assert outcome_text(broken) == (
        "The posts of a user are listed.\n"
        "         The check could not run: the check itself failed: KeyError: 'id'"
    )


def test_several_lessons_are_named() -> None:
    shown = board(on_both("4.1"))
    assert as_text(shown.closing(1.0, named=True)) == "04_posts: 1 of 1 checked steps done · 1.0 s"


# Long values and strange ones

LONG = Finding(
    "difference",
    asked="POST /posts " + '{"title": "' + "Hello " * 100,
    where="posts[0]." + "x" * 200,
    expected="200  " + "lorem ipsum " * 100,
    yours="500  " + "x" * 1000 + "\nand a second line\n" * 20,
    frames=tuple(Frame("main.py", line, "read_posts", "return " + "x" * 300) for line in range(20)),
    why="Because. " * 200,
    statements=tuple(
        f"SELECT … FROM posts WHERE owner_id = {number}" + " AND x" * 50 for number in range(100)
    ),
    output="\n".join(f"line {number} " + "x" * 300 for number in range(8)),
)


@pytest.mark.parametrize("width", [20, 60, 80, 100, 300])
def test_long_values_are_cut(width: int) -> None:
    shown = as_text(lines(board(on_both("4.1", FAILED, LONG), width=width))).splitlines()
    assert max(map(len, shown)) <= max(60, min(width, 100))
    assert len(shown) <= 80
    assert sum("SELECT" in line for line in shown) <= 6
    assert any("… and 94 more" in line for line in shown)


def test_a_cut_value_ends_with_an_ellipsis() -> None:
    finding = Finding("difference", asked="GET /", expected="200", yours="lorem ipsum " * 100)
    shown = screen(board(on_both("4.1", FAILED, finding))).splitlines()
    yours = [line for line in shown if "lorem" in line]
    assert len(yours) == 5
    assert yours[0].startswith("           yours     lorem")
    assert yours[-1].endswith(" …")


def test_a_long_folder_is_cut_at_its_beginning() -> None:
    [header, _] = board(folder="/home/somebody/" + "very/" * 30 + "deep/04_posts").header()
    assert as_text([header]) == "…y/" + "very/" * 7 + "deep/04_posts · Posts · sqlite, postgresql"
    assert len(as_text([header])) == 80


def test_what_would_move_the_cursor_is_not_shown() -> None:
    evil = "\x1b[31mred\x1b[0m\ttab\x07\r\x1b[2Jend"
    finding = Finding("difference", asked=evil, where=evil, expected=evil, yours=evil, why=evil, output=evil)
    shown = screen(board([outcome("4.1", FAILED, finding)]))
    assert re.fullmatch(r"[ -~\n·✗✓…]*", shown)
    assert "red" in shown and "end" in shown


def test_every_title_fits_on_a_line() -> None:
    for lesson in all_lessons():
        for one in lesson.steps:
            assert len(f"  ✗ {one.id:<4} {one.title}") <= 80


def test_a_check_in_words() -> None:
    """What pytest's -v, JUnit's XML and an instructor see of one check."""
    assert (
        outcome_text(outcome("4.1", FAILED, NO_ATTRIBUTE))
        == """\
The posts of a user are listed.
         GET /users/1/posts
           expected  200
           yours     500  AttributeError: 'User' object has no attribute 'posts'
                     main.py:41 in read_posts: return user.posts
         A relationship gives the User its posts."""
    )


# Terminals


def test_symbols_fall_back_to_ascii() -> None:
    shown = board(on_both("4.1"), on_both("4.2", FAILED, NO_ATTRIBUTE), on_both("4.5", WAITS))
    assert (
        to_encoding(screen(shown), "ascii")
        == """\
lessons/04_posts - Posts - sqlite, postgresql

  + 4.1  A post has an owner
  x 4.2  The posts of a user
         The posts of a user are listed.  (sqlite, postgresql)
         GET /users/1/posts
           expected  200
           yours     500  AttributeError: 'User' object has no attribute 'posts'
                     main.py:41 in read_posts: return user.posts
         A relationship gives the User its posts.
         hint: workshop hint 4.2

  - 1 step waits for 4.2

1 of 3 checked steps done - 1.2 s"""
    )


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("✓ é", "utf-8", "✓ é"),
        ("✓ é", "cp1252", "+ é"),
        ("✓ é", "ascii", "+ ?"),
        ("é …", "cp1252", "é …"),
        ("✓ é", None, "+ ?"),
        ("✓ é", "no such encoding", "+ ?"),
        ("plain", "no such encoding", "plain"),
    ],
)
def test_letters_stay_where_the_terminal_knows_them(text: str, encoding: str | None, shown: str) -> None:
    assert to_encoding(text, encoding) == shown


def test_styles() -> None:
    """Colour says nothing that the text doesn't say too: green is done or expected, red is yours."""
    shown = board(on_both("4.1"), on_both("4.2", FAILED, NO_ATTRIBUTE))
    styled = {text.strip(): style for line in lines(shown) for text, style in line}
    assert styled["✓"] == styled["200"] == "good"
    assert styled["✗"] == styled["500  AttributeError: 'User' object has no attribute 'posts'"] == "bad"
    assert styled["The posts of a user"] == styled["lessons/04_posts · Posts"] == "bold"
    assert styled["expected"] == styled["yours"] == styled["· sqlite, postgresql"] == "dim"
    assert styled["1 of 2 checked steps done"] == "bad"
    assert set(styled.values()) == {"good", "bad", "bold", "dim", ""}
