"""Lesson 6, blog: tags, posts with tags, partial updates and comments."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sqlalchemy.exc import IntegrityError

from workshop.checks import Apps, Both, step

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :times)"
OLD = "UPDATE posts SET created_at = '2020-02-02 02:02:02', updated_at = '2020-02-02 02:02:02'"
PAIRS = (  # also those that lead to nothing
    "SELECT title, name FROM post_tags"
    " LEFT JOIN posts ON posts.id = post_id LEFT JOIN tags ON tags.id = tag_id"
)
POSTS = "SELECT title, content, is_published, username FROM posts JOIN users ON users.id = owner_id"
MOST_STATEMENTS = 5  # with 30 posts; tag by tag or owner by owner it is more than 30


def sign_up(apps: Apps, name: str) -> Both:
    """Create a user over HTTP, who can log in; returns the id."""
    body = {"username": name, "email": f"{name}@example.com", "password": "correct horse"}
    apps.post("/users", json=body, status_only=True)
    return apps.sql("SELECT id FROM users WHERE username = :name", name=name)[0]["id"]


def login(name: str) -> tuple[str, str]:
    return name, "correct horse"


ANN, BOB, STAFF = login("ann"), login("bob"), login("staff")


def add_tags(apps: Apps, *names: str) -> list[Both]:
    """Insert tags as another program would; returns their ids."""
    values = ", ".join(f"('{name}')" for name in names)
    rows = apps.sql(f"INSERT INTO tags (name) VALUES {values} RETURNING id")
    return [rows[number]["id"] for number in range(len(names))]


def add_post(apps: Apps, owner: Both, title: str, *tags: Both) -> Both:
    """Insert a post with tags as another program would; returns its id."""
    statement = "INSERT INTO posts (title, content, owner_id) VALUES (:title, 'A text.', :owner) RETURNING id"
    post = apps.sql(statement, title=title, owner=owner)[0]["id"]
    for tag in tags:
        apps.sql("INSERT INTO post_tags (post_id, tag_id) VALUES (:post, :tag)", post=post, tag=tag)
    return post


def add_crowd(apps: Apps) -> None:
    """Insert 30 users, a post for each user that is there, and every tag on every post."""
    apps.sql(
        f"{NUMBERS} INSERT INTO users (username, email, password_hash, display_name)"
        " SELECT 'reader' || i, 'reader' || i || '@example.com', '-', 'Reader' FROM n",
        times=30,
    )
    apps.sql(
        "INSERT INTO posts (title, content, owner_id)"
        " SELECT 'By ' || username, 'A text.', id FROM users ORDER BY id"
    )
    apps.sql(
        "INSERT INTO post_tags (post_id, tag_id) SELECT posts.id, tags.id FROM posts, tags"
        " WHERE NOT EXISTS (SELECT 1 FROM post_tags WHERE post_id = posts.id AND tag_id = tags.id)"
    )


def expect_few(apps: Apps, path: str, statements: Sequence[str], why: str) -> None:
    """Many posts have cost a small number of statements."""
    apps.expect(
        len(statements) <= MOST_STATEMENTS,
        f"The SQL of {path} with many posts",
        expected=f"at most {MOST_STATEMENTS} statements, however many posts there are",
        yours=f"{len(statements)} statements",
        why=why,
        statements=statements,
    )


def expect_no_email(apps: Apps, path: str, answer: Both) -> None:
    apps.expect(
        "@example.com" not in str(answer.yours),
        f"GET {path}",
        expected="an answer without the owner's email",
        yours="the answer contains an email",
        why="Everybody reads posts. An owner shows id and username, as OwnerOut does.",
    )


# 6.11


@step("6.11")
def test_tags_are_made_and_listed(apps: Apps) -> None:
    """POST /tags stores a tag in one spelling, and GET /tags lists tags page by page."""
    sign_up(apps, "ann")
    apps.get("/tags", why="No tags yet: 200, with an empty list.")
    made = "201 with the id and the name of the new tag, for everyone who is logged in."
    spelling = (
        "One spelling for each tag: small letters, and no spaces around. TagName in schemas.py does it."
    )
    apps.post("/tags", json={"name": "python"}, auth=ANN, why=made)
    apps.post("/tags", json={"name": "  FastAPI "}, auth=ANN, why=spelling)
    apps.post("/tags", json={"name": "sql"}, why="Nobody is logged in: CurrentUser answers 401.")
    taken = "There is such a tag already: 409. The unique rule of the column refuses it, with IntegrityError."
    for name in ("python", "FASTAPI", " python"):
        apps.post("/tags", json={"name": name}, auth=ANN, why=taken)
    other = "After a 409, the next tag is stored. fast is another name than fastapi."
    apps.post("/tags", json={"name": "fast"}, auth=ANN, why=other)
    for wrong in ("", "   ", "x" * 51, "a\x00b", None):
        why = "A name has 1 to 50 characters without the spaces around it, and no NUL: TagCreate, 422."
        apps.post("/tags", json={"name": wrong}, auth=ANN, why=why)
    apps.post("/tags", json={"name": "y" * 50}, auth=ANN, why="50 characters are allowed.")
    apps.same_rows("SELECT name FROM tags", why="What was answered with 201 is stored, and nothing else.")
    apps.sql(f"{NUMBERS} INSERT INTO tags (name) SELECT 'tag ' || i FROM n", times=20)
    apps.sql("UPDATE tags SET name = 'moved' WHERE name = 'python'")
    page = "Ten tags without a limit, in the order of their ids: skip, limit and ORDER BY id."
    apps.get("/tags", ordered=True, why=page)
    apps.get("/tags?skip=10&limit=100", ordered=True, why=page)
    for wrong in ("skip=-1", "limit=0", "limit=101"):
        apps.get(f"/tags?{wrong}", why="PageQuery checks skip and limit: 422.")


@step("6.11")
def test_a_tag_is_there_once(apps: Apps) -> None:
    """The table of tags refuses a second tag of the same name, also when two are made at once."""
    apps.same_schema(
        "tags",
        parts=["type", "nullable", "primary key"],
        why="tags has id and name, String(50). A migration makes it: alembic revision --autogenerate.",
    )
    apps.expect(
        not takes_a_name_twice(apps),
        "INSERT INTO tags of a name that is there, with plain SQL",
        expected="the database refuses it: tags.name is unique",
        yours="the tag is there twice",
        why="A rule in your code can't see what other requests are about to store. unique=True in the model, "
        "and a migration that makes it.",
    )
    if apps.database != "postgresql":
        return  # its writers wait for each other before they look
    sign_up(apps, "ann")
    with ThreadPoolExecutor(1) as pool, apps.yours.connection() as connection:
        connection.exec_driver_sql("INSERT INTO tags (name) VALUES ('race')")
        sent = pool.submit(apps.yours.post, "/tags", json={"name": "race"}, auth=ANN, timeout=15)
        wait_until_blocked(apps, sent)
        connection.commit()
        answer = sent.result()
    apps.expect(
        answer.status == 409,
        "POST /tags of a name that another request is about to store",
        expected="409",
        yours=f"{answer.status}  {answer.error}".strip(),
        why="When your route looked, the name was free. Looking first doesn't help: flush, and catch "
        "IntegrityError.",
    )


def takes_a_name_twice(apps: Apps) -> bool:
    """Whether the learner's table stores two tags of one name. Nothing stays."""
    with apps.yours.connection() as connection:
        try:
            for _ in range(2):
                connection.exec_driver_sql("INSERT INTO tags (name) VALUES ('twice')")
        except IntegrityError:
            return False
    return True


def wait_until_blocked(apps: Apps, sent: "Future[Any]") -> None:
    """Until the request waits for a lock in PostgreSQL, or has been answered."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 5
    while not (sent.done() or apps.yours.sql(waiting)) and time.monotonic() < deadline:
        time.sleep(0.01)


# 6.12


@step("6.12")
def test_a_post_is_made_with_tags(apps: Apps) -> None:
    """POST /posts stores a post of the caller with its tags, each once, or nothing at all."""
    sign_up(apps, "ann")
    bob = sign_up(apps, "bob")
    python, fastapi, _sql = add_tags(apps, "python", "fastapi", "sql")
    hello = {"title": "Getting Started with FastAPI", "content": "FastAPI is awesome..."}
    shown = "201 with the post, its owner (id and username), and tags, each with id and name."
    apps.post("/posts", json={**hello, "tag_ids": [python, fastapi]}, auth=ANN, why=shown)
    apps.post("/posts", json=hello, auth=BOB, why="tag_ids may be left out: then the post has no tags.")
    apps.post("/posts", json={**hello, "owner_id": bob}, auth=ANN, why="It belongs to whoever is logged in.")
    apps.post("/posts", json=hello, why="Nobody is logged in: 401.")
    twice = "An id that comes twice is one tag: compare what was found with the number of different ids."
    apps.post("/posts", json={**hello, "tag_ids": [python, python]}, auth=ANN, why=twice)
    apps.same_rows(POSTS, why="Each post that was answered with 201, under the caller's name.")
    unknown = "One of the tags isn't there: 404, and the post isn't stored."
    apps.post("/posts", json={**hello, "tag_ids": [python, 4711]}, auth=ANN, why=unknown)
    for wrong in ([0], [3_000_000_000], ["x"], None, 1):
        why = "An id is from 1 to 2147483647, and tag_ids a list of ids: TagIds, 422."
        apps.post("/posts", json={**hello, "tag_ids": wrong}, auth=ANN, why=why)
    for field, value in (("title", ""), ("title", "x" * 201), ("content", "")):
        apps.post("/posts", json={**hello, field: value}, auth=ANN, why="As before: 422.")
    apps.same_rows(PAIRS, why="One row in post_tags for each tag on each post.")
    apps.same_rows(POSTS, why=unknown)


@step("6.12")
def test_posts_are_found_by_tag(apps: Apps) -> None:
    """GET /posts shows posts with their tags, filters by one, and costs a constant number of statements."""
    ann, bob = sign_up(apps, "ann"), sign_up(apps, "bob")
    python, fastapi, sql, pythonic = add_tags(apps, "python", "fastapi", "sql", "pythonic")
    one = add_post(apps, ann, "One", python, fastapi)
    add_post(apps, bob, "Two")
    add_post(apps, ann, "Three", sql, python)
    add_post(apps, bob, "Four", pythonic)
    shown = "Each post as before, with its owner, and tags: a list of id and name, which may be empty."
    expect_no_email(apps, "/posts", apps.get("/posts", why=shown))
    apps.get("/posts/{}", one, why=f"The post of this id. {shown}")
    apps.get("/posts/4711", why="There is no such post: 404.")
    apps.get("/posts/3000000000", why="No id can be so large: RowId, 422.")
    filtered = "With tag, only posts that have this very tag, but each with all its tags."
    apps.get("/posts?tag=python", why=filtered)
    apps.get("/posts?tag=%20SQL", why="The same spelling as in POST /tags: TagName is the type of tag.")
    apps.get("/posts?tag=python&limit=1&skip=1", why="skip and limit count the posts with the tag.")
    apps.get("/posts?tag=py%25", why="No post has a tag of the name py%: 200, with an empty list.")
    for wrong in ("limit=0", "limit=101", "skip=-1", "tag=", "tag=a%00b"):
        apps.get(f"/posts?{wrong}", why="PageQuery and TagName check what is asked: 422.")
    add_crowd(apps)
    apps.sql("UPDATE posts SET content = 'Moved.' WHERE title = 'One'")
    why = f"ORDER BY id makes pages: every post is on one of them. {shown}"
    with apps.yours.recorded() as many:
        apps.get("/posts?limit=30", why=why)
    apps.get("/posts", why=f"Ten posts without a limit. {why}")
    apps.get("/posts?skip=30&limit=100", why=why)
    with apps.yours.recorded() as many_tagged:
        apps.get("/posts?tag=sql&limit=30", why=filtered)
    why = "selectinload(Post.tags) loads the tags of all posts with one statement, a JOIN brings the owners."
    expect_few(apps, "GET /posts", many, why)
    expect_few(apps, "GET /posts?tag=sql", many_tagged, why)


@step("6.12")
def test_the_database_keeps_the_pairs_right(apps: Apps) -> None:
    """A tag is on a post once, and the pair goes when the post or the tag goes, even with plain SQL."""
    apps.same_schema(
        "post_tags",
        parts=["type", "nullable", "primary key"],
        why="The two columns together are the primary key, so no pair comes twice.",
    )
    key = apps.yours.schema()["post_tags"]["primary key"]["columns"]
    apps.expect(
        sorted(key) == ["post_id", "tag_id"],
        "The primary key of post_tags",
        expected="post_id and tag_id together",
        yours=", ".join(key) or "none",
        why="The pair is the key: then the database refuses a second pair of the same.",
    )
    ann = sign_up(apps, "ann")
    python, fastapi = add_tags(apps, "python", "fastapi")
    add_post(apps, ann, "Stays", python, fastapi)
    gone = add_post(apps, ann, "Goes", python, fastapi)
    for table, row, column in (("posts", gone, "post_id"), ("tags", python, "tag_id")):
        why = (
            f"When a row of {table} goes, its pairs go with it, and no others. The database sees to that: "
            f"post_tags.{column} is a foreign key to {table}.id with ON DELETE CASCADE."
        )
        apps.probe(delete_with_plain_sql, "database", table=table, row_id=row, why=why)
        apps.same_rows(PAIRS, why=why)
    apps.get("/posts", why="Every post that is left, with the tags that are left.")


def delete_with_plain_sql(database: Any, table: str, row_id: int) -> None:
    """Delete a row with plain SQL, on a connection of the app's engine."""
    from sqlalchemy import text

    with database.engine.begin() as connection:
        connection.execute(text(f"DELETE FROM {table} WHERE id = :id"), {"id": row_id})


# 6.13


@step("6.13")
def test_only_what_is_sent_is_changed(apps: Apps) -> None:
    """PUT and PATCH of a post change the fields that were sent, and no others."""
    ann = sign_up(apps, "ann")
    bob = sign_up(apps, "bob")
    python, fastapi, sql = add_tags(apps, "python", "fastapi", "sql")
    post = add_post(apps, ann, "Hello", python, fastapi)
    sent = "Title and content weren't sent, so they stay: PostUpdate tells in model_fields_set what was."
    apps.sql(OLD)
    answer = apps.put("/posts/{}", post, json={"tag_ids": [python, fastapi, sql]}, auth=ANN, why=sent)
    expect_new_time(apps, "PUT /posts/{post_id} with tag_ids alone", answer)
    apps.sql(OLD)
    answer = apps.patch("/posts/{}", post, json={"title": "Hello again"}, auth=ANN, why="The tags stay.")
    expect_new_time(apps, "PATCH /posts/{post_id} with a title", answer)
    apps.put("/posts/{}", post, json={"content": "Better."}, auth=ANN, why="PUT and PATCH do the same.")
    apps.patch("/posts/{}", post, json={}, auth=ANN, why="Nothing was sent: 200, and all stays.")
    twice = "Tags that stay, tags that go, and an id that comes twice: the tags are then those of the list."
    apps.patch("/posts/{}", post, json={"tag_ids": [sql, sql, python]}, auth=ANN, why=twice)
    unknown = "One of the tags isn't there: 404, and nothing is changed, not the title either."
    both = {"title": "Lost", "tag_ids": [fastapi, 4711]}
    apps.put("/posts/{}", post, json=both, auth=ANN, why=unknown)
    apps.get("/posts/{}", post, why=unknown)
    rules = "A field may be left out, but not be null, nor what POST refuses: 422, as PostUpdate says."
    for wrong in (
        {"title": None},
        {"content": None},
        {"tag_ids": None},
        {"title": "x" * 201},
        {"content": ""},
        {"tag_ids": [0]},
    ):
        apps.patch("/posts/{}", post, json=wrong, auth=ANN, why=rules)
    more = {"owner_id": bob, "published": True, "is_published": True, "id": 4711}
    apps.put("/posts/{}", post, json=more, auth=ANN, why="Only title, content and tag_ids can be changed.")
    apps.same_rows(POSTS, why="Only title, content and tag_ids can be changed.")
    apps.put("/posts/{}", post, json={"tag_ids": []}, auth=ANN, why="An empty list takes all tags away.")
    apps.same_rows(PAIRS, why="One row in post_tags for each tag of a post.")


def expect_new_time(apps: Apps, after: str, answer: Both) -> None:
    """A change is told in updated_at, in the answer and in the table."""
    stored = apps.yours.sql("SELECT updated_at FROM posts")[0]["updated_at"]
    answered = answer.yours["updated_at"]
    apps.expect(
        not any(str(updated).startswith("2020") for updated in (stored, answered)),
        f"{after}, then updated_at",
        expected="the time of the change, stored and answered",
        yours=f"{stored} is stored, {answered} is answered",
        why="The tags stand in another table, so onupdate doesn't see the change: set updated_at yourself. "
        "And an UPDATE that is written as text knows nothing of onupdate.",
    )


@step("6.13")
def test_a_post_is_changed_by_its_owner(apps: Apps) -> None:
    """Only its owner, or the staff, may change, publish or delete a post."""
    ann = sign_up(apps, "ann")
    sign_up(apps, "bob")
    sign_up(apps, "staff")
    apps.sql("UPDATE users SET is_staff = true WHERE username = 'staff'")
    python, fastapi = add_tags(apps, "python", "fastapi")
    first, second, third = (add_post(apps, ann, title, python, fastapi) for title in ("A", "B", "C"))
    strange = "bob is logged in, and the post is ann's: NotAllowed, 403, and nothing is changed."
    nobody = "Nobody is logged in: 401."
    missing = "There is no such post: 404."
    change = {"title": "Mine", "tag_ids": []}
    for method, path, body in (
        ("PUT", "/posts/{}", change),
        ("PATCH", "/posts/{}", change),
        ("DELETE", "/posts/{}", None),
        ("POST", "/posts/{}/publish", None),
    ):
        apps.request(method, path, first, json=body, auth=BOB, why=strange)
        apps.request(method, path, first, json=body, why=nobody)
        apps.request(method, path, 4711, json=body, auth=ANN, why=missing)
        apps.request(method, path, 3_000_000_000, json=body, auth=ANN, why="RowId, 422.")
    apps.same_rows(POSTS, why=strange)
    apps.same_rows(PAIRS, why=strange)
    apps.post("/posts/{}/publish", second, auth=ANN, why="ann publishes her own post: 200 with the post.")
    again = "The staff may, too. A post that is published stays published, and that is 200."
    apps.post("/posts/{}/publish", second, auth=STAFF, why=again)
    apps.patch("/posts/{}", second, json={"title": "B, corrected"}, auth=STAFF, why="The staff may, too.")
    deleted = "200 and an object with a message. The post is gone, and with it its rows in post_tags."
    answer = apps.delete("/posts/{}", first, auth=ANN, status_only=True, why=deleted)
    apps.expect(
        isinstance(answer.yours, dict) and "message" in answer.yours,
        "DELETE /posts/{post_id}",
        expected="an object with a message",
        yours=answer.yours,
        why=deleted,
    )
    apps.delete("/posts/{}", third, auth=STAFF, status_only=True, why="The staff may, too.")
    apps.delete("/posts/{}", first, auth=ANN, why="It is gone already: 404.")
    apps.get("/posts", why="One post is left, with its tags.")
    apps.same_rows(PAIRS, why=deleted)
    apps.same_rows("SELECT name FROM tags", why="A tag stays when a post goes.")


@step("6.13", databases=["postgresql"])
def test_two_changes_at_once_both_succeed(apps: Apps) -> None:
    """Two requests that give a post the same tag at the same time both succeed, one after the other."""
    ann = sign_up(apps, "ann")
    (python,) = add_tags(apps, "python")
    post = add_post(apps, ann, "Hello")
    with ThreadPoolExecutor(1) as pool, apps.yours.connection() as connection:
        connection.exec_driver_sql(f"SELECT id FROM posts WHERE id = {post.yours} FOR UPDATE")
        pair = f"({post.yours}, {python.yours})"
        connection.exec_driver_sql(f"INSERT INTO post_tags (post_id, tag_id) VALUES {pair}")
        body = {"tag_ids": [python.yours]}
        sent = pool.submit(apps.yours.put, f"/posts/{post.yours}", json=body, auth=ANN, timeout=15)
        wait_until_blocked(apps, sent)
        connection.commit()
        answer = sent.result()
    apps.expect(
        answer.status == 200,
        "PUT /posts/{post_id} with a tag that another request is giving the post at this moment",
        expected="200",
        yours=f"{answer.status}  {answer.error}".strip(),
        why="Your route read the tags, and then wrote. In between, another request gave the post this tag. "
        "Lock the post's row when you read it, before its tags: with_for_update(), which waits.",
    )
    apps.reference.put(f"/posts/{post.expected}", json={"tag_ids": [python.expected]}, auth=ANN)
    apps.same_rows(PAIRS, why="The post has the tag once.")


# 6.14


@step("6.14")
def test_posts_come_with_comments(apps: Apps) -> None:
    """POST /posts/{post_id}/comments adds a comment, and GET /posts-with-comments shows posts with theirs."""
    ann = sign_up(apps, "ann")
    bob = sign_up(apps, "bob")
    python, _sql = add_tags(apps, "python", "sql")
    first = add_post(apps, ann, "First", python)
    second = add_post(apps, bob, "Second")
    made = "201 with id, content, created_at and author_id: the author is whoever is logged in."
    apps.post("/posts/{}/comments", first, json={"content": "Well said."}, auth=BOB, why=made)
    mine = {"content": "Thank you.", "author_id": bob, "post_id": second}
    apps.post("/posts/{}/comments", first, json=mine, auth=ANN, why=made)
    apps.post("/posts/{}/comments", first, json={"content": "Hm."}, why="Nobody is logged in: 401.")
    apps.post("/posts/4711/comments", json={"content": "Hm."}, auth=ANN, why="There is no such post: 404.")
    apps.post("/posts/3000000000/comments", json={"content": "Hm."}, auth=ANN, why="RowId, 422.")
    for wrong in ("", "x" * 2001, "a\x00b", None):
        why = "A comment has 1 to 2000 characters, and no NUL: CommentCreate, 422."
        apps.post("/posts/{}/comments", first, json={"content": wrong}, auth=ANN, why=why)
    apps.post("/posts/{}/comments", first, json={"content": "x" * 2000}, auth=ANN, why="2000 are allowed.")
    stored = (
        "SELECT comments.content, comments.post_id, username FROM comments JOIN users ON users.id = author_id"
    )
    apps.same_rows(stored, why="What was answered with 201 is stored, and nothing else.")
    shown = "Each post with its owner, its tags and all its comments. Lists may be empty."
    path = "/posts-with-comments"
    expect_no_email(apps, path, apps.get(path, why=shown))
    add_crowd(apps)
    apps.sql(
        "INSERT INTO comments (content, post_id, author_id)"
        " SELECT 'I am ' || username, posts.id, users.id FROM posts, users WHERE users.id < posts.id + 3"
    )
    apps.sql("UPDATE posts SET content = 'Moved.' WHERE title = 'First'")
    with apps.yours.recorded() as many:
        apps.get(f"{path}?limit=20", why=f"In the order of their ids. {shown}")
    apps.get(path, why=f"Ten posts without a limit. {shown}")
    apps.get(f"{path}?skip=30&limit=3", why=f"In the order of their ids. {shown}")
    for wrong in ("limit=0", "limit=101", "skip=-1"):
        apps.get(f"{path}?{wrong}", why="PageQuery checks skip and limit: 422.")
    why = "selectinload(Post.comments) loads the comments of all posts on the page with one statement."
    expect_few(apps, f"GET {path}", many, why)


@step("6.14")
def test_comments_go_with_their_post_and_author(apps: Apps) -> None:
    """Comments are deleted with their post and with their author, and no others."""
    apps.same_schema(
        "comments",
        parts=["type", "nullable", "default", "primary key"],
        why="content is Text; created_at a time with a time zone, which the database sets; post_id and "
        "author_id are required.",
    )
    ann, bob = sign_up(apps, "ann"), sign_up(apps, "bob")
    kept, gone, last = (add_post(apps, ann, title) for title in ("Kept", "Gone", "Last"))
    statement = "INSERT INTO comments (content, post_id, author_id) VALUES (:content, :post, :author)"
    for content, post, author in (
        ("ann on Kept", kept, ann),
        ("bob on Kept", kept, bob),
        ("ann on Gone", gone, ann),
        ("bob on Gone", gone, bob),
        ("bob on Last", last, bob),
        ("ann on Last", last, ann),
    ):
        apps.sql(statement, content=content, post=post, author=author)
    for table, row, column in (("posts", gone, "post_id"), ("users", bob, "author_id")):
        why = (
            f"A row of {table} was deleted with plain SQL. Its comments go with it, and no others: "
            f"comments.{column} is a foreign key to {table}.id with ON DELETE CASCADE."
        )
        apps.probe(delete_with_plain_sql, "database", table=table, row_id=row, why=why)
        apps.same_rows("SELECT content FROM comments", why=why)
    answer = apps.yours.delete(f"/posts/{last.yours}", auth=ANN)  # a route of 6.13
    if answer.status not in {404, 405}:
        why = "The comments go with the post: Post.comments has the cascade that User.posts has."
        yours = f"{answer.status}  {answer.error}".strip()
        apps.expect(answer.status == 200, answer.asked, expected="200", yours=yours, why=why)
        apps.reference.delete(f"/posts/{last.expected}", auth=ANN)
        apps.same_rows("SELECT content FROM comments", why=why)
    apps.get("/posts-with-comments", why="The posts that are left, with the comments that are left.")
