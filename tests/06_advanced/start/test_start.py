"""Lesson 6, steps 6.1 and 6.2: who is asking, and what they may do."""

from typing import Any

from workshop.checks import Apps, Both, step

PATH = "/users/me"
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
    return name, f"the word of {name}"


# 6.1


def _expect_unknown(apps: Apps, who: str, **sent: Any) -> None:
    """The request is answered with 401, and the answer says how to log in."""
    apps.get(PATH, status_only=True, why=f"Sent: {who}. {ONE_ANSWER}", **sent)
    challenge = apps.yours.get(PATH, **sent).headers.get("www-authenticate", "no such header")
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
    apps.get(PATH, auth=as_("bob"), why="The answer is the user whose name was sent.")
    _expect_unknown(apps, "no name and no password")
    _expect_unknown(apps, "ann's name and bob's password", auth=("ann", as_("bob")[1]))
    _expect_unknown(apps, "a name that nobody has", auth=("nobody", as_("ann")[1]))
    _expect_unknown(apps, "another scheme than Basic", headers={"Authorization": "Bearer YW5u"})
    _expect_unknown(apps, "text that isn't base64", headers={"Authorization": "Basic ?"})
    stored = apps.yours.sql("SELECT password_hash FROM users WHERE username = 'ann'")[0]["password_hash"]
    _expect_unknown(apps, "ann's name and the stored hash as password", auth=("ann", stored))
    apps.sql("UPDATE users SET status = 'banned' WHERE username = 'bob'")
    _expect_unknown(apps, "the name and password of a user whose status is banned", auth=as_("bob"))
    apps.get(PATH, auth=as_("ann"), why="Banning bob is no reason to lock ann out.")


def count_the_work(security: Any) -> None:
    """Count the calls of password_hasher from now on."""
    hasher = security.password_hasher
    hasher.calls = 0
    for name in ("hash", "verify", "verify_and_update"):
        method = getattr(hasher, name)

        def counted(*given: Any, _call: Any = method, **named: Any) -> Any:
            hasher.calls += 1
            return _call(*given, **named)

        setattr(hasher, name, counted)


def how_much_work(security: Any) -> int:
    """How often password_hasher was called since this was last asked."""
    calls: int = security.password_hasher.calls
    security.password_hasher.calls = 0
    return calls


@step("6.1")
def test_an_unknown_name_costs_as_much(apps: Apps) -> None:
    """Whether a name exists can't be told from the work that a wrong password makes."""
    sign_up(apps, "ann")
    apps.yours.probe(count_the_work, "security")
    work = {}
    for name in ("ann", "nobody", "ann", "nobody"):  # what is made at first use is made in the first round
        apps.get(PATH, auth=(name, "a wrong password"), status_only=True, why=ONE_ANSWER)
        work[name] = apps.yours.probe(how_much_work, "security")
    apps.expect(
        work["ann"] == work["nobody"],
        "The calls of password_hasher for a wrong password, with a name that exists and with another",
        expected="as many for both",
        yours=f"{work['ann']} with ann, {work['nobody']} with nobody",
        why="Verifying takes a while, on purpose. Whoever answers at once for an unknown name tells with it "
        "which names exist. Verify the password then too, against a hash that opens nothing. Make it once.",
    )


# 6.2


@step("6.2")
def test_only_oneself_or_staff_may_delete(apps: Apps) -> None:
    """DELETE /users/{user_id} is for the user and for the staff; others get 403, strangers 401."""
    ann, bob, cleo, _ = sign_up(apps, "ann", "bob", "cleo", "dora")
    column = "The column is_staff comes with a migration of yours: models.py alone changes no table."
    apps.sql("UPDATE users SET is_staff = true WHERE username = 'dora'", why=column)
    apps.delete("/users/{}", ann, status_only=True, why=SELF_OR_STAFF)
    apps.delete("/users/{}", ann, auth=("ann", "wrong"), status_only=True, why=SELF_OR_STAFF)
    apps.delete("/users/{}", ann, auth=as_("bob"), status_only=True, why=f"bob isn't ann. {SELF_OR_STAFF}")
    apps.get("/users/{}", ann, status_only=True, why="What was refused must not have happened.")
    apps.delete("/users/{}", ann, auth=as_("ann"), status_only=True, why=f"ann herself. {SELF_OR_STAFF}")
    apps.get("/users/{}", ann, status_only=True, why="ann is gone.")
    apps.get(PATH, auth=as_("ann"), status_only=True, why="ann is gone, and nobody can log in as ann.")
    staff = f"dora belongs to the staff: is_staff is true. {SELF_OR_STAFF}"
    apps.delete("/users/{}", bob, auth=as_("dora"), status_only=True, why=staff)
    apps.get("/users/{}", bob, status_only=True, why="bob is gone.")
    apps.delete("/users/4711", auth=as_("dora"), status_only=True, why="There is no user 4711.")
    apps.sql("UPDATE users SET is_staff = false WHERE username = 'dora'")
    left = "dora doesn't belong to the staff any more. Each request reads anew what its user may do."
    apps.delete("/users/{}", cleo, auth=as_("dora"), status_only=True, why=left)


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
