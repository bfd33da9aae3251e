"""Lesson 6, steps 6.3 and 6.4: a service for any model, and routes that leave the work to it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from workshop.checks import Apps, Both, step

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo"
MOST_LINES = 99
PROTECTED = {
    "id": 4711,
    "username": "root",
    "password_hash": "-",
    "status": "banned",
    "is_staff": True,
    "created_at": "2001-01-01T00:00:00Z",
}
NO_COMMIT = (
    "Whoever calls a service ends the transaction, get_db for a request. A commit within a method would "
    "store half of what the request does. session.flush() sends the statements and leaves it open. "
    "On SQLite, the end of a session.begin_nested() may commit, too: the driver has begun nothing before it."
)


def add_posts(apps: Apps) -> tuple[Both, Both, list[Both]]:
    """Insert two users and four posts as another program would; returns the users' and the posts' ids."""
    rows = apps.sql(
        "INSERT INTO users (username, email, password_hash, display_name) VALUES"
        f" ('ann', 'ann@example.com', '{HASH}', 'Ann'), ('bob', 'bob@example.com', '{HASH}', 'Bob')"
        " RETURNING id"
    )
    ann, bob = rows[0]["id"], rows[1]["id"]
    insert = "INSERT INTO posts (title, content, owner_id) VALUES (:title, 'A text.', :owner) RETURNING id"
    owners = {"A": ann, "B": ann, "C": bob, "D": ann}
    posts = [apps.sql(insert, title=title, owner=owner)[0]["id"] for title, owner in owners.items()]
    newest = "UPDATE posts SET content = 'Changed.', created_at = '2040-01-01 00:00:00' WHERE title = 'A'"
    apps.sql(newest)  # PostgreSQL finds it last now
    return ann, bob, posts


# 6.3


def read_with_a_service(database: Any, models: Any, base: Any, ann: int, second: int) -> dict[str, Any]:
    """BaseService(Post, session) reads rows: A, B and D are ann's, C is bob's."""
    from sqlalchemy import insert

    names = [f"user {number}" for number in range(120)]
    with database.SessionLocal() as session:
        posts, users = base.BaseService(models.Post, session), base.BaseService(models.User, session)
        found, nobody, zero = posts.get(second), posts.get(4711), posts.get(0)

        def titles(*arguments: int, **named: Any) -> list[str]:
            return [post.title for post in posts.get_multi(*arguments, **named)]

        read = {
            "get(the id of B)": found.title,
            "get(4711)": None if nobody is None else str(nobody),
            "get(0)": None if zero is None else str(zero),
            "get_multi()": titles(),
            "get_multi(1, 2)": titles(1, 2),
            "get_multi(skip=2, limit=100)": titles(skip=2, limit=100),
            "get_multi(owner_id=ann)": titles(owner_id=ann),
            "get_multi(skip=1, limit=1, owner_id=ann)": titles(skip=1, limit=1, owner_id=ann),
            "get_multi(owner_id=ann, title='D')": titles(owner_id=ann, title="D"),
            "get_multi(owner_id=ann, title='C')": titles(owner_id=ann, title="C"),
            "get_multi(owner_id=0)": titles(owner_id=0),
            "get_multi(title='_')": titles(title="_"),
            "BaseService(User, session).get(ann)": users.get(ann).username,
        }
        row = {"password_hash": "-", "display_name": "-"}
        session.execute(insert(models.User), [{**row, "username": name, "email": name} for name in names])
        read["rows of get_multi(), where there are more than 100"] = len(list(users.get_multi()))
        return read


def filter_by_what_is_no_column(database: Any, models: Any, base: Any, ann: int) -> dict[str, str]:
    """get_multi of BaseService with a filter that isn't the name of a column, or must not be used."""

    def ask(model: Any, **filters: Any) -> str:
        with database.SessionLocal() as session:
            try:
                rows = list(base.BaseService(model, session).get_multi(skip=0, limit=10, **filters))
            except Exception:
                return "an error"
            return f"{len(rows)} rows and no error"

    return {
        "Post, titel='A' (a typing error)": ask(models.Post, titel="A"),
        "Post, titel='A', owner_id=ann": ask(models.Post, titel="A", owner_id=ann),
        "Post, owner=ann (a relationship)": ask(models.Post, owner=ann),
        "Post, metadata='A' (an attribute of Python)": ask(models.Post, metadata="A"),
        "User, password_hash=... (a secret)": ask(models.User, password_hash="-"),
    }


def count_type_parameters(base: Any) -> dict[str, int]:
    """Count the type parameters of BaseService."""
    return {"BaseService[Model, Create, Update]": len(getattr(base.BaseService, "__parameters__", ()))}


def count_lines(base: Any) -> int:
    """Count the lines of BaseService that are neither blank nor a comment."""
    import inspect

    lines = [line.strip() for line in inspect.getsource(base.BaseService).splitlines()]
    return sum(1 for line in lines if line and not line.startswith("#"))


@step("6.3")
def test_a_service_reads_any_model(apps: Apps) -> None:
    """BaseService is generic and short; it finds rows in order, and a wrong filter is an error."""
    ann, _bob, (_a, b, *_) = add_posts(apps)
    modules = "database", "models", "services.base"
    apps.probe(
        read_with_a_service,
        *modules,
        ann=ann,
        second=b,
        why="get answers None where there is no row. get_multi has an order, that of the ids: PostgreSQL "
        "gives back rows as it likes, and a page of rows without an order is not a page. A filter whose "
        "value is 0 is a filter, too. Without a limit, 100 rows are returned at most.",
    )
    apps.probe(
        filter_by_what_is_no_column,
        *modules,
        ann=ann,
        why="A filter that is skipped finds everything. Compare its name with those of the model's columns: "
        "inspect(model).columns. And whoever may try password hashes out, finds them out.",
    )
    generic = (
        "class BaseService(Generic[ModelT, CreateT, UpdateT]): one class, and a type checker knows more."
    )
    apps.probe(count_type_parameters, "services.base", why=generic)
    lines = apps.yours.probe(count_lines, "services.base")
    apps.expect(
        lines <= MOST_LINES,
        "The lines of BaseService, without blank lines and comments",
        expected="fewer than 100",
        yours=lines,
        why="What every model needs is little. What only users need belongs in UserService.",
    )


def store_with_a_service(
    database: Any, models: Any, base: Any, ann: int, bob: int, ids: list[int]
) -> dict[str, Any]:
    """BaseService(Post, session) creates, changes and removes rows, and then the session commits."""
    from pydantic import BaseModel, ConfigDict

    class NewPost(BaseModel):
        title: str
        content: str
        owner_id: int

    class Draft(BaseModel):
        title: str
        content: str = "Empty."
        owner_id: int

    class PostChange(BaseModel):
        title: str = "Untitled"
        content: str = "Empty."

    class NewUser(BaseModel):
        username: str
        email: str
        password_hash: str
        display_name: str

    class OpenPost(NewPost):
        model_config = ConfigDict(extra="allow")

    class OpenChange(PostChange):
        model_config = ConfigDict(extra="allow")

    a, b, c, d = ids
    with database.SessionLocal() as session:
        posts = base.BaseService(models.Post, session)
        new = posts.create(NewPost(title="E", content="New.", owner_id=bob))
        found: dict[str, Any] = {"the id of create(...)": "a number" if isinstance(new.id, int) else new.id}
        posts.create(OpenPost(title="F", content="Open.", owner_id=bob, is_published=True))
        draft = posts.create(Draft(title="G", owner_id=bob))
        found["content after create(title='G', owner_id=bob)"] = draft.content
        users = base.BaseService(models.User, session)
        kim = users.create(NewUser(username="kim", email="kim", password_hash="-", display_name="Kim"))
        found["BaseService(User, session).create(...)"] = type(kim).__name__
        changed = posts.update(a, PostChange(content="Only the content."))
        found["title after update(A, content=...)"] = changed.title
        found["content after update(A, content=...)"] = changed.content
        posts.update(b, PostChange(title="Untitled", content=""))
        posts.update(c, OpenChange(title="C, changed", owner_id=ann, is_published=True))
        nobody = posts.update(4711, PostChange(title="Lost"))
        found["update(4711, ...)"] = None if nobody is None else str(nobody)
        found["remove(D)"] = str(posts.remove(d))
        found["remove(4711)"] = str(posts.remove(4711))
        session.commit()
    return found


def change_and_roll_back(
    database: Any, models: Any, base: Any, ann: int, ids: list[int]
) -> dict[str, list[str]]:
    """BaseService(Post, session) creates, changes and removes rows, and then the session rolls back."""
    from pydantic import BaseModel
    from sqlalchemy import select

    class PostData(BaseModel):
        title: str
        content: str = "Undone."
        owner_id: int = ann

    with database.SessionLocal() as session:
        posts = base.BaseService(models.Post, session)
        posts.create(PostData(title="Undone", content="Undone.", owner_id=ann))
        posts.update(ids[0], PostData(title="Undone"))
        posts.remove(ids[1])
        session.flush()
        session.rollback()
    with database.SessionLocal() as session:
        return {"titles of the posts": sorted(session.scalars(select(models.Post.title)))}


@step("6.3")
def test_a_service_changes_what_was_sent_and_no_more(apps: Apps) -> None:
    """BaseService stores the fields that the schema declares and the client sent, and never commits."""
    ann, bob, posts = add_posts(apps)
    modules = "database", "models", "services.base"
    apps.probe(change_and_roll_back, *modules, ann=ann, ids=posts, why=NO_COMMIT)
    sent = (
        "create stores all that the schema declares, its defaults as well. update changes the fields that "
        "were sent (exclude_unset), also to a value that is the default, and answers None where there is no "
        "row; remove answers True or False: whether there was one."
    )
    apps.probe(store_with_a_service, *modules, ann=ann, bob=bob, ids=posts, why=sent)
    apps.same_rows(
        "SELECT title, content, owner_id, is_published FROM posts",
        why='A schema with extra="allow" lets every field through. Store only those that it declares, its '
        "model_fields: F was sent is_published, C was sent is_published and another owner. And B was sent an "
        "empty content, which is a value.",
    )


# 6.4


def sign_up(apps: Apps, *names: str) -> list[Both]:
    """Create users over HTTP; returns their ids."""
    why = "POST /users is open to everyone, as before."
    return [apps.post("/users", json=user(name), status_only=True, why=why)["id"] for name in names]


def user(name: str, email: str = "") -> dict[str, str]:
    """What a new user sends."""
    return {
        "username": name,
        "email": email or f"{name}@example.com",
        "password": as_(name)[1],
        "display_name": name.title(),
    }


def as_(name: str) -> tuple[str, str]:
    """The user's name and password, for `auth`."""
    return name, f"the word of {name}"


def note_the_calls(users: Any) -> None:
    """Note which methods of UserService are called from now on."""
    users.UserService.called = []
    for name in ("get", "create", "update"):
        method = getattr(users.UserService, name)

        def noted(self: Any, *given: Any, _name: str = name, _call: Any = method, **named: Any) -> Any:
            users.UserService.called.append(_name)
            return _call(self, *given, **named)

        setattr(users.UserService, name, noted)


def what_was_called(users: Any) -> list[str]:
    """Which methods of UserService were called since this was last asked."""
    called, users.UserService.called = users.UserService.called, []
    return sorted(set(called))


def _expect_called(apps: Apps, method: str, asked: str) -> None:
    called = apps.yours.probe(what_was_called, "services.users")
    apps.expect(
        method in called,
        f"Methods of UserService that {asked} has called",
        expected=method,
        yours=", ".join(called) or "none",
        why="A route says what goes in and out, and who may. The work is the service's: then a script or a "
        "second route can have it done, too.",
    )


@step("6.4")
def test_routes_leave_the_work_to_the_service(apps: Apps) -> None:
    """Sign-up, look-up and PATCH go through UserService; PATCH changes only what was sent and may be."""
    ann, *_ = sign_up(apps, "ann", "bob", "dora")
    apps.sql("UPDATE users SET is_staff = true WHERE username = 'dora'")
    path, asked = "/users/{}", "PATCH /users/{user_id}"
    apps.patch(path, ann, auth=as_("ann"), json={"display_name": "Ann B."}, why="Only the name was sent.")
    apps.patch(path, ann, auth=as_("ann"), json={"email": "ANN@example.org"}, why="Only the email was sent.")
    apps.patch(path, ann, auth=as_("ann"), json={}, why="Nothing was sent, so nothing changes.")
    null = "A field may be left out, but not be null: UserUpdate says so."
    for field in ("email", "display_name"):
        apps.patch(path, ann, auth=as_("ann"), json={field: None}, status_only=True, why=null)
    taken = "bob has this email. The database refuses it, and that is a Conflict."
    apps.patch(path, ann, auth=as_("ann"), json={"email": "bob@example.com"}, status_only=True, why=taken)
    name = {"display_name": "Somebody"}
    apps.patch(path, ann, json=name, status_only=True, why="Nobody is logged in.")
    apps.patch(path, ann, auth=as_("bob"), json=name, status_only=True, why="bob isn't ann, and no staff.")
    apps.patch(path, 4711, auth=as_("dora"), json=name, status_only=True, why="There is no user 4711.")
    own = {"display_name": "Ann", "email": "ann@example.org"}
    why = "dora belongs to the staff. And the email is ann's own: nobody else has taken it."
    apps.patch(path, ann, auth=as_("dora"), json=own, why=why)
    answer = apps.yours.patch(path.format(ann.yours), auth=as_("ann"), json=PROTECTED)
    apps.expect(
        answer.status in {200, 422},
        f"{asked} with {', '.join(PROTECTED)}",
        expected="200, and all of them are ignored, or 422",
        yours=f"{answer.status}  {answer.error}".strip(),
    )
    apps.same_rows(
        "SELECT username, email, display_name, status, is_staff, created_at < '2002-01-01' AS old FROM users",
        why="A client may change its email and its display name. Name what may be changed, for a list of "
        "what may not is never complete.",
    )
    apps.get("/users/{}", ann, why="What was changed is read by the next request.")
    apps.yours.probe(note_the_calls, "services.users")
    apps.get("/users/{}", ann, why="As before.")
    _expect_called(apps, "get", "GET /users/{user_id}")
    apps.patch(path, ann, auth=as_("ann"), json={"display_name": "Ann C."}, why="As before.")
    _expect_called(apps, "update", asked)
    apps.post("/users", json=user("eve"), status_only=True, why="As before.")
    _expect_called(apps, "create", "POST /users")


def let_two_inserts_meet(database: Any) -> None:
    """Hold an INSERT of a user until another request is about to send one."""
    import threading
    from contextlib import suppress

    from sqlalchemy import event

    meeting = threading.Barrier(2)

    @event.listens_for(database.engine, "before_cursor_execute")
    def wait_for_another(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.upper().startswith("INSERT INTO USERS"):
            with suppress(threading.BrokenBarrierError):  # nobody comes: the other was refused, or waits
                meeting.wait(0.3)


def use_the_user_service(
    database: Any, schemas: Any, users: Any, person: dict[str, str]
) -> dict[str, str | None]:
    """UserService(session) finds a user by email, and creates one, without a commit."""

    def name(found: Any) -> str | None:
        return None if found is None else str(found.username)

    with database.SessionLocal() as session:
        service = users.UserService(session)
        made = service.create(schemas.UserCreate(**person))
        told = {
            "get_by_email('ann@example.com')": name(service.get_by_email("ann@example.com")),
            "get_by_email('Ann@Example.COM')": name(service.get_by_email("Ann@Example.COM")),
            "get_by_email('nobody@example.com')": name(service.get_by_email("nobody@example.com")),
            "get_by_email('an_@example.com')": name(service.get_by_email("an_@example.com")),
            "get_by_email('nn@example.com')": name(service.get_by_email("nn@example.com")),
            "create(...)": name(made),
            "its id": "a number" if isinstance(made.id, int) else repr(made.id),
            "its password_hash": "the password" if made.password_hash == person["password"] else "a hash",
            "get_by_email of the new one": name(service.get_by_email(person["email"])),
        }
        session.rollback()
    return told


@step("6.4")
def test_the_service_signs_users_up(apps: Apps) -> None:
    """UserService hashes the password, finds by email, and turns a name that is taken into 409."""
    ann, _bob = sign_up(apps, "ann", "bob")
    apps.get("/users/{}", ann, why="All fields of a new user are stored.")
    unnamed = {key: value for key, value in user("cleo").items() if key != "display_name"}
    cleo = apps.post("/users", json=unnamed, status_only=True)["id"]
    apps.get("/users/{}", cleo, why="Without a display_name, it is the username.")
    hashed = "Of a password, only password_hasher.hash(...) is stored: what UserCreate brings is no column."
    apps.get("/users/me", auth=as_("bob"), status_only=True, why=hashed)
    for taken in (user("ann", "new@example.com"), user("new", "ANN@example.com")):
        why = "The username or the email is taken. Flush within try, and turn IntegrityError into Conflict."
        apps.post("/users", json=taken, status_only=True, why=why)
    by_email = "Emails are stored in small letters, so look for them in small letters. Without a user: None."
    modules = "database", "schemas", "services.users"
    why = f"{by_email} create stores a hash of the password, and flushes."
    apps.probe(use_the_user_service, *modules, person=user("kim"), why=why)
    apps.same_rows("SELECT username, email, display_name FROM users", why=NO_COMMIT)
    apps.yours.probe(let_two_inserts_meet, "database")
    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(apps.yours.post, "/users", json=user("eve")) for _ in range(2)]
    answers = [one.result() for one in sent]
    statuses = sorted(answer.status for answer in answers)
    apps.expect(
        statuses == [201, 409],
        "POST /users with the username eve, twice at once",
        expected="201 and 409",
        yours="  ".join([" and ".join(map(str, statuses)), *(one.error for one in answers if one.error)]),
        why="Who asks first whether a name is free, asks too early: another request may take it meanwhile. "
        "Insert, and turn the IntegrityError of the database into Conflict.",
    )
