"""Lesson 6, steps 6.1 and 6.2: who is asking, and what they may do."""

import base64
from pathlib import Path
from typing import Any

from workshop.checks import Apps, Both, explained, step

PATH = "/users/me"
STARTERS = "0006"  # the migration that the starter ends with
FIXED_PATH_FIRST = (
    "GET /users/me must be declared above GET /users/{user_id}: the first route that fits a path answers, "
    "and {user_id} fits every word."
)
ONE_ANSWER = (
    "Without a name and password, with a wrong password, for a name that nobody has and for a user who "
    "isn't active, the answer is the same: 401."
)
SELF_OR_STAFF = (
    "A user may be deleted by nobody but this user and the staff. 401 says: I don't know who you are. "
    "403 says: I know you, and you may not."
)


WORDS = {"bob": "bob's word: it has a colon"}


def sign_up(apps: Apps, *names: str) -> list[Both]:
    """Create users over HTTP, each with the password that `as_` knows; returns their ids."""
    users = [
        {"username": name, "email": f"{name}@example.com", "password": as_(name)[1], "display_name": name}
        for name in names
    ]
    why = "POST /users is open to everyone, as before: somebody has to be the first."
    return [apps.post("/users", json=user, status_only=True, why=why)["id"] for user in users]


def as_(name: str) -> tuple[str, str]:
    """The user's name and password, for `auth`."""
    return name, WORDS.get(name, f"the word of {name}")


# 6.1


def _expect_unknown(apps: Apps, who: str, why: str = ONE_ANSWER, **sent: Any) -> None:
    """The request is answered with 401, and the answer says how to log in."""
    answer = apps.yours.get(PATH, **sent)
    apps.expect(
        answer.status == 401,
        f"GET {PATH} with {who}",
        expected=401,
        yours=f"{answer.status}  {answer.error}".strip(),
        why=why,
    )
    challenge = answer.headers.get("www-authenticate", "no such header")
    apps.expect(
        challenge.lower().startswith("basic"),
        f"The header WWW-Authenticate of GET {PATH} with {who}",
        expected="Basic",
        yours=challenge,
        why="An answer of 401 names the way to log in, and a browser asks for a password only if it does. "
        "NotLoggedIn in errors.py brings the header with it.",
    )


@step("6.1")
def test_the_app_knows_who_is_asking(apps: Apps) -> None:
    """GET /users/me answers the user whose name and password were sent, and 401 to everyone else."""
    sign_up(apps, "ann", "bob")
    apps.get(PATH, auth=as_("ann"), why=FIXED_PATH_FIRST)
    colon = "The user whose name was sent. bob's password has a colon, and only the first one separates."
    apps.get(PATH, auth=as_("bob"), why=colon)
    _expect_unknown(apps, "no name and no password")
    _expect_unknown(apps, "ann's name and bob's password", auth=("ann", as_("bob")[1]))
    word = as_("ann")[1]
    _expect_unknown(apps, "a name that nobody has", auth=("nobody", word))
    exact = "Name and password are compared letter by letter."
    _expect_unknown(apps, "the name ANN, which nobody has, and ann's password", exact, auth=("ANN", word))
    _expect_unknown(apps, "the name ann with a space behind it, and her password", exact, auth=("ann ", word))
    _expect_unknown(apps, "ann and her password with a space behind it", exact, auth=("ann", f"{word} "))
    _expect_unknown(apps, "ann and her password in capitals", exact, auth=("ann", word.upper()))
    _expect_unknown(apps, "an empty name, and ann's password", auth=("", word))
    email = "The name is the username. An email is no name, not even one that somebody has."
    _expect_unknown(apps, "ann's email as the name, and her password", email, auth=("ann@example.com", word))
    why = "PostgreSQL can't be asked for a text with the character NUL, so answer 401 without asking."
    _expect_unknown(apps, "a name with the character NUL, which nobody has", why, auth=("ann\0", word))
    sent = base64.b64encode(f"ann:{word}".encode()).decode()
    _expect_unknown(apps, "another scheme than Basic", headers={"Authorization": f"Bearer {sent}"})
    _expect_unknown(apps, "text that isn't base64", headers={"Authorization": "Basic ?"})
    stored = apps.yours.sql("SELECT password_hash FROM users WHERE username = 'ann'")[0]["password_hash"]
    _expect_unknown(apps, "ann's name and the stored hash as password", auth=("ann", stored))
    apps.sql("UPDATE users SET status = 'banned' WHERE username = 'bob'")
    _expect_unknown(apps, "the name and password of a user whose status is banned", auth=as_("bob"))
    apps.get(PATH, auth=as_("ann"), why="Banning bob is no reason to lock ann out.")


def count_the_work(security: Any) -> None:
    """Count the calls of password_hasher from now on, and keep what is hashed."""
    hasher = security.password_hasher
    hasher.calls, hasher.hashed = 0, []
    for name in ("hash", "verify", "verify_and_update"):
        method = getattr(hasher, name)

        def counted(*given: Any, _name: str = name, _call: Any = method, **named: Any) -> Any:
            hasher.calls += 1
            if _name == "hash":
                hasher.hashed += [text for text in (*given, *named.values()) if isinstance(text, str)]
            return _call(*given, **named)

        setattr(hasher, name, counted)


def how_much_work(security: Any) -> int:
    """How often password_hasher was called since this was last asked."""
    calls: int = security.password_hasher.calls
    security.password_hasher.calls = 0
    return calls


def what_was_hashed(security: Any) -> list[str]:
    """The texts that password_hasher has hashed."""
    return list(security.password_hasher.hashed)


@step("6.1")
def test_an_unknown_name_costs_as_much(apps: Apps) -> None:
    """Whether a name exists can't be told from the work that a wrong password makes."""
    sign_up(apps, "ann")
    apps.yours.probe(count_the_work, "security")
    work = {}
    for name in ("ann", "nobody", "ann", "nobody"):  # what is made at first use is made in the first round
        _expect_unknown(apps, f"the name {name} and a wrong password", auth=(name, "a wrong password"))
        work[name] = apps.yours.probe(how_much_work, "security")
    apps.expect(
        work["ann"] > 0,
        "The calls of password_hasher in security.py for a wrong password, with a name that exists",
        expected="1 or more",
        yours=work["ann"],
        why="Passwords are verified with the password_hasher of security.py. The checks count its calls.",
    )
    equal = (
        "Verifying takes a while, on purpose. Whoever answers at once for an unknown name tells with it "
        "which names exist. Verify the password then too, against a hash that opens nothing. Make it once."
    )
    apps.expect(
        work["ann"] == work["nobody"],
        "The calls of password_hasher for a wrong password, with a name that exists and with another",
        expected="as many for both",
        yours=f"{work['ann']} with ann, {work['nobody']} with nobody",
        why=equal,
    )
    for word in {"a password that opens nothing", *apps.yours.probe(what_was_hashed, "security")}:
        who = "a name that nobody has, and the password that you verify such names against"
        why = "verify says yes, for this is what was hashed. And still there is no user: that is 401."
        _expect_unknown(apps, who, why, auth=("nobody", word))
    apps.yours.probe(how_much_work, "security")
    apps.yours.sql("UPDATE users SET status = 'banned' WHERE username = 'ann'")
    _expect_unknown(apps, "the name of a banned user and a wrong password", auth=("ann", "a wrong password"))
    banned = apps.yours.probe(how_much_work, "security")
    apps.expect(
        banned == work["nobody"],
        "The calls of password_hasher for a wrong password, with the name of a banned user and with another",
        expected="as many for both",
        yours=f"{banned} with the banned user, {work['nobody']} with nobody",
        why=f"A banned user's name exists, too. {equal}",
    )


# 6.2


@step("6.2")
def test_only_oneself_or_staff_may_delete(apps: Apps) -> None:
    """DELETE /users/{user_id} is for the user and for the staff; others get 403, strangers 401."""
    ann, bob, cleo, _ = sign_up(apps, "ann", "bob", "cleo", "dora")
    column = "The column is_staff comes with a migration of yours: models.py alone changes no table."
    apps.sql("UPDATE users SET is_staff = true WHERE username = 'dora'", why=column)
    apps.sql("INSERT INTO posts (title, content, owner_id) VALUES ('A', 'A text.', :owner)", owner=ann)
    apps.delete("/users/{}", ann, status_only=True, why=SELF_OR_STAFF)
    apps.delete("/users/4711", status_only=True, why=f"Nobody is logged in. {SELF_OR_STAFF}")
    apps.delete("/users/{}", ann, auth=("ann", "wrong"), status_only=True, why=SELF_OR_STAFF)
    apps.delete("/users/{}", ann, auth=as_("bob"), status_only=True, why=f"bob isn't ann. {SELF_OR_STAFF}")
    apps.get("/users/{}", ann, status_only=True, why="What was refused must not have happened.")
    herself = f"ann herself, who has written a post. {SELF_OR_STAFF}"
    apps.delete("/users/{}", ann, auth=as_("ann"), status_only=True, why=herself)
    apps.get("/users/{}", ann, status_only=True, why="ann is gone.")
    apps.get(PATH, auth=as_("ann"), status_only=True, why="ann is gone, and nobody can log in as ann.")
    staff = f"dora belongs to the staff: is_staff is true. {SELF_OR_STAFF}"
    apps.delete("/users/{}", bob, auth=as_("dora"), status_only=True, why=staff)
    apps.get("/users/{}", bob, status_only=True, why="bob is gone.")
    apps.delete("/users/4711", auth=as_("dora"), status_only=True, why="There is no user 4711.")
    apps.sql("UPDATE users SET is_staff = false WHERE username = 'dora'")
    left = "dora doesn't belong to the staff any more. Each request reads anew what its user may do."
    apps.delete("/users/{}", cleo, auth=as_("dora"), status_only=True, why=left)


def begin_with_rows(apps: Apps) -> None:
    """Make the database anew, with rows in the starter's tables when the learner's migrations run."""
    yours = apps.yours
    yours.stop()
    if apps.database == "sqlite":
        Path(yours.url.database or "").unlink()
    else:
        with yours.connection() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    yours.run("alembic", "upgrade", STARTERS)
    yours.sql(
        "INSERT INTO users (username, email, password_hash, display_name)"
        " VALUES ('ann', 'ann@example.com', '-', 'Ann')"
    )
    yours.run("alembic", "upgrade", "head")


@step("6.2")
def test_whoever_is_there_is_no_staff(apps: Apps) -> None:
    """The migration runs on a table with rows, and makes nobody of them staff."""
    why = (
        "The table has rows when your migration runs, and each needs a value for a column that is never "
        "NULL: add_column with server_default=sa.false()."
    )
    with explained(why):
        begin_with_rows(apps)
    staff = apps.yours.sql("SELECT is_staff FROM users")[0]["is_staff"]
    apps.expect(
        not staff,
        f"is_staff of a user who was there before: alembic upgrade {STARTERS}, INSERT, alembic upgrade head",
        expected=False,
        yours=staff,
        why="Nobody belongs to the staff until somebody says so.",
    )


@step("6.2")
def test_nobody_is_staff_by_chance(apps: Apps) -> None:
    """The column is_staff is false unless somebody sets it, and signing up never sets it."""
    why = "server_default is a default of the table, for rows that are there and for those of other programs."
    apps.same_schema("users.is_staff", parts=["type", "nullable", "default"], why=why)
    apps.sql(
        "INSERT INTO users (username, email, password_hash, display_name)"
        " VALUES ('ann', 'ann@example.com', '-', 'Ann')"
    )
    bob = {"username": "bob", "email": "bob@example.com", "password": as_("bob")[1], "is_staff": True}
    answer = apps.yours.post("/users", json=bob)
    apps.expect(
        answer.status in {201, 422},
        "POST /users with is_staff: true",
        expected="201, and is_staff is ignored, or 422",
        yours=f"{answer.status}  {answer.error}".strip(),
        why="Everyone may sign up, so nothing that a client sends may make staff of it.",
    )
    staff = [row["username"] for row in apps.yours.sql("SELECT username FROM users WHERE is_staff")]
    apps.expect(
        not staff,
        "Who belongs to the staff, after an INSERT without is_staff and POST /users with is_staff: true",
        expected="nobody",
        yours=", ".join(staff),
        why="Everyone may sign up, so nothing that a client sends may make staff of it.",
    )
