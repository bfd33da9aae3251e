"""Lesson 6, speed: what the database reads for a feed, pages by key, and an answer that is kept.

How much a request makes the database read is counted, never timed. The statements that the app has sent are
sent again on the grader's own connection: PostgreSQL tells the rows with EXPLAIN ANALYZE, SQLite the
instructions of its virtual machine.
"""

import re
import socket
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from workshop.checks import Apps, Both, step

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :times)"
TEXT = "Some words, as in every post. " * 10
MOST_STATEMENTS = 3
MOST_ROWS = 200  # of posts, for a page of ten; without an index it is thousands
MOST_INSTRUCTIONS = {"/feed": 1500, "/feed?owner_id={}": 300}
ADVISORY_LOCK = 617


def sign_up(apps: Apps, name: str) -> Both:
    """Create a user over HTTP, who can log in; returns the id."""
    body = {"username": name, "email": f"{name}@example.com", "password": "correct horse"}
    apps.post("/users", json=body, status_only=True)
    return apps.sql("SELECT id FROM users WHERE username = :name", name=name)[0]["id"]


def login(name: str) -> tuple[str, str]:
    return name, "correct horse"


def add_users(apps: Apps, *names: str) -> list[Both]:
    """Insert users who never log in; returns their ids."""
    values = ", ".join(f"('{name}', '{name}@example.com', '-', '{name}')" for name in names)
    columns = "username, email, password_hash, display_name"
    rows = apps.sql(f"INSERT INTO users ({columns}) VALUES {values} RETURNING id")
    return [rows[number]["id"] for number in range(len(names))]


def add_post(apps: Apps, post_id: int, owner: Both, published: bool = True) -> None:
    """Insert a post with this id; the higher the id, the earlier the time, so that an order by time shows."""
    time_of_post = f"'2026-01-01 12:00:{59 - post_id:02}'"
    apps.sql(
        "INSERT INTO posts (id, title, content, is_published, owner_id, created_at, updated_at)"
        f" VALUES (:id, :title, 'A text.', :published, :owner, {time_of_post}, {time_of_post})",
        id=post_id,
        title=f"Post {post_id}",
        published=published,
        owner=owner,
    )


def add_posts(apps: Apps, owner: Both, times: int, published: bool) -> None:
    """Insert many posts, each newer than those before."""
    apps.sql(
        f"{NUMBERS} INSERT INTO posts (title, content, is_published, owner_id)"
        f" SELECT 'Note ' || i, '{TEXT}', :published, :owner FROM n",
        times=times,
        published=published,
        owner=owner,
    )


# What a request makes the database read


def note_statements(database: Any) -> None:
    """Note the statements of the engines in database.py, with their parameters."""
    from sqlalchemy import Engine, event

    noted: list[Any] = []
    database.statements_noted_by_a_check = noted

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        plain = dict(parameters) if hasattr(parameters, "keys") else list(parameters)
        if [statement, plain] not in noted:  # one engine may be there by two names
            noted.append([statement, plain])

    for found in list(vars(database).values()):
        engine = getattr(found, "sync_engine", found)
        if isinstance(engine, Engine):
            event.listen(engine, "before_cursor_execute", note)


def tell_statements(database: Any) -> list[Any]:
    """Tell the statements noted since the last time."""
    noted = [list(one) for one in database.statements_noted_by_a_check]
    database.statements_noted_by_a_check.clear()
    return noted


@dataclass(frozen=True)
class Work:
    """What a database did for some statements: PostgreSQL's rows of posts, or SQLite's instructions."""

    amount: int
    plan: Sequence[str]


def work_of(apps: Apps, path: str, *parts: Any) -> Work:
    """Send GET `path` to the learner's app, and its statements about posts once more to the database."""
    apps.yours.probe(tell_statements, "database")
    answer = apps.yours.get(path.format(*Both.side(parts, "yours")))
    apps.expect(
        answer.status == 200, answer.asked, expected="200", yours=f"{answer.status}  {answer.error}".strip()
    )
    about_posts = [
        (statement, parameters)
        for statement, parameters in apps.yours.probe(tell_statements, "database")
        if re.match(r"\s*(select|with)\b", statement, re.IGNORECASE) and re.search(r"\bposts\b", statement)
    ]
    apps.expect(
        bool(about_posts),
        answer.asked,
        expected="a SELECT from posts on the engine of database.py",
        yours="none was sent",
        why="Each request asks the database anew. Which posts there are changes all the time.",
    )
    ask = _ask_sqlite if apps.database == "sqlite" else _ask_postgresql
    with apps.yours.connection() as connection:
        raw = connection.connection.driver_connection
        works = [ask(raw, statement, parameters) for statement, parameters in about_posts]
    return Work(sum(work.amount for work in works), [line for work in works for line in work.plan])


def _ask_sqlite(connection: Any, statement: str, parameters: Any) -> Work:
    plan = [f"plan: {row[3]}" for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    tens = 0

    def count() -> int:
        nonlocal tens
        tens += 1
        return 0

    connection.set_progress_handler(count, 10)
    connection.execute(statement, parameters).fetchall()
    connection.set_progress_handler(None, 1)
    return Work(10 * tens, plan)


def _ask_postgresql(connection: Any, statement: str, parameters: Any) -> Work:
    if isinstance(parameters, list):  # asyncpg's $1, $2, ...
        names = [f"p{number}" for number in range(1, len(parameters) + 1)]
        statement = re.sub(r"\$(\d+)", r"%(p\1)s", statement.replace("%", "%%"))
        parameters = dict(zip(names, parameters, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters or None)
        return _read_plan(cursor.fetchone()[0][0]["Plan"])


def _read_plan(node: dict[str, Any]) -> Work:
    """Count the rows of posts that a plan has read, wanted or not."""
    counted = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    rows, plan = 0, []
    if node.get("Relation Name") == "posts":
        rows = round(sum(node.get(name, 0) for name in counted) * node["Actual Loops"])
        index = f" using {node['Index Name']}" if "Index Name" in node else ""
        plan = [f"plan: {node['Node Type']}{index} on posts, {rows} rows read"]
    inner = [_read_plan(child) for child in node.get("Plans", [])]
    return Work(
        rows + sum(work.amount for work in inner), plan + [line for work in inner for line in work.plan]
    )


def expect_little_work(apps: Apps, asked: str, work: Work, most: int, why: str) -> None:
    """The database has read few posts."""
    what = "rows of posts" if apps.database == "postgresql" else "instructions of SQLite's virtual machine"
    apps.expect(
        work.amount <= most,
        asked,
        expected=f"the database finds the page with an index: at most {most} {what}",
        yours=f"{work.amount} {what}",
        why=why,
        statements=work.plan,
    )


# 6.15


@step("6.15")
def test_the_feed_shows_the_newest_published_posts(apps: Apps) -> None:
    """GET /feed answers the newest published posts with their owners, in a constant number of statements."""
    apps.get("/feed", why="No posts yet: 200, with an empty list in posts.")
    ann, bob, cleo = add_users(apps, "ann", "bob", "cleo")
    for number, (owner, published) in enumerate(
        ((bob, True), (ann, True), (ann, False), (bob, True), (bob, False), (ann, True)), 1
    ):
        add_post(apps, number, owner, published)
    newest = "Published posts only, the highest id first: ORDER BY id DESC. Each with owner: id and username."
    first = apps.get("/feed", ordered=True, why=newest)
    apps.get("/feed?limit=2", ordered=True, why="limit is how many posts there are at most, the newest.")
    apps.get("/feed?owner_id={}", ann, ordered=True, why="With owner_id, the published posts of that owner.")
    apps.get("/feed?owner_id={}&limit=1", bob, ordered=True, why="Both at once: the newest post of bob's.")
    apps.get("/feed?owner_id={}", cleo, why="cleo has written nothing: 200, with an empty list.")
    apps.get("/feed?owner_id=4711", why="There is no user 4711, and so there are no posts: an empty list.")
    bounds = "limit is between 1 and 100, and an id between 1 and 2147483647: Query(ge=..., le=...), RowId."
    for wrong in ("limit=0", "limit=-1", "limit=101", "owner_id=0", "owner_id=3000000000"):
        apps.get(f"/feed?{wrong}", why=bounds)
    apps.expect(
        "@example.com" not in str(first.yours),
        "GET /feed",
        expected="an answer without the owner's email",
        yours="the answer contains an email",
        why="Everybody reads the feed. PostWithOwner shows of the owner what others may know.",
    )
    for number, owner in enumerate(add_users(apps, *(f"reader{number}" for number in range(12))), 7):
        add_post(apps, number, owner)
    with apps.yours.recorded() as statements:
        apps.get("/feed?limit=100", ordered=True, why=newest)
    apps.get("/feed", ordered=True, why="Without a limit there are ten posts, the newest.")
    apps.expect(
        len(statements) <= MOST_STATEMENTS,
        "The SQL of GET /feed with 16 posts of 14 owners",
        expected=f"at most {MOST_STATEMENTS} statements, however many posts there are",
        yours=f"{len(statements)} statements",
        why="Towards one owner, a JOIN brings post and owner together: joinedload(Post.owner).",
        statements=statements,
    )


@step("6.15")
def test_the_feed_is_found_with_an_index(apps: Apps) -> None:
    """On a table of 4,000 posts, of which 103 are published, the database reads a feed with an index."""
    ann, bob = add_users(apps, "ann", "bob")
    add_posts(apps, ann, 3, published=True)
    add_posts(apps, ann, 500, published=False)
    add_posts(apps, bob, 100, published=True)
    add_posts(apps, bob, 3397, published=False)
    apps.sql("ANALYZE")
    apps.yours.probe(note_statements, "database")
    apps.get("/feed", ordered=True, why="The newest published posts, as before.")
    apps.get("/feed?owner_id={}", ann, ordered=True, why="ann's three published posts, as before.")
    whys = {
        "/feed": "Thousands of drafts are newer than the newest published post, and the database looks at "
        "them all. An index on posts that begins with is_published and goes on with id holds the published "
        'posts side by side, in their order: Index(..., "is_published", "id"), and a migration. (A partial '
        "index helps only where its condition is written as in the query.)",
        "/feed?owner_id={}": "ann has 500 drafts and 3 published posts, and bob has 100 published posts. An "
        "index that begins with owner_id and is_published leads to the 3. (A partial index helps only where "
        "its condition is written as in the query: on SQLite, is_published = 1.)",
    }
    for path, why in whys.items():
        work = work_of(apps, path, ann)
        most = MOST_INSTRUCTIONS[path] if apps.database == "sqlite" else MOST_ROWS
        asked = f"GET {path.replace('{}', 'ann’s id')}, with 4,000 posts, of which 103 are published"
        expect_little_work(apps, asked, work, most, why)


# 6.16


@step("6.16")
def test_pages_dont_shift(apps: Apps) -> None:
    """Page by page, each post comes once, whatever is written or deleted meanwhile."""
    ann, bob = add_users(apps, "ann", "bob")
    for post_id in range(1, 10):
        add_post(apps, post_id, bob if post_id == 5 else ann, published=post_id != 1)
    last_id = "next is the id of the last post on the page. Sent as before, it brings the following page."
    first = apps.get("/feed?limit=3", ordered=True, why=last_id)
    add_post(apps, 10, ann)
    add_post(apps, 11, bob)
    shifted = (
        "Two posts were published since the first page. The second page is what comes after the last "
        "post of the first, posts.id < before, and not what comes after three posts."
    )
    second = apps.get("/feed?limit=3&before={}", first["next"], ordered=True, why=shifted)
    apps.sql("DELETE FROM posts WHERE id = :id", id=second["next"])
    apps.sql("DELETE FROM posts WHERE id = 9")
    gone = (
        "The post that before names was deleted meanwhile. Its id still says where the page begins: compare "
        "ids, without looking for the post. Two posts follow, and then a draft: next is null."
    )
    apps.get("/feed?limit=3&before={}", second["next"], ordered=True, why=gone)
    full = (
        "Three posts are left, as many as the limit. Nothing follows, so next is null. Ask the database for "
        "one post more than the limit: if it comes, there is a next page, and the post isn't shown."
    )
    apps.get("/feed?limit=3&before=6", ordered=True, why=full)
    apps.get("/feed?limit=2&before=6", ordered=True, why=full)
    apps.get("/feed?before=1", why="Nothing is before the first post: an empty list, and next is null.")
    owned = "With owner_id and before: the posts of that owner that are older."
    apps.get("/feed?limit=2&before=9&owner_id={}", ann, ordered=True, why=owned)
    apps.get("/feed?before=11&owner_id={}", bob, ordered=True, why=owned)
    apps.get("/feed?before=2147483647&limit=1", ordered=True, why="The largest id that can be.")
    for wrong in ("before=0", "before=3000000000", "before=x"):
        apps.get(f"/feed?{wrong}", why="before is an id, so its type is RowId; anything else is 422.")


@step("6.16")
def test_a_deep_page_costs_no_more(apps: Apps) -> None:
    """Deep in 2,000 published posts, a page makes the database read as little as at the beginning."""
    ann, bob = add_users(apps, "ann", "bob")
    add_posts(apps, ann, 60, published=True)
    add_posts(apps, bob, 1940, published=True)
    apps.sql("ANALYZE")
    apps.yours.probe(note_statements, "database")
    posts = apps.sql("SELECT min(id) AS first FROM posts")
    deep = Both(posts.expected[0]["first"] + 50, posts.yours[0]["first"] + 50)
    asked = "GET /feed?before=... in the depth of 2,000 published posts"
    apps.get("/feed?before={}", deep, ordered=True, why="Ten posts, and next, as at the beginning.")
    apps.get("/feed?limit=100", ordered=True, why="100 is allowed, also if your code asks for one more.")
    work = work_of(apps, "/feed?before={}", deep)
    most = MOST_INSTRUCTIONS["/feed"] if apps.database == "sqlite" else MOST_ROWS
    why = (
        "The database reads what comes before the page and throws it away. OFFSET does that, and so does a "
        "loop in Python. With WHERE posts.id < before it goes to the place at once."
    )
    expect_little_work(apps, asked, work, most, why)


# 6.17


RANKING = (
    "Up to ten authors: id, username, and posts, the number of their published posts. The highest number "
    "comes first, and of equal ones the smallest id. Who has published nothing isn't in the list."
)
FORGET = (
    "The answer was kept although the ranking has changed. Whatever publishes or deletes a post, or deletes "
    "a user, has to make the cache forget it once the change is committed."
)


@step("6.17")
def test_the_authors_are_ranked(apps: Apps) -> None:
    """GET /authors/top answers up to ten authors, those with the most published posts first."""
    people = add_users(apps, *(f"author{number}" for number in range(13)))
    for number, owner in enumerate(people):
        add_posts(apps, owner, 1 + number // 3, published=True)
    add_posts(apps, people[0], 9, published=False)
    add_users(apps, "silent")
    apps.get("/authors/top", ordered=True, why=RANKING)
    apps.get("/authors/top", ordered=True, why=f"The same, asked a second time. {RANKING}")


def expect_kept(apps: Apps, after: str, why: str = FORGET) -> None:
    """The ranking is right, and asked again it costs no query."""
    apps.get("/authors/top", ordered=True, why=why)
    with apps.yours.recorded() as statements:
        apps.get("/authors/top", ordered=True, why="The answer that was kept is the one that was given.")
    asked = [statement for statement in statements if re.search(r"\bposts\b", statement)]
    apps.expect(
        not asked,
        f"GET /authors/top for the second time {after}",
        expected="no statement that reads posts",
        yours=f"{len(asked)} statement{'s' * (len(asked) > 1)}",
        why="The first request keeps its answer in the cache, and the second finds it there.",
        statements=asked,
    )


@step("6.17")
def test_the_ranking_is_kept_until_it_changes(apps: Apps) -> None:
    """The ranking is asked of the database once, and again after each change that the app makes."""
    ann, bob = sign_up(apps, "ann"), sign_up(apps, "bob")
    (cleo,) = add_users(apps, "cleo")
    for post_id, owner in enumerate((ann, ann, bob, bob, bob, cleo), 1):
        add_post(apps, post_id, owner, published=post_id in {1, 3})
    expect_kept(apps, "in a row", why=RANKING)
    for post_id in (4, 5):
        apps.post("/posts/{}/publish", post_id, auth=login("bob"), status_only=True)
    expect_kept(apps, "since a post was published")
    answer = apps.yours.delete("/posts/4", auth=login("bob"))  # a route of 6.13
    if answer.status in {200, 204}:
        apps.reference.delete("/posts/4", auth=login("bob"))
        expect_kept(apps, "since a post was deleted")
    apps.delete("/users/{}", bob, auth=login("bob"), status_only=True)
    expect_kept(apps, "since a user was deleted")


@step("6.17", databases=["postgresql"])
def test_it_is_forgotten_after_the_commit(apps: Apps) -> None:
    """A ranking that is read while a post's publication commits isn't kept beyond it."""
    ann = sign_up(apps, "ann")
    add_post(apps, 1, ann)
    add_post(apps, 2, ann, published=False)
    apps.sql(
        "CREATE FUNCTION wait_for_reader() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN PERFORM pg_advisory_xact_lock({ADVISORY_LOCK}); RETURN NULL; END $$"
    )
    apps.sql(
        "CREATE CONSTRAINT TRIGGER slow_commit AFTER UPDATE ON posts DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION wait_for_reader()"
    )
    before = apps.get("/authors/top", why=RANKING)
    with ThreadPoolExecutor(1) as pool, apps.yours.connection() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
        sent = pool.submit(apps.yours.post, "/posts/2/publish", auth=login("ann"), timeout=15)
        _wait_for_commit(apps, sent)
        meanwhile = apps.yours.get("/authors/top")
        committing = not sent.done()  # it waits for the lock of this block
        connection.commit()
        answer = sent.result()
    apps.expect(
        meanwhile.body == before.yours or not committing,
        "GET /authors/top while a publication waits in its COMMIT",
        expected=before.yours,
        yours=meanwhile.body if meanwhile.status == 200 else f"{meanwhile.status}  {meanwhile.error}".strip(),
        why="Nobody knows whether the COMMIT will succeed, so nobody may see or keep the new ranking yet.",
    )
    apps.expect(
        answer.status == 200, answer.asked, expected="200", yours=f"{answer.status}  {answer.error}".strip()
    )
    apps.reference.post("/posts/2/publish", auth=login("ann"))
    apps.get(
        "/authors/top",
        why="Somebody asked for the ranking while the publication was about to be committed, and saw the old "
        "one, as is right. But the cache had forgotten too early, so it kept this old answer. Forget when "
        'the commit is done: event.listen(session, "after_commit", ..., once=True).',
    )


def _wait_for_commit(apps: Apps, sent: "Future[Any]") -> None:
    """Until the request waits in its COMMIT, or has been answered."""
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = :lock"
    deadline = time.monotonic() + 5
    while not (sent.done() or apps.yours.sql(waiting, lock=ADVISORY_LOCK)) and time.monotonic() < deadline:
        time.sleep(0.01)


@step("6.17", databases=["sqlite"])
def test_cache_url_leads_to_redis(apps: Apps) -> None:
    """With CACHE_URL, the app connects to the Redis server that it names."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        environment = {"CACHE_URL": f"redis://127.0.0.1:{listener.getsockname()[1]}/0"}

        def ask() -> str:
            apps.yours.start(environment=environment)
            answer = apps.yours.get("/authors/top")
            return f"no connection; GET /authors/top answers {answer.status} without it"

        asked = pool.submit(ask)
        said = _first_words(listener, asked)
        apps.yours.stop()  # nobody will answer it
        if not said and asked.exception():
            raise asked.exception() or AssertionError
        apps.expect(
            said.startswith(b"*"),
            "The app with CACHE_URL set to redis://127.0.0.1:..., asked for GET /authors/top",
            expected="it connects there, as a client of Redis",
            yours="" if asked.exception() else asked.result(),
            why="settings.py reads CACHE_URL. If it is there, the cache is the Redis server that it names, "
            "which all processes share; if not, the memory of the process.",
        )


def _first_words(listener: socket.socket, asked: "Future[str]") -> bytes:
    """What the first client says, until the request is answered without one."""
    listener.settimeout(0.05)
    while True:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            if asked.done():
                return b""
            continue
        with connection:
            connection.settimeout(5)
            return connection.recv(100)
