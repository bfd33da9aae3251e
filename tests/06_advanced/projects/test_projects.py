"""Lesson 6, steps 6.22 to 6.24: projects, their members, and who may do what."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from workshop.checks import Answer, Apps, Both, step

HIDDEN = (
    "A project is seen by its members. For everyone else, the staff too, the answer is the same as for a "
    "project that isn't there: 404. Otherwise strangers can count your projects."
)
LOG_IN = "Without a login it is 401. The dependency CurrentUser of step 6.1 says so."
ROLES = "SELECT users.username, role FROM project_members JOIN users ON users.id = project_members.user_id"


def sign_up(apps: Apps, *names: str) -> list[Both]:
    """Create users over HTTP, each with the password that `as_` knows; returns their ids."""
    users = [
        {"username": name, "email": f"{name}@example.com", "password": as_(name)[1], "display_name": name}
        for name in names
    ]
    ids = [apps.post("/users", json=user, status_only=True)["id"] for user in users]
    if "zoe" in names:  # a stranger to all projects, and of the staff
        apps.sql("UPDATE users SET is_staff = true WHERE username = 'zoe'")
    return ids


def as_(name: str) -> tuple[str, str]:
    """The user's name and password, for `auth`."""
    return name, f"the word of {name}"


def begin_project(apps: Apps, owner: str, name: str = "Website") -> Both:
    """Create a project over HTTP; returns its id."""
    why = "POST /projects answers the project with its members."
    return apps.post("/projects", auth=as_(owner), json={"name": name}, why=why)["id"]


def add_member(apps: Apps, project: Both, user: Both, role: str) -> None:
    """Insert a member as another program would."""
    apps.sql(
        "INSERT INTO project_members (project_id, user_id, role, joined_at)"
        f" VALUES (:project, :user, '{role}', CURRENT_TIMESTAMP)",
        project=project,
        user=user,
        why="A member is a row of project_members: project_id, user_id, role and joined_at. The role is one "
        "of the texts owner, admin, member and viewer.",
    )


def begin_with_members(apps: Apps, **roles: str) -> tuple[Both, dict[str, Both]]:
    """A project of ann's with these members; returns its id and the users' ids by name."""
    names = ["ann", *roles, "zoe"]
    ids = dict(zip(names, sign_up(apps, *names), strict=True))
    project = begin_project(apps, "ann")
    for name, role in roles.items():
        add_member(apps, project, ids[name], role)
    return project, ids


def at_once(apps: Apps, *requests: dict[str, Any]) -> list[Answer]:
    """Send requests to the learner's app, each from a thread of its own."""
    with ThreadPoolExecutor(len(requests)) as pool:
        return [sent.result() for sent in [pool.submit(apps.yours.request, **one) for one in requests]]


def let_two_meet(database: Any, moment: str) -> None:
    """Hold a request before a commit, or an INSERT of a member, until another request is as far."""
    import threading
    from contextlib import suppress

    from sqlalchemy import event

    meeting = threading.Barrier(2)

    def wait_for_another() -> None:
        with suppress(threading.BrokenBarrierError):  # nobody comes: the other was refused, or waits
            meeting.wait(0.3)

    def before_statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if moment in " ".join(statement.upper().replace('"', "").split()):
            wait_for_another()

    if moment == "COMMIT":
        event.listen(database.engine, "commit", lambda _connection: wait_for_another())
    else:
        event.listen(database.engine, "before_cursor_execute", before_statement)


def _expect_statuses(
    apps: Apps, answers: list[Answer], either: list[list[int]], asked: str, why: str
) -> None:
    statuses = sorted(answer.status for answer in answers)
    errors = [answer.error for answer in answers if answer.error]
    apps.expect(
        statuses in either,
        asked,
        expected=", or ".join(" and ".join(map(str, pair)) for pair in either),
        yours="  ".join([" and ".join(map(str, statuses)), *errors[:1]]),
        why=why,
    )


# 6.22


@step("6.22")
def test_a_project_is_for_its_members(apps: Apps) -> None:
    """Who creates a project is its owner and its first member; only members see it."""
    _, bob, _ = sign_up(apps, "ann", "bob", "zoe")
    apps.post("/projects", json={"name": "Lost"}, status_only=True, why=LOG_IN)
    website = begin_project(apps, "ann")
    shop = begin_project(apps, "bob", "Shop")
    apps.same_rows("SELECT name, owner_id FROM projects", why="owner_id is the user who is logged in.")
    first = "The owner is a member too: one row in project_members, whose role is the text owner."
    apps.same_rows(f"{ROLES} ORDER BY users.username", why=first)
    apps.get("/projects/{}", website, auth=as_("ann"), why="The project with its members.")
    apps.get("/projects/{}", website, status_only=True, why=LOG_IN)
    apps.get("/projects/{}", website, auth=as_("bob"), status_only=True, why=HIDDEN)
    apps.get("/projects/4711", auth=as_("ann"), status_only=True, why="There is no project 4711.")
    add_member(apps, website, bob, "viewer")
    apps.get("/projects/{}", website, auth=as_("bob"), why="bob is a member now, with the role viewer.")
    garden = begin_project(apps, "ann", "Garden ".ljust(100, "!"))
    add_member(apps, garden, bob, "admin")
    own = "Those projects in which the caller is a member, whatever the role, in the order of their ids."
    apps.get("/projects", auth=as_("ann"), ordered=True, why=own)
    apps.get("/projects", auth=as_("bob"), ordered=True, why=own)
    apps.get("/projects", auth=as_("zoe"), why=f"zoe is in no project. {own}")
    page = {"skip": 1, "limit": 1}
    apps.get("/projects", auth=as_("bob"), params=page, why="A page: skip=1, limit=1. PageQuery reads it.")
    apps.get("/projects", auth=as_("bob"), params={"limit": 101}, why="A page has 100 projects at most.")
    apps.get("/projects", status_only=True, why=LOG_IN)
    apps.get("/projects/{}", shop, auth=as_("zoe"), status_only=True, why=HIDDEN)
    apps.get("/projects/{}", website, auth=("ann", "wrong"), status_only=True, why=LOG_IN)


def _expect_refused(apps: Apps, what: str, statement: str, why: str) -> None:
    """The learner's database refuses a statement, which is undone anyway."""
    with apps.yours.connection() as connection:
        if apps.database == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        try:
            connection.execute(text(statement))
            found = "it is stored"
        except DBAPIError:
            found = ""
        connection.rollback()
    apps.expect(not found, what, expected="the database refuses it", yours=found, why=why)


@step("6.22")
def test_the_database_knows_the_rules(apps: Apps) -> None:
    """A role is one of four, a user is a member once, and members go with their project."""
    project, ids = begin_with_members(apps, bob="viewer")
    for role in ("owner", "admin", "member", "viewer"):
        apps.sql(
            f"UPDATE project_members SET role = '{role}' WHERE user_id = :user",
            user=ids["bob"],
            why="The roles are stored as owner, admin, member and viewer.",
        )
    apps.get("/projects/{}", project, auth=as_("bob"), why="bob is a viewer.")
    for role in ("'superuser'", "'OWNER'", "NULL"):
        _expect_refused(
            apps,
            f"UPDATE project_members SET role = {role}, typed into the database",
            f"UPDATE project_members SET role = {role}",
            "A role that nobody knows, or none, is a fault wherever it comes from. A CheckConstraint says "
            "which there are; NOT NULL says that there is one.",
        )
    _expect_refused(
        apps,
        "A second row in project_members for the same user in the same project, with another role",
        "INSERT INTO project_members (project_id, user_id, role, joined_at)"
        " SELECT project_id, user_id, 'admin', joined_at FROM project_members",
        "Project and user together are unique: a UniqueConstraint over both, or a primary key.",
    )
    rules = "A membership needs a project and a user, and goes with either: foreign keys, ON DELETE CASCADE."
    for column in ("project_members.project_id", "project_members.user_id"):
        apps.same_schema(column, parts=["type", "nullable", "foreign keys"], why=rules)
    owner = "owner_id refers to users, and is never empty."
    apps.same_schema("projects.owner_id", parts=["type", "nullable"], why=owner)
    targets = [key["table"] for key in apps.yours.schema()["projects"]["foreign keys"]]
    apps.expect("users" in targets, "Foreign keys of projects", expected="to users", yours=targets, why=owner)


# 6.23


def invite(apps: Apps, project: Both, caller: str, why: str, **body: str) -> None:
    """Invite somebody, in both apps."""
    apps.post("/projects/{}/invite", project, auth=as_(caller), json=body, status_only=True, why=why)


@step("6.23")
def test_an_owner_invites(apps: Apps) -> None:
    """An owner makes a user a member by email; each way in which it can fail has its status."""
    sign_up(apps, "bob", "cleo", "dora")
    begin_project(apps, "bob", "Another one")
    project, _ = begin_with_members(apps, kim="owner", lou="viewer")
    accepted = "ann owns the project, and the user isn't a member of it yet: 200."
    invite(apps, project, "ann", accepted, email="bob@example.com", role="viewer")
    by_role = "kim's role is owner, so kim may invite: 200. Look at the role, and not at owner_id."
    invite(apps, project, "kim", f"Without a role, it is member. {by_role}", email="cleo@example.com")
    invite(apps, project, "ann", accepted, email="DORA@example.com", role="admin")
    apps.get(
        "/projects/{}", project, auth=as_("dora"), why="Whoever was invited is a member, with that role."
    )
    zoe = {"email": "zoe@example.com"}
    apps.post("/projects/{}/invite", project, json=zoe, status_only=True, why=LOG_IN)
    for caller, role in (("lou", "viewer"), ("dora", "admin"), ("bob", "viewer, and owner only elsewhere")):
        owners = f"{caller}'s role is {role}. Only owners invite, and a member who may not is answered 403."
        invite(apps, project, caller, owners, **zoe)
    invite(apps, project, "zoe", HIDDEN, email="bob@example.com")
    missing = {"auth": as_("ann"), "json": zoe, "status_only": True}
    apps.post("/projects/4711/invite", **missing, why="There is no project 4711.")
    nobody = "Nobody has this email: 404. Look for the user before you insert."
    invite(apps, project, "ann", nobody, email="nobody@example.com")
    twice = "A member already, and stays one with the same role: 409."
    invite(apps, project, "ann", f"bob is invited again. {twice}", email="bob@example.com", role="admin")
    invite(apps, project, "ann", f"ann invites ann. {twice}", email="ann@example.com")
    for role in ("owner", "superuser"):
        why = "An invitation can make a user admin, member or viewer. InviteCreate refuses the rest."
        invite(apps, project, "ann", why, email="zoe@example.com", role=role)
    apps.same_rows(f"{ROLES} ORDER BY users.username", why="What was refused has changed nothing.")


@step("6.23")
def test_two_invitations_at_once_make_one_member(apps: Apps) -> None:
    """Of two invitations for the same user at the same moment, one is accepted and one is a conflict."""
    sign_up(apps, "ann", "bob")
    project = begin_project(apps, "ann")
    apps.yours.probe(let_two_meet, "database", moment="INSERT INTO PROJECT_MEMBERS")
    one = {
        "method": "POST",
        "path": f"/projects/{project.yours}/invite",
        "auth": as_("ann"),
        "json": {"email": "bob@example.com", "role": "member"},
    }
    answers = at_once(apps, one, one)
    _expect_statuses(
        apps,
        answers,
        [[200, 409]],
        "POST /projects/{project_id}/invite for bob, twice at once",
        "Both may look before either inserts, and find that bob is no member. The unique rule of the table "
        "decides: insert, flush within try, and turn IntegrityError into Conflict.",
    )
    members = [row["username"] for row in apps.yours.sql(ROLES)]
    apps.expect(
        sorted(members) == ["ann", "bob"],
        "The members after two invitations for bob",
        expected="ann, bob",
        yours=", ".join(sorted(members)),
    )


# 6.24


def set_role(apps: Apps, project: Both, caller: str, user: Both | int, role: str, why: str) -> None:
    """Give a member another role, in both apps."""
    path = "/projects/{}/members/{}"
    apps.patch(path, project, user, auth=as_(caller), json={"role": role}, why=why)


def remove(apps: Apps, project: Both, caller: str, user: Both | int, why: str) -> None:
    """Remove a member, in both apps."""
    apps.delete("/projects/{}/members/{}", project, user, auth=as_(caller), status_only=True, why=why)


@step("6.24")
def test_owners_give_roles_and_remove_members(apps: Apps) -> None:
    """Owners change roles and remove members, everyone may leave, and the last owner stays."""
    project, ids = begin_with_members(apps, bob="member", kim="admin", lou="viewer")
    add_member(apps, begin_project(apps, "bob", "Another one"), ids["ann"], "viewer")
    ann, bob, lou, zoe = (ids[name] for name in ("ann", "bob", "lou", "zoe"))
    owners = "Only an owner changes roles: 403 for other members."
    set_role(apps, project, "ann", bob, "admin", "ann owns the project. The answer is the member.")
    set_role(apps, project, "kim", bob, "viewer", f"kim's role is admin. {owners}")
    set_role(apps, project, "bob", bob, "owner", f"bob would like to be an owner. {owners}")
    set_role(apps, project, "zoe", bob, "viewer", HIDDEN)
    set_role(apps, project, "ann", zoe, "viewer", "zoe is no member of the project: 404.")
    set_role(apps, project, "ann", bob, "superuser", "There is no such role. MemberUpdate refuses it.")
    body = {"json": {"role": "viewer"}, "status_only": True}
    apps.patch("/projects/{}/members/{}", project, bob, **body, why=LOG_IN)
    apps.delete("/projects/{}/members/{}", project, bob, status_only=True, why=LOG_IN)
    set_role(apps, project, "ann", ann, "owner", "ann is an owner, and stays one: 200.")
    last = "ann is the last owner: 409. Somebody must be able to invite, and to put things right."
    set_role(apps, project, "ann", ann, "member", last)
    remove(apps, project, "ann", ann, last)
    remove(apps, project, "kim", lou, "kim's role is admin, and lou is another: 403.")
    remove(apps, project, "zoe", lou, HIDDEN)
    apps.same_rows(f"{ROLES} ORDER BY users.username", why="What was refused has changed nothing.")
    remove(apps, project, "lou", lou, "Everyone may leave, whatever the role: 204.")
    set_role(apps, project, "ann", bob, "owner", "A project may have several owners.")
    second = "bob's role is owner, so bob may change roles: 200. Look at the role, and not at owner_id."
    set_role(apps, project, "bob", ids["kim"], "member", second)
    set_role(apps, project, "ann", ann, "member", "bob is an owner too, so ann may stop being one.")
    named = "owner_id is the id of a member whose role is owner, after each request."
    apps.same_rows("SELECT name, owner_id FROM projects", why=f"{named} ann isn't one any more, bob is.")
    invite(apps, project, "ann", "ann is no owner any more: 403.", email="lou@example.com")
    set_role(apps, project, "bob", ann, "owner", "ann is an owner again.")
    remove(apps, project, "ann", bob, "ann's role is owner. An owner may remove everyone else, owners too.")
    apps.same_rows("SELECT name, owner_id FROM projects", why=f"{named} bob is gone, ann is one.")
    remove(apps, project, "ann", bob, "bob is no member any more: 404.")
    remove(apps, project, "ann", ann, "ann is the last owner again: 409.")
    left = "lou and bob have left the project, and nobody has left another one. No other role has changed."
    apps.same_rows(f"{ROLES} ORDER BY users.username", why=left)


@step("6.24")
def test_two_owners_cannot_leave_at_once(apps: Apps) -> None:
    """Of the last two owners who go at the same moment, one stays."""
    project, ids = begin_with_members(apps, bob="owner")
    apps.yours.probe(let_two_meet, "database", moment="COMMIT")
    path = f"/projects/{project.yours}/members"
    ann_leaves = {"method": "DELETE", "path": f"{path}/{ids['ann'].yours}", "auth": as_("ann")}
    bob_resigns = {
        "method": "PATCH",
        "path": f"{path}/{ids['bob'].yours}",
        "auth": as_("bob"),
        "json": {"role": "viewer"},
    }
    why = (
        "Each of the two sees that the other is an owner, and goes. Take a lock on the project before you "
        "read who owns it, in PATCH and in DELETE: a write to its row waits for another one on both "
        "databases. On SQLite, FOR UPDATE is left out."
    )
    answers = at_once(apps, ann_leaves, bob_resigns)
    asked = "The last two owners at once: ann leaves (DELETE), and bob becomes a viewer (PATCH)"
    _expect_statuses(apps, answers, [[204, 409], [200, 409]], asked, why)
    owner = (
        "SELECT username FROM users JOIN project_members ON user_id = users.id"
        " JOIN projects ON projects.id = project_id AND owner_id = users.id WHERE role = 'owner'"
    )
    found = [row["username"] for row in apps.yours.sql(owner)]
    apps.expect(
        len(found) == 1,
        "Members whose role is owner, and whose id is the owner_id of the project, after that",
        expected="one",
        yours=", ".join(found) or "none",
        why="owner_id is the id of a member whose role is owner.",
    )
