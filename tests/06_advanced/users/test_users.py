"""Lesson 6, steps 6.5 to 6.10: users in pages, many at once, and gone without being lost."""

import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa

from workshop.checks import Answer, Apps, Both, explained, step
from workshop.compare import show

PASSWORD = "correct horse"
BEFORE = "0006"  # the migration that the starter ends with
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :times)"
MOST_STATEMENTS = 10
PAGE_STATEMENTS = 3
NOT_A_STATEMENT = re.compile(r"\s*(begin|commit|rollback|savepoint|release)\b", re.IGNORECASE)
BULK, DEACTIVATE = "/users/bulk-create", "/users/bulk-deactivate"
OF_THE_DATABASE = ("[SQL", "[parameters", "INSERT INTO", "UNIQUE constraint", "duplicate key", "$argon2")
STAFF_ONLY = (
    "The route is for the staff: without a log-in it is 401, for anybody else 403. Staff, from step 6.2."
)
BEFORE_THE_ID = (
    "Is it 422? FastAPI takes the first route that fits. Below /users/{user_id}, this path never gets its "
    "turn: its last word is taken for an id."
)


def person(name: str, **more: Any) -> dict[str, Any]:
    """What a user signs up with."""
    return {"username": name, "email": f"{name}@example.com", "password": PASSWORD} | more


def as_user(name: str, password: str = PASSWORD) -> tuple[str, str]:
    """The log-in of a user who signed up."""
    return name, password


def sign_up(apps: Apps, *names: str) -> list[Both]:
    """Let users sign up; returns their ids."""
    return [apps.post("/users", json=person(name), status_only=True)["id"] for name in names]


def sign_up_boss(apps: Apps) -> tuple[str, str]:
    """A user who belongs to the staff; returns the log-in."""
    sign_up(apps, "boss")
    apps.sql("UPDATE users SET is_staff = true WHERE username = 'boss'")
    return as_user("boss")


def add_users(apps: Apps, *names: str, **columns: Any) -> list[Both]:
    """Insert users as another program would; returns their ids."""
    more = "".join(f", {column}" for column in columns)
    given = "".join(f", {value}" for value in columns.values())
    values = ", ".join(f"('{name}', '{name}@example.com', '-', '{name}'{given})" for name in names)
    rows = apps.sql(
        f"INSERT INTO users (username, email, password_hash, display_name{more}) VALUES {values}"
        " RETURNING id",
        why="An INSERT of another program leaves out what it doesn't know: that needs a server default.",
    )
    return [rows[number]["id"] for number in range(len(names))]


def add_crowd(apps: Apps, times: int) -> None:
    """Insert many users, whose names run backwards, and let the database move some of them about."""
    apps.sql(
        f"{NUMBERS} INSERT INTO users (username, email, password_hash, display_name, age)"
        " SELECT 'reader' || (900 - i), 'reader' || i || '@example.com', '-', 'A reader', 20 + i % 7 FROM n",
        times=times,
    )
    apps.sql("UPDATE users SET display_name = 'Moved' WHERE id % 3 = 1")


def add_post(apps: Apps, owner: Both, title: str) -> None:
    """Insert a post as another program would."""
    apps.sql(
        "INSERT INTO posts (title, content, owner_id) VALUES (:title, '-', :owner)", title=title, owner=owner
    )


def problem_with(apps: Apps, statement: str) -> str:
    """Why the learner's database refuses the statement; '' if it doesn't."""
    try:
        with apps.yours.connection() as connection:
            connection.execute(sa.text(statement))
    except sa.exc.DBAPIError as error:
        return str(error.orig).splitlines()[0]
    return ""


def expect_same(apps: Apps, asked: str, expected: object, yours: object, why: str) -> None:
    """Two plain values are equal."""
    apps.expect(expected == yours, asked, expected=show(expected), yours=show(yours), why=why)


def counted(statements: Iterable[str]) -> list[str]:
    """The statements without those that begin and end transactions."""
    return [one for one in statements if not NOT_A_STATEMENT.match(one)]


def expect_few(apps: Apps, what: str, statements: Sequence[str], why: str) -> None:
    """A request with many rows has sent few statements."""
    sent = counted(statements)
    apps.expect(
        len(sent) <= MOST_STATEMENTS,
        f"The SQL of {what}",
        expected=f"{MOST_STATEMENTS} statements at most",
        yours=f"{len(sent)} statements",
        why=why,
        statements=sent,
    )


# 6.5


@step("6.5")
def test_users_have_an_age_and_are_active(apps: Apps) -> None:
    """Users may tell their age, and are active; the database knows the limits, too."""
    shown = (
        "UserOut shows age and is_active, and what was sent as age is stored, also 0 and 150. Nothing "
        "or null is null."
    )
    for name, more in (("baby", {"age": 0}), ("old", {"age": 150}), ("who", {}), ("nil", {"age": None})):
        made = apps.post("/users", json=person(name, **more), why=shown)
        apps.get("/users/{}", made["id"], why=shown)
    for age in (-1, 151):
        apps.post("/users", json=person("zeno", age=age), why="UserCreate takes an age from 0 to 150.")
    add_users(apps, "bob")
    apps.same_rows(
        "SELECT username, age, is_active FROM users",
        why="A user who is inserted without a word about it is active: a server default, not one of Python.",
    )
    apps.same_schema(
        "users.age",
        "users.is_active",
        parts=["type", "nullable"],
        why="age may be empty, is_active never is.",
    )
    for age in (-1, 151):
        apps.expect(
            problem_with(apps, f"UPDATE users SET age = {age}") != "",
            f"UPDATE users SET age = {age}",
            expected="the database refuses it",
            yours="it is stored",
            why="A form protects one way in. A CHECK in the table (and in its migration) protects all.",
        )


@step("6.5")
def test_who_was_deactivated_is_out(apps: Apps) -> None:
    """GET /users/active answers a page of active users, and who was deactivated can't log in."""
    _, bob_id, _ = sign_up(apps, "zoe", "bob", "ann")
    bob = as_user("bob")
    apps.get("/users/me", auth=bob, status_only=True)
    apps.sql("UPDATE users SET is_active = false WHERE username = 'bob'")
    apps.sql("UPDATE users SET status = 'banned' WHERE username = 'zoe'")
    active = f"Whose is_active is true, whatever their status, in the order of their ids. {BEFORE_THE_ID}"
    apps.get("/users/active", ordered=True, why=active)
    apps.get("/users/{}", bob_id, why="Who isn't active is missing among the active users, and nowhere else.")
    banned = "zoe is active and banned. Who is banned can't log in, as before."
    apps.get("/users/me", auth=as_user("zoe"), status_only=True, why=banned)
    out = "bob was deactivated: log-in looks at is_active, and answers 401."
    apps.get("/users/me", auth=bob, status_only=True, why=out)
    apps.get("/users/me", auth=as_user("ann"), status_only=True, why="ann is active.")
    add_crowd(apps, 12)
    add_users(apps, "carl", is_active="false")
    page = "The query takes skip (0) and limit (10, at most 100), as the other lists do, and sorts by id."
    for query in ({}, {"skip": 1, "limit": 2}, {"limit": 100}, {"limit": 0}, {"limit": 101}, {"skip": -1}):
        apps.get("/users/active", params=query, ordered=True, why=page)


def fill_from_the_starters_tables(apps: Apps) -> None:
    """Go back to the starter's tables, fill them, and run the learner's migrations on the rows."""
    apps.stop()
    yours = apps.yours
    with explained("downgrade() undoes what upgrade() did, in the opposite order."):
        yours.run("alembic", "downgrade", BEFORE)
    yours.sql(
        "INSERT INTO users (username, email, password_hash, display_name)"
        " VALUES ('ann', 'ann@x.com', '-', 'Ann'), ('bob', 'bob@x.com', '-', 'Bob')"
    )
    yours.sql("INSERT INTO posts (title, content, owner_id) SELECT username || ' writes', '-', id FROM users")
    with explained(
        "Is a column there already, or twice? Then downgrade() has left it. Else: the tables hold rows when "
        "your migration runs, and a column that is never empty needs a server default."
    ):
        yours.run("alembic", "upgrade", "head")


def expect_kept(apps: Apps, columns: str, values: Sequence[Any]) -> None:
    """The two users are there after the migrations, with these values in new columns, and with the posts."""
    rows = apps.yours.sql(
        f"SELECT username, email, title, {columns} FROM users JOIN posts ON owner_id = users.id"
    )
    found = sorted([str(row["username"]), *list(row.values())[3:]] for row in rows)
    expect_same(
        apps,
        f"alembic downgrade {BEFORE}, two users with a post each, alembic upgrade head, then {columns}",
        [[name, *values] for name in ("ann", "bob")],
        [[name, *map(_truth, row, values)] for name, *row in found],
        "Whoever is there stays, with the posts; is active, of unknown age, and isn't deleted.",
    )


def _truth(value: Any, expected: Any) -> Any:
    """SQLite's 0 and 1 are false and true, where one of them is expected."""
    return bool(value) if isinstance(value, int) and isinstance(expected, bool) else value


@step("6.5")
def test_the_migration_keeps_everyone(apps: Apps) -> None:
    """The migrations run on a table with rows: everyone is kept, active, and of unknown age."""
    fill_from_the_starters_tables(apps)
    expect_kept(apps, "age, is_active", [None, True])


# 6.6


@step("6.6")
def test_users_come_in_pages(apps: Apps) -> None:
    """GET /users answers a page in the order of the ids, and the total, in few statements."""
    add_users(apps, "zoe")
    with apps.yours.recorded() as few:
        apps.get("/users", why="An object with total, skip, limit and users. Without a filter, of everybody.")
    add_crowd(apps, 64)
    order = (
        "total counts all users that fit, not those on the page. Without ORDER BY id the database may answer "
        "in another order for each page, and it does when rows were changed."
    )
    for query in ({}, {"skip": 10}, {"skip": 60, "limit": 10}, {"skip": 500}, {"limit": 100}):
        apps.get("/users", params=query, ordered=True, why=order)
    apps.get(f"/users?skip={2**31 - 1}", why="A page beyond the end is empty.")
    with apps.yours.recorded() as many:
        apps.get("/users?skip=20&limit=20", ordered=True, why=order)
    _expect_counted_by_the_database(apps, counted(few), counted(many))
    limits = "skip is from 0 to 2147483647, limit from 1 to 100. Beyond that it is 422, and never a 500."
    for query in ({"skip": -1}, {"skip": 10**20}, {"limit": 0}, {"limit": 101}):
        apps.get("/users", params=query, why=limits)


def _expect_counted_by_the_database(apps: Apps, few: Sequence[str], many: Sequence[str]) -> None:
    """With one user and with many: the same few statements, none of which reads the whole table."""
    apps.expect(
        len(few) == len(many) <= PAGE_STATEMENTS,
        "The SQL of GET /users with one user, and with many",
        expected=f"the same number of statements, {PAGE_STATEMENTS} at most",
        yours=f"{len(few)} with one, {len(many)} with many",
        why="One statement counts, one reads the page.",
        statements=many,
    )
    whole = [one for one in many if not re.search(r"\b(limit|fetch|count|row_number)\b", one, re.IGNORECASE)]
    apps.expect(
        not [one for one in whole if re.search(r"\busers\b", one)],
        "The SQL of GET /users",
        expected="statements that count, or that have a LIMIT",
        yours="a statement that reads all users",
        why="The database counts and cuts. A list that is cut in Python was fetched whole.",
        statements=whole,
    )


@step("6.6")
def test_users_are_filtered(apps: Apps) -> None:
    """min_age, max_age and active_only choose the users of the page and of the total alike."""
    for name, age in (("zoe", 66), ("baby", 0), ("ann", 17), ("bob", 18), ("carl", 40), ("dora", 65)):
        add_users(apps, name, age=age)
    add_users(apps, "unknown")
    add_users(apps, "gone", age=40, is_active="false")
    why = "Each filter narrows the page and the total alike. 0 is an age, too, and no age is no age."
    for query in (
        {"min_age": 18},
        {"max_age": 65},
        {"min_age": 18, "max_age": 65},
        {"min_age": 40, "max_age": 40},
        {"min_age": 0},
        {"max_age": 0},
        {"active_only": "true"},
        {"active_only": "false"},
        {"active_only": "true", "min_age": 18, "max_age": 65, "skip": 1, "limit": 1},
        {"min_age": 101},
    ):
        apps.get("/users", params=query, ordered=True, why=why)
    faults = "Ages are from 0 to 150, and min_age isn't above max_age. Else it is 422, no empty list."
    for query in ({"min_age": 66, "max_age": 18}, {"min_age": -1}, {"max_age": 151}, {"min_age": "old"}):
        apps.get("/users", params=query, why=faults)


# 6.7


def crowd(count: int) -> list[dict[str, Any]]:
    """So many users to create at once; every second one tells an age."""
    return [person(f"reader{n}", **({"age": 20 + n % 50} if n % 2 else {})) for n in range(count)]


def bulk(apps: Apps, boss: tuple[str, str], many: Any, asked: str, why: str, status: int = 201) -> Answer:
    """Send many users to the learner's app; the answer has this status."""
    answer = apps.yours.post(BULK, json=many, auth=boss, timeout=15)
    yours = f"{answer.status}  {answer.error or _detail(answer)}".strip()
    apps.expect(answer.status == status, asked, expected=status, yours=yours, why=why)
    return answer


def _detail(answer: Answer) -> str:
    return show(answer.body.get("detail", "")) if isinstance(answer.body, dict) else ""


def expect_names(apps: Apps, asked: str, names: Sequence[str], why: str) -> None:
    """These users, and no others, are in the learner's table."""
    found = sorted(row["username"] for row in apps.yours.sql("SELECT username FROM users"))
    expect_same(apps, f"{asked}, then the users in the table", sorted(names), found, why)


def _expect_all_to_be_created(apps: Apps, boss: tuple[str, str]) -> None:
    """All users are stored and answered in order, each with a password and an id of their own."""
    many = [
        person("zoe", age=40, password="zoe's password"),
        person("Ann", email="ANN@example.com", display_name="A.", password="ann's password"),
        person("mia", password="mia's password"),
    ]
    asked = f"POST {BULK} with zoe, Ann and mia"
    made = apps.post(BULK, json=many, auth=boss, status_only=True, why="201. The body is the list itself.")
    answer = "The answer is an object with message and users: what was created, in the order that was sent."
    body = made.yours if isinstance(made.yours, dict) else {}
    users = body.get("users") if isinstance(body.get("users"), list) else []
    names = [user.get("username") for user in users or [] if isinstance(user, dict)]
    expect_same(apps, f"{asked}, then the usernames in the answer", ["zoe", "Ann", "mia"], names, answer)
    expect_same(apps, asked, True, isinstance(body.get("message"), str), "message is a text.")
    secret = "A UserOut shows no password and no hash, and neither does a list of them."
    expect_same(apps, asked, [], [key for user in users or [] for key in user if "passw" in key], secret)
    ids = [
        Both(one["id"], other.get("id"))
        for one, other in zip(made.expected["users"], users or [], strict=False)
    ]
    for number, user_id in enumerate(ids):
        apps.get("/users/{}", user_id, why=f"{answer} This is the id of {names[number]}.")
    login = "Each user can log in with the password that was sent: it is hashed, as in POST /users."
    apps.get("/users/me", auth=as_user("Ann", "ann's password"), why=login)
    apps.get("/users/me", auth=as_user("Ann", "zoe's password"), status_only=True, why=login)
    apps.same_rows("SELECT username, email, display_name, age, is_active, is_staff FROM users", why=answer)


@step("6.7")
def test_all_or_nothing(apps: Apps) -> None:
    """POST /users/bulk-create stores all users, in order, or none; then it says which one is wrong."""
    boss = sign_up_boss(apps)
    _expect_all_to_be_created(apps, boss)
    add_users(apps, "quentin")
    before = ["Ann", "boss", "mia", "quentin", "zoe"]
    zeno, yuri, xaver, wanda = (
        person(name, email=f"{number}@example.org", password=f"secret of {name}")
        for number, name in enumerate(("zeno", "yuri", "xaver", "wanda"))
    )
    cases: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
        "whose username is taken": (zeno, yuri | {"username": "quentin"}, "quentin"),
        "whose email is taken": (zeno, yuri | {"email": "Quentin@Example.com"}, "yuri"),
        "with the username of the one before": (zeno, yuri | {"username": "zeno"}, "zeno"),
        "with the email of the one before": (zeno, yuri | {"email": zeno["email"].upper()}, "yuri"),
    }
    for what, (first, second, name) in cases.items():
        many = [first, second, xaver, wanda]
        asked = f"POST {BULK} with four users, the second {what}"
        answer = bulk(apps, boss, many, asked, "A name that isn't free is 409, one or many.", status=409)
        _expect_a_clear_error(apps, asked, answer, name, many)
        stored = "All or nothing: one transaction. What comes before the fault isn't stored either."
        expect_names(apps, asked, before, stored)
    asked = f"POST {BULK} with an age of 200 in the third user"
    answer = bulk(apps, boss, [zeno, yuri, xaver | {"age": 200}], asked, "As in POST /users.", status=422)
    expect_same(apps, asked, False, xaver["password"] in str(answer.body), "No answer shows a password.")
    expect_names(apps, asked, before, "Nothing is stored.")


def _expect_a_clear_error(apps: Apps, asked: str, answer: Answer, name: str, many: Sequence[Any]) -> None:
    """The answer names the user who can't be stored; no other user, no SQL and no password."""
    said = answer.body if isinstance(answer.body, str) else json.dumps(answer.body, ensure_ascii=False)
    _expect_own_words(apps, asked, said, [user["password"] for user in many])
    others = [user["username"] for user in many if user["username"] != name]
    apps.expect(
        name in said and not [one for one in others if one in said],
        asked,
        expected=f"an answer that contains the username of this user, {name}, and not of {', '.join(others)}",
        yours=said,
        why="Whoever sends a thousand users has to know which of them to mend, and which not. Compare the "
        "names with each other and with the table, before the INSERT: its error tells no row.",
    )


def _expect_own_words(apps: Apps, asked: str, said: str, passwords: Sequence[str] = ()) -> None:
    """The answer holds no SQL, nothing of the database's error and no password."""
    leaks = [one for one in (*OF_THE_DATABASE, *passwords) if one in said]
    apps.expect(
        not leaks,
        asked,
        expected="an answer in your own words",
        yours=f"the answer holds {show(leaks[0])}" if leaks else "",
        why="No answer shows a password or a hash. The text of a database error holds the statement and all "
        "its values: it belongs into the log, and the client gets a sentence of yours.",
    )


@step("6.7")
def test_many_cost_no_more_statements_than_few(apps: Apps) -> None:
    """A thousand users are stored with a few statements, by the staff alone, and no more than a thousand."""
    boss = sign_up_boss(apps)
    sign_up(apps, "ann")
    for auth in (None, as_user("ann")):
        apps.post(BULK, json=crowd(2), auth=auth, status_only=True, why=STAFF_ONLY)
    limits = "From 1 to 1000 users at once; Body(min_length=..., max_length=...). Beyond that it is 422."
    for many in ([], crowd(1001)):
        bulk(apps, boss, many, f"POST {BULK} with {len(many)} users", limits, status=422)
    why = (
        "One INSERT can store all rows: insert(User).returning(User). On SQLite, add_all inserts one by one. "
        "Rows with an age and rows without go into one statement with execution_options(render_nulls=True)."
    )
    with apps.yours.recorded() as statements:
        bulk(apps, boss, crowd(1000), f"POST {BULK} with 1000 users", limits)
    expect_few(apps, f"POST {BULK} with 1000 users", statements, why)
    expected = ["ann", "boss", *(one["username"] for one in crowd(1000))]
    expect_names(apps, f"POST {BULK} with 1000 users", expected, "All of them are stored.")


def let_changes_meet(database: Any, verb: str) -> None:
    """Hold each change of users until another request is about to send one."""
    import re
    import threading
    from contextlib import suppress

    from sqlalchemy import event

    meeting = threading.Barrier(2)

    @event.listens_for(database.engine, "before_cursor_execute")
    def wait_for_another(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if re.match(rf'\s*{verb}\s+"?users\b', statement, re.IGNORECASE):
            with suppress(threading.BrokenBarrierError):  # the other one doesn't come: they take turns
                meeting.wait(0.5)


@step("6.7")
def test_two_lists_at_once(apps: Apps) -> None:
    """Of two requests at once with the same user, one stores all of its users and the other none."""
    boss = sign_up_boss(apps)
    lists = [[person("zoe"), person(f"only{number}")] for number in (1, 2)]
    apps.yours.probe(let_changes_meet, "database", verb="insert into")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda many: apps.yours.post(BULK, json=many, auth=boss, timeout=15), lists))
    statuses = [answer.status for answer in answers]
    asked = f"POST {BULK}, twice at once, with zoe in both lists"
    refused = {409, 503} if apps.database == "sqlite" else {409}
    apps.expect(
        statuses.count(201) == 1 and set(statuses) - {201} <= refused,
        asked,
        expected="once 201, once 409",
        yours=" and ".join(f"{answer.status} {answer.error}".strip() for answer in answers),
        why="Both may look before one of them stores. The look is for the message; the unique rule of the "
        "table decides, and its IntegrityError is 409, too.",
    )
    _expect_own_words(apps, asked, json.dumps([answer.body for answer in answers if answer.status != 201]))
    stored = statuses.index(201) + 1
    expect_names(apps, asked, ["boss", "zoe", f"only{stored}"], "Who got 409 has stored nothing.")


# 6.8


def deactivate(apps: Apps, boss: tuple[str, str], ids: Sequence[Both], *unknown: int) -> None:
    """Deactivate these users and compare affected_ids and unknown_ids of the answers."""
    sent = [*ids, *unknown]
    why = (
        "affected_ids are those who were active and aren't any more, unknown_ids those who are nobody, which "
        "is no error; each id once. Who was inactive before is in neither. UPDATE ... RETURNING tells what "
        "it changed."
    )
    made = apps.put(DEACTIVATE, json=sent, auth=boss, status_only=True, why=why)
    mine = {one.expected: one.yours for one in ids}
    asked = f"PUT {DEACTIVATE} {show([Both.side(one, 'yours') for one in sent])}"
    for name in ("affected_ids", "unknown_ids"):
        expected = sorted(mine.get(one, one) for one in made.expected[name])
        expect_same(apps, f"{asked}, {name}", expected, _numbers(made.yours, name), why)


def _numbers(body: Any, name: str) -> Any:
    """The numbers of a list, sorted; what is no such list as it is."""
    found = body.get(name, "no such field") if isinstance(body, dict) else body
    is_list = isinstance(found, list) and all(isinstance(one, int) for one in found)
    return sorted(found) if is_list else found


@step("6.8")
def test_many_users_are_deactivated(apps: Apps) -> None:
    """PUT /users/bulk-deactivate tells whom it really changed, and who doesn't exist."""
    boss = sign_up_boss(apps)
    ann, bob, cleo, dora = add_users(apps, "ann", "bob", "cleo", "dora")
    (inactive,) = add_users(apps, "carl", is_active="false")
    for auth in (None, as_user("boss", "not the password")):
        apps.put(DEACTIVATE, json=[ann], auth=auth, status_only=True, why=STAFF_ONLY)
    sign_up(apps, "eve")
    apps.put(DEACTIVATE, json=[ann], auth=as_user("eve"), status_only=True, why=STAFF_ONLY)
    apps.same_rows("SELECT username, is_active, status FROM users", why="Nobody has allowed anything yet.")
    deactivate(apps, boss, [bob, ann, inactive, bob, cleo], 4711, 99999, 4711)
    rows = "Those who were named are inactive, and nobody else. Their status (the ban) is something else."
    apps.same_rows("SELECT username, is_active, status FROM users", why=rows)
    deactivate(apps, boss, [ann, dora], 4711)
    deactivate(apps, boss, [ann, dora])
    deactivate(apps, boss, [], 4711)
    apps.same_rows("SELECT username, is_active, status FROM users", why=rows)
    limits = "From 1 to 1000 ids at once, each an id that the database can hold: else 422."
    for ids in ([], [0], [3_000_000_000], list(range(1, 1002))):
        asked = f"PUT {DEACTIVATE} {show(ids)}"
        answer = apps.yours.put(DEACTIVATE, json=ids, auth=boss)
        yours = f"{answer.status}  {answer.error}".strip()
        apps.expect(answer.status == 422, asked, expected=422, yours=yours, why=limits)
    refused = "A request that is refused changes nothing."
    apps.same_rows("SELECT username, is_active, status FROM users", why=refused)
    _expect_few_for_many(apps, boss)


def _expect_few_for_many(apps: Apps, boss: tuple[str, str]) -> None:
    add_crowd(apps, 200)
    crowd_ids = [row["id"] for row in apps.yours.sql("SELECT id FROM users WHERE username LIKE 'reader%'")]
    with apps.yours.recorded() as statements:
        answer = apps.yours.put(DEACTIVATE, json=crowd_ids, auth=boss)
    what = f"PUT {DEACTIVATE} with 200 ids"
    found = _numbers(answer.body, "affected_ids")
    expect_same(apps, f"{what}, affected_ids", sorted(crowd_ids), found, "All of them were active.")
    expect_few(apps, what, statements, "One UPDATE with IN changes all rows; a loop sends one for each.")


@step("6.8", databases=["postgresql"])
def test_each_is_deactivated_once(apps: Apps) -> None:
    """Of two requests at once, only the one that changed a user reports that user."""
    boss = sign_up_boss(apps)
    ids = [one.yours for one in add_users(apps, "ann", "bob")]
    apps.yours.probe(let_changes_meet, "database", verb="update")
    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(apps.yours.put, DEACTIVATE, json=ids, auth=boss, timeout=15) for _ in range(2)]
    answers = [one.result() for one in sent]
    asked = f"PUT {DEACTIVATE} {show(ids)}, twice at once"
    statuses = [answer.status for answer in answers]
    expect_same(apps, asked, [200, 200], statuses, "Both requests are right; the second finds nothing to do.")
    affected = [one for answer in answers for one in _numbers(answer.body, "affected_ids")]
    expect_same(
        apps,
        f"{asked}, affected_ids of both",
        sorted(ids),
        sorted(affected),
        "Both looked who is active, then both changed them, and both report them. UPDATE ... WHERE is_active "
        "RETURNING id looks and changes in one statement.",
    )


# 6.9

HIDDEN = "Who was deleted is hidden everywhere: in lists, totals, by id, and with the posts."


@step("6.9")
def test_who_was_deleted_is_hidden_everywhere(apps: Apps) -> None:
    """After DELETE a user is in no list, no total and no answer, and can't log in."""
    boss = sign_up_boss(apps)
    ann, bob, cleo = sign_up(apps, "ann", "bob", "cleo")
    for owner, title in ((ann, "Of ann"), (bob, "Of bob"), (cleo, "Of cleo")):
        add_post(apps, owner, title)
    may = "Users delete themselves; the staff deletes anybody. Else it is 403, and 401 without a log-in."
    for path in ("/users/{}", "/users/{}/soft-delete"):
        apps.delete(path, ann, status_only=True, why=may)
        apps.delete(path, ann, auth=as_user("bob"), status_only=True, why=may)
    apps.get("/users", ordered=True, why="Nobody has been deleted yet.")
    apps.delete("/users/{}", ann, auth=as_user("ann"), status_only=True, why=may)
    apps.delete("/users/{}/soft-delete", cleo, auth=boss, status_only=True, why=f"200. {may}")
    for gone in (ann, cleo):
        apps.get("/users/{}", gone, why=HIDDEN)
        apps.get("/users/{}/posts", gone, why=HIDDEN)
    (dora,) = add_users(apps, "dora", is_active="false")
    add_post(apps, dora, "Of dora")
    page = f"{HIDDEN} The query leaves them out, so a page is full. dora isn't deleted: she isn't active."
    lists = ("/users?limit=3", "/users?active_only=true&limit=1", "/users/active?limit=2")
    for path in (*lists, "/users-with-posts?limit=3", "/posts?limit=2"):
        apps.get(path, why=page)
    out = "Who was deleted can't log in: 401, as for a name that nobody has."
    for name in ("ann", "cleo"):
        apps.get("/users/me", auth=as_user(name), status_only=True, why=out)
    apps.get("/users/me", auth=as_user("bob"), status_only=True, why="bob is still there.")
    deactivate(apps, boss, [ann, cleo])


@step("6.9")
def test_who_was_deleted_is_kept(apps: Apps) -> None:
    """The rows stay, with the time of the deletion; to delete again is no error and changes no time."""
    boss = sign_up_boss(apps)
    ann, bob = sign_up(apps, "ann", "bob")
    add_post(apps, ann, "Of ann")
    apps.delete("/users/{}", ann, auth=as_user("ann"), status_only=True)
    apps.same_schema(
        "users.deleted_at",
        parts=["type", "nullable"],
        why="deleted_at is a time with a time zone, and empty for those who are there.",
    )
    add_users(apps, "carl")
    apps.same_rows(
        "SELECT username, deleted_at IS NOT NULL AS is_deleted FROM users",
        why="A deleted user keeps the row, with the time in deleted_at. For the others it is empty.",
    )
    apps.same_rows("SELECT title FROM posts", why="The posts stay in their table, hidden.")
    age = (
        "julianday('now') - julianday(deleted_at)"
        if apps.database == "sqlite"
        else "EXTRACT(EPOCH FROM now() - deleted_at) / 86400"
    )
    (row,) = apps.yours.sql(f"SELECT {age} AS days, deleted_at FROM users WHERE username = 'ann'")
    apps.expect(
        row["days"] is not None and abs(float(row["days"])) < 0.02,
        "DELETE /users/{user_id}, then deleted_at",
        expected="the time of now, in UTC",
        yours=row["deleted_at"],
        why="func.now() in the UPDATE, or datetime.now(UTC).",
    )
    long_ago = "2020-02-02 12:00:00" + ("+00" if apps.database == "postgresql" else "")
    apps.sql(f"UPDATE users SET deleted_at = '{long_ago}' WHERE username = 'ann'")
    again = "To delete again is no error: the answer is the same, and the time of the first time stays."
    apps.delete("/users/{}", ann, auth=boss, status_only=True, why=again)
    apps.delete("/users/{}/soft-delete", ann, auth=boss, status_only=True, why=again)
    rows = apps.yours.sql("SELECT deleted_at FROM users WHERE username = 'ann'")
    years = [str(row["deleted_at"])[:4] for row in rows]
    expect_same(apps, "DELETE again, then deleted_at of the rows of ann", ["2020"], years, again)
    for path in ("/users/4711", "/users/4711/soft-delete"):
        apps.delete(path, auth=boss, status_only=True, why="Nobody has ever had this id: 404.")
    apps.delete("/users/{}/soft-delete", bob, auth=as_user("bob"), status_only=True, why=again)
    apps.same_rows("SELECT username, deleted_at IS NOT NULL AS is_deleted FROM users", why=again)


# 6.10


@step("6.10")
def test_a_name_can_be_taken_again(apps: Apps) -> None:
    """The username and the email of a deleted user are free, those of the others aren't."""
    boss = sign_up_boss(apps)
    ann, cleo = sign_up(apps, "ann", "cleo")
    for gone in (ann, cleo):
        apps.delete("/users/{}", gone, auth=boss, status_only=True)
    free = (
        "ann was deleted, so the name and the email are free. The unique rule holds for the rows whose "
        "deleted_at is NULL, and each database reads an argument of its own for that: postgresql_where, "
        "sqlite_where."
    )
    second = apps.post("/users", json=person("ann", password="another horse"), why=free)
    apps.get("/users/{}", second["id"], why="The second ann is a user like any other.")
    login = "There are two rows with this name now. Log-in takes the one who isn't deleted."
    apps.get("/users/me", auth=as_user("ann", "another horse"), status_only=True, why=login)
    apps.get("/users/me", auth=as_user("ann"), status_only=True, why=login)
    taken = "Among those who are there, usernames and emails are unique, as before: 409."
    for body in (
        person("ann", email="new@example.com"),
        person("anna", email="ann@example.com"),
        person("boss", email="boss2@example.com"),
    ):
        apps.post("/users", json=body, why=taken)
    apps.delete("/users/{}", second["id"], auth=as_user("ann", "another horse"), status_only=True)
    third = "A name may be deleted more than once, and taken again."
    apps.post("/users", json=person("ann"), why=third)
    bulk_free = "cleo was deleted. bulk-create may use the name, too: its look leaves out the deleted."
    made = apps.post(BULK, json=[person("cleo"), person("dora")], auth=boss, status_only=True, why=bulk_free)
    answered = "bulk-create answers with the new cleo, who is there, and not with the deleted one."
    apps.get("/users/{}", made["users"][0]["id"], why=answered)
    apps.get("/users", ordered=True, why=HIDDEN)
    apps.get("/users/{}", ann, why=HIDDEN)
    apps.same_rows("SELECT username, deleted_at IS NOT NULL AS is_deleted FROM users", why=third)


@step("6.10")
def test_the_database_knows_whose_name_it_is(apps: Apps) -> None:
    """The database itself refuses a second living user with a name or an email, and allows a deleted one."""
    columns = "INSERT INTO users (username, email, password_hash, display_name, deleted_at) VALUES "
    (ann,) = sign_up(apps, "ann")
    apps.sql("UPDATE users SET is_active = false")  # her name is still hers
    refused = {
        "a second ann": "('ann', 'ann2@example.com', '-', '-', NULL)",
        "a second ann@example.com": "('anna', 'ann@example.com', '-', '-', NULL)",
    }
    for what, values in refused.items():
        apps.expect(
            problem_with(apps, columns + values) != "",
            f"INSERT of {what}, while the first is inactive, and not deleted",
            expected="the database refuses it",
            yours="it is stored",
            why="Requests that come at once all look before one of them stores. Only a unique index keeps "
            "the rule: one for the username and one for the email, over the rows whose deleted_at is empty.",
        )
    boss = sign_up_boss(apps)
    apps.delete("/users/{}", ann, auth=boss, status_only=True)
    for what, values in refused.items():
        problem = problem_with(apps, columns + values)
        apps.expect(
            not problem,
            f"INSERT of {what}, after the first was deleted",
            expected="the database stores it",
            yours=problem,
            why="The index holds only the rows whose deleted_at is empty. The unique rule of before has to "
            "go, in the migration and in the model.",
        )


@step("6.10")
def test_the_migrations_fit_the_models(apps: Apps) -> None:
    """The migrations go down and up again on tables with rows, and alembic check finds nothing to do."""
    fill_from_the_starters_tables(apps)
    expect_kept(apps, "is_active, deleted_at", [True, None])
    with explained("Models and migrations say the same, also of defaults, of indexes and of what is gone."):
        apps.yours.run("alembic", "check")
