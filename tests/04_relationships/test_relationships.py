"""Lesson 4, steps 4.1 to 4.5: both sides of a relationship, nested answers, and the statements they cost."""

from collections.abc import Sequence
from typing import Any

from workshop.checks import Apps, Both, step

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo"
LARGEST_ID = 2**31 - 1
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :times)"
MOST_STATEMENTS = 3


def add_users(apps: Apps, *names: str) -> list[Both]:
    """Insert users as another program would; returns their ids."""
    values = ", ".join(f"('{name}', '{name}@example.com', '{HASH}')" for name in names)
    rows = apps.sql(f"INSERT INTO users (username, email, password_hash) VALUES {values} RETURNING id")
    return [rows[number]["id"] for number in range(len(names))]


def add_post(apps: Apps, owner: Both, title: str) -> Both:
    """Insert a post as another program would; returns its id."""
    statement = "INSERT INTO posts (title, content, owner_id) VALUES (:title, 'A text.', :owner) RETURNING id"
    return apps.sql(statement, title=title, owner=owner)[0]["id"]


def add_posts(apps: Apps, owner: Both, times: int) -> None:
    """Insert many posts of one user."""
    apps.sql(
        f"{NUMBERS} INSERT INTO posts (title, content, published, owner_id)"
        " SELECT 'Note ' || i, 'A text.', i % 2 = 0, :owner FROM n",
        times=times,
        owner=owner,
    )


def add_crowd(apps: Apps) -> None:
    """Insert 112 users, and two posts for every user that is there, except for two of the new ones."""
    add_users(apps, "silent", "shy")
    apps.sql(
        f"{NUMBERS} INSERT INTO users (username, email, password_hash)"
        f" SELECT 'reader' || i, 'reader' || i || '@example.com', '{HASH}' FROM n",
        times=110,
    )
    apps.sql(
        f"{NUMBERS} INSERT INTO posts (title, content, published, owner_id)"
        " SELECT 'Of ' || username, 'A text.', i = 2, id FROM users, n"
        " WHERE username NOT IN ('silent', 'shy')",
        times=2,
    )


def expect_constant(
    apps: Apps, path: str, few: Sequence[str], many: Sequence[str], why: str, rows: str = "rows"
) -> None:
    """Few rows and many have cost the same small number of statements."""
    apps.expect(
        len(few) == len(many) <= MOST_STATEMENTS,
        f"The SQL of {path} with few {rows}, and with many",
        expected=f"the same number of statements, {MOST_STATEMENTS} at most",
        yours=f"{len(few)} with few, {len(many)} with many",
        why=why,
        statements=many,
    )


# 4.1


def link_two_objects(models: Any) -> dict[str, str]:
    """ann.posts.append(post), and post.owner = bob, before anything is stored."""
    from sqlalchemy import inspect
    from sqlalchemy.orm import configure_mappers

    configure_mappers()
    ann, bob, first, second = (
        inspect(model).class_manager.new_instance()
        for model in (models.User, models.User, models.Post, models.Post)
    )
    people = {id(ann): "ann", id(bob): "bob"}
    ann.posts.append(first)
    second.owner = ann
    found = {
        "first.owner after ann.posts.append(first)": people.get(id(first.owner), repr(first.owner)),
        "ann.posts after second.owner = ann": f"{len(list(ann.posts))} posts",
    }
    second.owner = bob
    found["ann.posts after second.owner = bob"] = f"{len(list(ann.posts))} posts"
    found["bob.posts after second.owner = bob"] = f"{len(list(bob.posts))} posts"
    return found


def store_a_user_with_posts(database: Any, models: Any, password_hash: str) -> dict[str, Any]:
    """Add a user with two posts, commit, and read both sides in a new session."""
    from sqlalchemy import inspect, select
    from sqlalchemy.orm import configure_mappers, joinedload, selectinload

    configure_mappers()

    def new(model: Any, **values: str) -> Any:
        made = inspect(model).class_manager.new_instance()
        for name, value in values.items():
            setattr(made, name, value)
        return made

    with database.SessionLocal() as session:
        ann = new(models.User, username="ann", email="ann@example.com", password_hash=password_hash)
        bob = new(models.User, username="bob", email="bob@example.com", password_hash=password_hash)
        ann.posts.append(new(models.Post, title="First", content="A text."))
        new(models.Post, title="Second", content="A text.").owner = ann
        session.add_all([ann, bob])
        session.commit()
    with database.SessionLocal() as session:
        users = session.scalars(select(models.User).options(selectinload(models.User.posts))).all()
        posts_of = {user.username: sorted(post.title for post in user.posts) for user in users}
    with database.SessionLocal() as session:
        posts = session.scalars(select(models.Post).options(joinedload(models.Post.owner))).all()
        owner_of = {post.title: post.owner.username for post in posts}
    return {"user.posts": posts_of, "post.owner": owner_of}


@step("4.1")
def test_both_sides_change_together(apps: Apps) -> None:
    """A post that is given to a user knows its owner, and the other way round."""
    apps.probe(
        link_two_objects,
        "models",
        why="User.posts is a list, Post.owner is one user. With back_populates each side names the attribute "
        "of the other, and what you do to one shows on the other at once.",
    )


@step("4.1")
def test_both_sides_are_read_from_the_database(apps: Apps) -> None:
    """What is stored through one side is read from the database through both."""
    apps.probe(
        store_a_user_with_posts,
        "database",
        "models",
        password_hash=HASH,
        why="A relationship writes owner_id when its objects are stored, and finds them by it. The posts "
        "are stored with their user, unless you have written a cascade without save-update.",
    )
    apps.same_rows(
        "SELECT posts.title, users.username FROM posts JOIN users ON users.id = posts.owner_id",
        why="The posts were added by user.posts and post.owner, without a word about owner_id.",
    )


# 4.2


@step("4.2")
def test_a_user_is_answered_with_the_posts(apps: Apps) -> None:
    """GET /users/{user_id}/posts answers the user with this user's posts, and 404 for nobody."""
    ann, bob, cleo = add_users(apps, "ann", "bob", "cleo")
    for owner, title in ((bob, "Of bob"), (ann, "One"), (ann, "Two"), (ann, "Two")):
        add_post(apps, owner, title)
    mixed = "A UserWithPosts: the fields of UserOut, and posts with this user's posts, each a PostOut."
    apps.get("/users/{}/posts", ann, why=mixed)
    apps.get("/users/{}/posts", bob, why=mixed)
    empty = "cleo is there, and has written nothing: the user, with an empty list."
    apps.get("/users/{}/posts", cleo, why=empty)
    apps.get("/users/4711/posts", why="There is no user 4711. Look for the user first, as in read_user.")
    add_posts(apps, cleo, times=120)
    apps.get("/users/{}/posts", cleo, why="cleo has 120 posts now. Every request asks the database anew.")


def _expect_refusal(apps: Apps, allowed: set[int], method: str, path: str, body: Any = None) -> None:
    answer = apps.yours.request(method, path, json=body)
    apps.expect(
        answer.status in allowed,
        answer.asked,
        expected=" or ".join(map(str, sorted(allowed))),
        yours=f"{answer.status}  {answer.error}".strip(),
        why="The column is an INTEGER. A larger number is an error of SQLite, of PostgreSQL, or of both, "
        "and of each in another place. A type with limits, RowId, refuses it before.",
    )


@step("4.2")
def test_a_number_that_no_id_can_be_is_refused(apps: Apps) -> None:
    """Ids work up to the largest, and a larger one is no server error anywhere."""
    apps.sql(
        "INSERT INTO users (id, username, email, password_hash)"
        f" VALUES (:id, 'last', 'last@example.com', '{HASH}')",
        id=LARGEST_ID,
    )
    largest = f"{LARGEST_ID} is the largest id of an INTEGER column."
    apps.get("/users/{}/posts", LARGEST_ID, why=largest)
    apps.post("/posts", json={"owner_id": LARGEST_ID, "title": "Kept", "content": "A text."}, why=largest)
    for number in (LARGEST_ID + 1, 99_999_999_999_999_999_999):
        _expect_refusal(apps, {404, 422}, "GET", f"/users/{number}")
        _expect_refusal(apps, {404, 422}, "GET", f"/users/{number}/posts")
        _expect_refusal(apps, {404, 422}, "POST", f"/posts/{number}/publish")
        post = {"owner_id": number, "title": "Lost", "content": "A text."}
        _expect_refusal(apps, {404, 409, 422}, "POST", "/posts", post)
    apps.same_rows("SELECT title FROM posts")


# 4.3


@step("4.3")
def test_all_users_come_with_their_posts(apps: Apps) -> None:
    """GET /users-with-posts answers every user with the posts, in a constant number of statements."""
    path = "/users-with-posts"
    apps.get(path, why="No users yet: an empty list. The answer is a list of UserWithPosts.")
    (ann,) = add_users(apps, "ann")
    add_post(apps, ann, "One")
    with apps.yours.recorded() as few:
        apps.get(path, why="A list of UserWithPosts, here of ann with one post.")
    add_posts(apps, ann, times=30)
    add_crowd(apps)
    with apps.yours.recorded() as many:
        apps.get(path, why="Every user once, with all posts; silent and shy have none, and are users, too.")
    expect_constant(
        apps,
        f"GET {path}",
        few,
        many,
        "One more statement for each row is N+1. Say in the query what you need: selectinload(User.posts) "
        "loads the posts of all users with one statement.",
    )


# 4.4


@step("4.4")
def test_a_post_shows_its_owner(apps: Apps) -> None:
    """GET /posts answers each post with its owner, in a constant number of statements."""
    shown = "Each post as before, and owner with the owner's id and username."
    (ann,) = add_users(apps, "ann")
    add_post(apps, ann, "One")
    apps.get("/posts", why=shown)
    with apps.yours.recorded() as few:
        answer = apps.get("/posts", why=shown)
    apps.expect(
        "ann@example.com" not in str(answer.yours),
        "GET /posts",
        expected="an answer without the owner's email",
        yours="the answer contains ann@example.com",
        why="Everybody reads posts. An owner shows id and username: a small schema of its own.",
    )
    apps.sql("UPDATE users SET username = 'anna' WHERE id = :ann", ann=ann)
    add_crowd(apps)
    with apps.yours.recorded() as many:
        apps.get("/posts", why=f"{shown} Every request asks the database anew: ann is called anna now.")
    expect_constant(
        apps,
        "GET /posts",
        few,
        many,
        "The owners are loaded one at a time. joinedload(Post.owner) in the query brings each with its post.",
    )


# 4.5


def read_what_no_query_has_loaded(database: Any, models: Any, user_id: int, post_id: int) -> dict[str, str]:
    """Read user.posts and post.owner, which no query has loaded."""
    from sqlalchemy import select
    from sqlalchemy.exc import InvalidRequestError

    def read(model: Any, row_id: int, name: str, found_by: str) -> str:
        with database.SessionLocal() as session:
            if found_by == "session.get":
                row = session.get(model, row_id)
            else:
                row = session.scalars(select(model).where(model.id == row_id)).one()
            try:
                value = getattr(row, name)
                value = value if name == "owner" else list(value)
            except InvalidRequestError:
                return "an error, and no SQL"
            return f"{value!r}, and no error"

    return {
        f"{model.__name__} by {found_by}, {name}": read(model, row_id, name, found_by)
        for model, row_id, name in ((models.User, user_id, "posts"), (models.Post, post_id, "owner"))
        for found_by in ("session.get", "select")
    }


@step("4.5")
def test_nothing_is_loaded_behind_your_back(apps: Apps) -> None:
    """Reading posts or an owner that no query has loaded is an error."""
    (ann,) = add_users(apps, "ann")
    apps.probe(
        read_what_no_query_has_loaded,
        "database",
        "models",
        user_id=ann,
        post_id=add_post(apps, ann, "One"),
        why='With lazy="raise" on both sides, SQLAlchemy refuses what it would otherwise fetch with a '
        "statement that nobody sees. It refuses only what the query hasn't asked for.",
    )


@step("4.5")
def test_no_route_costs_more_with_more_rows(apps: Apps) -> None:
    """Every route that reads still works, in a constant number of statements."""
    (ann,) = add_users(apps, "ann")
    post = add_post(apps, ann, "One")
    paths = ("/users", "/users/{}", "/users/{}/posts", "/posts", "/users-with-posts")
    why = "A refused attribute has to be loaded by the query, with a loader option such as selectinload."
    few = []
    for path in paths:
        apps.get(path, ann, why=why)
        with apps.yours.recorded() as statements:
            apps.get(path, ann, status_only=True, why=why)
        few.append(statements)
    add_crowd(apps)
    for path, before in zip(paths, few, strict=True):
        with apps.yours.recorded() as after:
            apps.get(path, ann, why=why)
        hint = "Rows are read one at a time. One query can load them all, with a loader option."
        expect_constant(apps, f"GET {path.format('{user_id}')}", before, after, hint)
    body = {"title": "Two", "content": "A text.", "owner_id": ann.yours}
    for path in ("/posts", f"/posts/{post.yours}/publish"):
        answer = apps.yours.post(path, json=body)
        apps.expect(
            "lazy=" not in answer.error,  # whether it is stored is for 4.6
            answer.asked,
            expected="an answer",
            yours=f"{answer.status}  {answer.error}",
            why="Only GET /posts shows the owner; the other routes keep PostOut.",
        )
