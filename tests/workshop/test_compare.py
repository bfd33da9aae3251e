"""What counts as a difference: every rule of tolerance, and what is never tolerated."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from workshop.compare import Difference, Ids, count, first_difference, schema_difference, show
from workshop.reflect import _default, read_schema

Json = Any


# Values


@pytest.mark.parametrize(
    ("expected", "yours"),
    [
        pytest.param(1, 1.0, id="whole and broken"),
        pytest.param("19.90", 19.9, id="a decimal as text"),
        pytest.param("19.90", "19.9", id="two decimals as text"),
        pytest.param(Decimal("19.90"), 19.9, id="a decimal of the database"),
        pytest.param("5", 5, id="a whole number as text beside a number"),
        pytest.param(-0.0, 0, id="zero"),
        pytest.param("2024-05-01T10:00:00Z", "2025-06-02 11:30:00.25+02:00", id="two aware times"),
        pytest.param("2024-05-01T10:00:00", "2025-06-02 11:30", id="two naive times"),
        pytest.param(datetime(2024, 5, 1, tzinfo=UTC), "2025-06-02T11:30:00Z", id="a time and its text"),
        pytest.param({"detail": "User not found"}, {"detail": "no such user"}, id="texts of errors"),
        pytest.param({"detail": "User not found"}, {}, id="an error without a text"),
        pytest.param({"name": "ann"}, {"name": "ann", "nick": "a"}, id="an extra field"),
        pytest.param({"name": "ann"}, {"name": "ann", "hashtags": [], "secretary": "bea"}, id="no secrets"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, id="an extra field further in"),
        pytest.param([1, 2, 3], [3, 1, 2], id="another order"),
        pytest.param([[1, 2], [3]], [[3], [2, 1]], id="another order further in"),
        pytest.param([{"a": 1}, {"a": 1, "b": 2}], [{"a": 1, "b": 2}, {"a": 1}], id="an item within another"),
        pytest.param([{"n": "1.0"}, {"n": 2}], [{"n": "2.00"}, {"n": 1}], id="order and numbers"),
        pytest.param(({"n": 1},), [{"n": 1}], id="a tuple and a list"),
    ],
)
@pytest.mark.parametrize(
    "wrap", [lambda value: value, lambda value: {"user": [value]}], ids=["bare", "inside"]
)
def test_equal(expected: Json, yours: Json, wrap: Callable[[Json], Json]) -> None:
    assert first_difference(wrap(expected), wrap(yours)) is None


@pytest.mark.parametrize(
    ("expected", "yours"),
    [
        pytest.param(True, 1, id="true and 1"),
        pytest.param(False, 0, id="false and 0"),
        pytest.param(0, False, id="0 and false"),
        pytest.param("true", True, id="true and its text"),
        pytest.param("007", "7", id="texts of digits"),
        pytest.param("007", 7, id="a text that no number is written like"),
        pytest.param("5", "5.0.1", id="a version"),
        pytest.param("٣", 3, id="digits of another script"),
        pytest.param("1.5", "1.5\n", id="a line feed"),
        pytest.param(19.9, 19.91, id="numbers"),
        pytest.param(2**60, 2**60 + 1, id="large numbers"),
        pytest.param("ann", "Ann", id="letters"),
        pytest.param("", None, id="an empty text and nothing"),
        pytest.param(None, 0, id="nothing and zero"),
        pytest.param(None, False, id="nothing and false"),
        pytest.param([], {}, id="a list and an object"),
        pytest.param([], None, id="a list and nothing"),
        pytest.param({"a": 1}, [{"a": 1}], id="an object and a list of it"),
        pytest.param("2024-05-01T10:00:00", "2024-05-01T10:00:00Z", id="naive and aware"),
        pytest.param("2024-05-01T10:00:00Z", None, id="a time and nothing"),
        pytest.param("2024-05-01T10:00:00Z", "yesterday", id="a time and a text"),
        pytest.param("2024-05-01", "2024-05-02", id="days are compared by value"),
        pytest.param({"a": None}, {}, id="null and a missing field"),
        pytest.param({"a": 1}, {"a": 1, "password_hash": "x"}, id="a secret"),
        pytest.param({"a": 1}, {"a": 1, "hashedPassword": "x"}, id="a secret of another name"),
        pytest.param({"a": 1}, {"a": 1, "b": 2, "owner": {"pwd": "x"}}, id="a secret inside an extra field"),
        pytest.param({"a": 1}, {"a": 1, "owners": [{"secret": "x"}]}, id="a secret inside an extra list"),
        pytest.param([1, 2], [1, 2, 2], id="an item too many"),
        pytest.param([1, 1, 2], [1, 2, 2], id="as many, but others"),
        pytest.param({"tag_ids": [1, 2]}, {"tag_ids": [1, 3]}, id="a list of ids"),
    ],
)
@pytest.mark.parametrize(
    "wrap", [lambda value: value, lambda value: {"user": [value]}], ids=["bare", "inside"]
)
def test_different(expected: Json, yours: Json, wrap: Callable[[Json], Json]) -> None:
    assert first_difference(wrap(expected), wrap(yours))


@pytest.mark.parametrize("yours", [[1, 3, 2], [3, 2, 1]])
def test_order_matters_when_it_is_fixed(yours: list[int]) -> None:
    assert first_difference([1, 2, 3], yours) is None
    assert first_difference([1, 2, 3], yours, ordered=True)
    assert first_difference({"a": [{"b": [1, 2, 3]}]}, {"a": [{"b": yours}]}, ordered=True)


# What the learner reads


@pytest.mark.parametrize(
    ("expected", "yours", "told"),
    [
        ({"name": "ann"}, {"name": "bea"}, Difference("name", '"ann"', '"bea"')),
        ({"name": None}, {}, Difference("name", "null", "no such field")),
        ({"id": 1}, {"id": "1"}, Difference("id", "1 (a number)", '"1" (a text)')),
        ({"draft": True}, {"draft": 1}, Difference("draft", "true (a boolean)", "1 (a number)")),
        ({"draft": True}, {"draft": []}, Difference("draft", "true (a boolean)", "[] (a list)")),
        (
            {"at": "2024-05-01T10:00:00Z"},
            {"at": "2024-05-01T10:00:00"},
            Difference(
                "at",
                'a time with a time zone: "2024-05-01T10:00:00Z"',
                'a time without a time zone: "2024-05-01T10:00:00"',
            ),
        ),
        (
            {"name": "ann"},
            {"name": "ann", "password_hash": "$argon2id$"},
            Difference("password_hash", "no such field: it is a secret", '"$argon2id$"'),
        ),
        (
            {"posts": [{"title": "A"}, {"title": "B"}]},
            {"posts": []},
            Difference("posts", "2 items: A, B", "0 items"),
        ),
        (
            {"posts": [{"title": "A", "tags": ["x"]}]},
            {"posts": [{"title": "A", "tags": ["y"]}]},
            Difference("posts[0].tags[0]", '"x"', '"y"'),
        ),
    ],
)
def test_a_difference_in_words(expected: Json, yours: Json, told: Difference) -> None:
    assert first_difference(expected, yours) == told


def test_an_item_is_told_beside_the_one_it_resembles() -> None:
    expected = [{"title": "Hello", "published": 0}, {"title": "Again", "published": 1}]
    yours = [{"title": "Again", "published": 1}, {"title": "Hello", "published": 1}]
    assert first_difference(expected, yours) == Difference("[0].published", "0", "1")


def test_long_texts_are_told_where_they_differ() -> None:
    found = first_difference("x" * 200 + "ann" + "y" * 200, "x" * 200 + "bea" + "y" * 200)
    assert found and "ann" in found.expected and "bea" in found.yours
    assert max(len(found.expected), len(found.yours)) <= 70


def test_long_values_are_cut() -> None:
    assert show("short") == '"short"'
    assert len(show(["text"] * 100)) == 60 and show(["text"] * 100).endswith("…")
    assert show({"at": datetime(2024, 5, 1, tzinfo=UTC), "price": Decimal("1.5")})


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([], "0 items"),
        ([1], "1 item"),
        ([{"username": "ann"}, {"title": "Hello"}], "2 items: ann, Hello"),
        ([{"name": "ann"}, {"id": 2}], "2 items"),
        ([{"name": "a"}] * 5, "5 items"),
    ],
)
def test_a_list_is_counted(items: list[Any], told: str) -> None:
    assert count(items) == told


# Ids


def users(*pairs: tuple[int, str]) -> list[dict[str, Any]]:
    return [{"id": number, "name": name} for number, name in pairs]


def leads_to_users(name: str) -> str:
    return {"owner_id": "users"}.get(name, "")


def test_ids_correspond() -> None:
    ids = Ids(leads_to_users)
    assert not first_difference({"id": 7, "name": "ann"}, {"id": 1, "name": "ann"}, ids=ids, kind="users")
    assert not first_difference({"id": 8, "name": "bea"}, {"id": 2, "name": "bea"}, ids=ids, kind="users")
    assert not first_difference({"id": 3, "owner_id": 7}, {"id": 9, "owner_id": 1}, ids=ids, kind="posts")
    assert first_difference({"owner_id": 7}, {"owner_id": 2}, ids=ids, kind="posts")
    assert first_difference({"owner_id": 7}, {"owner_id": 7}, ids=ids, kind="posts")


def test_a_foreign_key_to_the_wrong_user_is_a_difference() -> None:
    ids = Ids(leads_to_users)
    assert not first_difference(
        users((1, "ann"), (2, "bea")), users((1, "ann"), (2, "bea")), ids=ids, kind="users"
    )
    assert first_difference({"owner_id": 1}, {"owner_id": 2}, ids=ids, kind="posts")


def test_a_foreign_key_that_is_equal_by_chance_is_a_difference() -> None:
    ids = Ids(leads_to_users)
    assert not first_difference(
        users((1, "ann"), (2, "bea")), users((2, "ann"), (1, "bea")), ids=ids, kind="users"
    )
    found = first_difference({"owner_id": 1}, {"owner_id": 1}, ids=ids, kind="posts")
    assert found == Difference("owner_id", "2", "1")  # in the learner's own numbers


def test_one_id_for_two_rows_is_a_difference() -> None:
    assert first_difference(users((1, "ann"), (2, "bea")), users((1, "ann"), (1, "bea")), kind="users")


def test_an_id_that_changes_is_a_difference() -> None:
    ids = Ids()
    assert not first_difference({"id": 1}, {"id": 1}, ids=ids, kind="users")
    assert first_difference({"id": 1}, {"id": 2}, ids=ids, kind="users")
    assert first_difference({"id": 2}, {"id": 1}, ids=ids, kind="users")


def test_ids_of_different_kinds_have_nothing_to_do_with_each_other() -> None:
    """PostgreSQL uses up an id for each refused row, so posts and users may be apart by different numbers."""
    ids = Ids(leads_to_users)
    assert not first_difference({"id": 3}, {"id": 2}, ids=ids, kind="users")
    assert not first_difference({"id": 3}, {"id": 1}, ids=ids, kind="posts")
    assert not first_difference({"id": 4, "owner_id": 3}, {"id": 2, "owner_id": 2}, ids=ids, kind="posts")
    assert not first_difference(
        {"owner_id": 1}, {"owner_id": 1}, ids=ids, kind="posts"
    )  # stored by the check


def test_a_foreign_key_of_unknown_target_may_be_equal_or_known() -> None:
    ids = Ids()
    assert not first_difference({"id": 3}, {"id": 2}, ids=ids, kind="users")
    assert not first_difference({"editor_id": 3}, {"editor_id": 2}, ids=ids, kind="posts")
    assert not first_difference({"editor_id": 3}, {"editor_id": 3}, ids=ids, kind="posts")
    assert first_difference({"editor_id": 3}, {"editor_id": 4}, ids=ids, kind="posts")


def test_ids_inside_are_of_another_kind() -> None:
    ids = Ids()
    expected = {"id": 1, "posts": [{"id": 1}, {"id": 2}], "owner": {"id": 5}}
    yours = {"id": 2, "posts": [{"id": 8}, {"id": 7}], "owner": {"id": 2}}
    assert not first_difference(expected, yours, ids=ids, kind="users")


def test_a_failed_match_leaves_no_ids_behind() -> None:
    expected = [{"id": 1, "name": "ann", "n": 1}, {"id": 2, "name": "bea", "n": 2}]
    yours = [{"id": 5, "name": "bea", "n": 2}, {"id": 6, "name": "ann", "n": 1}]
    ids = Ids()
    assert not first_difference(expected, yours, ids=ids, kind="users")
    assert ids.pairs == {"users": {1: 6, 2: 5}}


@pytest.mark.parametrize("yours", ["1", 1.5, None, True, [1]])
@pytest.mark.parametrize("name", ["id", "owner_id"])
def test_an_id_is_a_whole_number(name: str, yours: Json) -> None:
    assert first_difference({name: 1}, {name: yours})


# Properties


def random_value(dice: random.Random, depth: int = 3) -> Json:
    scalars = [
        None,
        True,
        False,
        dice.randint(-5, 5),
        dice.random(),
        dice.choice("abc"),
        "2024-05-01T10:00:00Z",
    ]
    if depth == 0 or dice.random() < 0.4:
        return dice.choice(scalars)
    items = [random_value(dice, depth - 1) for _ in range(dice.randint(0, 4))]
    names = ["id", "owner_id", "title", "tags", "detail", "price"]
    return items if dice.random() < 0.5 else dict(zip(dice.sample(names, len(items)), items, strict=True))


def shuffled(dice: random.Random, value: Json) -> Json:
    if isinstance(value, dict):
        items = [(name, shuffled(dice, item)) for name, item in value.items()]
        return dict(dice.sample(items, len(items)))
    return (
        [shuffled(dice, item) for item in dice.sample(value, len(value))]
        if isinstance(value, list)
        else value
    )


def test_a_value_never_differs_from_itself() -> None:
    for seed in range(200):
        dice = random.Random(seed)
        value = random_value(dice)
        assert first_difference(value, value, ordered=True, kind="users") is None, seed
        assert first_difference(value, shuffled(dice, value), kind="users") is None, seed


def test_any_change_of_one_value_is_found() -> None:
    dice = random.Random(1)
    for _ in range(200):
        value = {
            "rows": [{"n": dice.randint(0, 3), "t": dice.choice("ab")} for _ in range(dice.randint(1, 5))]
        }
        changed: Json = {"rows": [dict(row) for row in value["rows"]]}
        dice.choice(changed["rows"])["n"] += 10
        assert first_difference(value, shuffled(dice, changed))


@pytest.mark.parametrize("with_ids", [True, False])
def test_long_lists_in_any_order_are_fast(with_ids: bool) -> None:
    """Each of a thousand items has its match at the other end: one try for each, not half a million."""
    expected = [{"name": f"user {n}"} | ({"id": n} if with_ids else {}) for n in range(1000)]
    yours = [{"name": f"user {n}"} | ({"id": n + 5000} if with_ids else {}) for n in reversed(range(1000))]
    began = time.process_time()
    assert first_difference(expected, yours, kind="users") is None
    yours[500]["name"] = "somebody else"
    assert first_difference(expected, yours, kind="users")
    assert time.process_time() - began < 2  # it was 20 with a try for each pair, and is 0.1


# Schemas

FOREIGN_KEY = (
    "CONSTRAINT fk_posts_owner_id_users FOREIGN KEY(owner_id) REFERENCES users (id) ON DELETE CASCADE"
)
SCRIPT = f"""
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    email VARCHAR(100) NOT NULL,
    active BOOLEAN DEFAULT FALSE NOT NULL,
    status VARCHAR(20) DEFAULT 'draft',
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT uq_users_email UNIQUE (email)
);
CREATE TABLE posts (
    id INTEGER PRIMARY KEY,
    title VARCHAR NOT NULL,
    price NUMERIC(10, 2),
    owner_id INTEGER NOT NULL,
    series_id INTEGER,
    number INTEGER,
    CONSTRAINT uq_posts_series UNIQUE (series_id, number),
    CONSTRAINT ck_posts_price CHECK (price >= 0),
    {FOREIGN_KEY}
);
CREATE INDEX ix_posts_owner_id ON posts (owner_id)
"""


def schema_of(script: str) -> dict[str, Any]:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        for statement in filter(str.strip, script.split(";")):
            connection.exec_driver_sql(statement)
        schema = read_schema(connection)
    engine.dispose()
    return schema


REFERENCE = schema_of(SCRIPT)


def changed(*replacements: tuple[str, str]) -> dict[str, Any]:
    """The reference's schema with some of its text replaced."""
    script = SCRIPT
    for old, new in replacements:
        assert old in script
        script = script.replace(old, new)
    return schema_of(script)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            "status VARCHAR(20) DEFAULT 'draft',\n",
            "nick TEXT,\nstatus TEXT DEFAULT 'x',\n",
            id="not asked for",
        ),
        pytest.param("DATETIME", "TIMESTAMP", id="another name of a type"),
        pytest.param("DEFAULT FALSE", "DEFAULT '0'", id="false as 0"),
        pytest.param("DEFAULT FALSE", "DEFAULT (0)", id="in parentheses"),
        pytest.param("DEFAULT CURRENT_TIMESTAMP", "DEFAULT (datetime('now'))", id="another clock"),
        pytest.param("DEFAULT CURRENT_TIMESTAMP", "DEFAULT (STRFTIME('%Y-%m-%d', 'NOW'))", id="yet another"),
        pytest.param(
            "CONSTRAINT uq_users_email UNIQUE (email)",
            "CHECK (TRUE)); CREATE UNIQUE INDEX e ON users (email",
            id="unique index",
        ),
        pytest.param(
            "uq_posts_series UNIQUE (series_id, number)", "u UNIQUE (number, series_id)", id="order"
        ),
        pytest.param("fk_posts_owner_id_users", "something", id="names"),
        pytest.param("ix_posts_owner_id", "something", id="name of an index"),
        pytest.param("series_id INTEGER", "series_id BIGINT", id="size of a number"),
        pytest.param("number INTEGER,", "number INTEGER DEFAULT NULL,", id="a default of nothing"),
        pytest.param("price >= 0", "0 <= price", id="words of a check"),
    ],
)
def test_equal_schemas(old: str, new: str) -> None:
    yours = changed((old, new))
    for what in ("posts", "users.id", "users.email", "users.active", "users.created_at"):
        assert schema_difference(REFERENCE, yours, what) is None


def test_rules_beside_their_columns_are_seen() -> None:
    yours = changed(
        (FOREIGN_KEY, "CHECK (TRUE)"),
        ("owner_id INTEGER NOT NULL", "owner_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE"),
        ("CONSTRAINT uq_users_email UNIQUE (email)", "CHECK (TRUE)"),
        ("email VARCHAR(100) NOT NULL", "email VARCHAR(100) NOT NULL UNIQUE"),
    )
    for what in ("posts", "users.email"):
        assert schema_difference(REFERENCE, yours, what) is None


@pytest.mark.parametrize(
    ("what", "old", "new", "told"),
    [
        (
            "users",
            "CREATE TABLE users",
            "CREATE TABLE people",
            Difference("table users", "exists", "no such table (there are: people, posts)"),
        ),
        (
            "users.status",
            "status VARCHAR",
            "state VARCHAR",
            Difference(
                "column users.status",
                "exists",
                "no such column (there are: id, email, active, state, created_at)",
            ),
        ),
        (
            "users.email",
            "VARCHAR(100)",
            "VARCHAR(50)",
            Difference("column users.email", "VARCHAR(100)", "VARCHAR(50)"),
        ),
        ("users.email", "VARCHAR(100)", "VARCHAR", Difference("column users.email", "VARCHAR(100)", "TEXT")),
        (
            "users",
            "email VARCHAR(100) NOT NULL",
            "email VARCHAR(100)",
            Difference("column users.email", "NOT NULL", "may be NULL"),
        ),
        (
            "users.active",
            "DEFAULT FALSE",
            "DEFAULT TRUE",
            Difference("column users.active", "DEFAULT false", "DEFAULT true"),
        ),
        (
            "users.active",
            "BOOLEAN DEFAULT FALSE",
            "INTEGER DEFAULT 0",
            Difference("column users.active", "BOOLEAN", "INTEGER"),
        ),
        (
            "users.status",
            " DEFAULT 'draft'",
            "",
            Difference("column users.status", "DEFAULT draft", "no default in the database"),
        ),
        (
            "users.status",
            "'draft'",
            "'unknown'",
            Difference("column users.status", "DEFAULT draft", "DEFAULT unknown"),
        ),
        (
            "users.created_at",
            "CURRENT_TIMESTAMP",
            "'2024-05-01 10:00:00'",
            Difference("column users.created_at", "DEFAULT the current time", "DEFAULT 2024-05-01 10:00:00"),
        ),
        (
            "posts.price",
            "NUMERIC(10, 2)",
            "FLOAT",
            Difference("column posts.price", "NUMERIC(10, 2)", "FLOAT"),
        ),
        (
            "users.email",
            "CONSTRAINT uq_users_email UNIQUE (email)",
            "CHECK (TRUE)",
            Difference("users.email", "unique", "no unique"),
        ),
        (
            "users.email",
            "CONSTRAINT uq_users_email UNIQUE (email)",
            "CHECK (TRUE)); CREATE UNIQUE INDEX e ON users (email) WHERE (active",
            Difference("users.email", "unique", "unique where a condition holds"),
        ),
        (
            "users.status",
            "CONSTRAINT uq_users_email UNIQUE (email)",
            "UNIQUE (email), UNIQUE (status)",
            Difference("users.status", "no unique", "unique"),
        ),
        (
            "posts",
            "UNIQUE (series_id, number)",
            "UNIQUE (number)",
            Difference("posts.series_id, number", "unique", "no unique"),
        ),
        (
            "posts.owner_id",
            " ON DELETE CASCADE",
            "",
            Difference(
                "posts.owner_id",
                "foreign key to users.id ON DELETE CASCADE",
                "foreign key to users.id",
            ),
        ),
        (
            "posts",
            "CASCADE",
            "SET NULL",
            Difference(
                "posts.owner_id",
                "foreign key to users.id ON DELETE CASCADE",
                "foreign key to users.id ON DELETE SET NULL",
            ),
        ),
        (
            "posts",
            FOREIGN_KEY,
            "CHECK (TRUE)",
            Difference("posts.owner_id", "foreign key to users.id ON DELETE CASCADE", "no foreign key"),
        ),
        (
            "posts.owner_id",
            "CREATE INDEX ix_posts_owner_id ON posts (owner_id)",
            "",
            Difference("posts.owner_id", "index", "no index"),
        ),
        (
            "posts",
            "    CONSTRAINT ck_posts_price CHECK (price >= 0),\n",
            "",
            Difference("posts", "check", "no check"),
        ),
        (
            "users",
            "id INTEGER PRIMARY KEY,\n    email",
            "id INTEGER NOT NULL,\n    email",
            Difference("column users.id", "part of the primary key", "no part of the primary key"),
        ),
    ],
)
def test_different_schemas(what: str, old: str, new: str, told: Difference) -> None:
    assert schema_difference(REFERENCE, changed((old, new)), what) == told


def test_an_index_beside_a_primary_key_is_a_difference() -> None:
    yours = changed(("CREATE INDEX", "CREATE INDEX needless ON posts (id); CREATE INDEX"))
    assert schema_difference(REFERENCE, yours, "posts.id") == Difference("posts.id", "no index", "index")
    assert schema_difference(REFERENCE, yours, "posts") is None  # a table may have more than the reference


@pytest.mark.parametrize(
    ("what", "old", "new", "told"),
    [
        (
            "users.email",
            "uq_users_email",
            "email_key",
            Difference("unique of users.email", "named uq_users_email", "named email_key"),
        ),
        (
            "users.email",
            "CONSTRAINT uq_users_email ",
            "",
            Difference("unique of users.email", "named uq_users_email", "has no name"),
        ),
        (
            "posts",
            "fk_posts_owner_id_users",
            "posts_fk",
            Difference("foreign key of posts.owner_id", "named fk_posts_owner_id_users", "named posts_fk"),
        ),
        (
            "posts.owner_id",
            "ix_posts_owner_id",
            "owner",
            Difference("index of posts.owner_id", "named ix_posts_owner_id", "named owner"),
        ),
    ],
)
def test_names_are_compared_only_when_asked_for(what: str, old: str, new: str, told: Difference) -> None:
    yours = changed((old, new))
    assert schema_difference(REFERENCE, yours, what) is None
    assert schema_difference(REFERENCE, yours, what, ["names"]) == told


def test_only_the_parts_asked_for_are_compared() -> None:
    yours = changed(("VARCHAR(100) NOT NULL", "VARCHAR(50)"))
    assert schema_difference(REFERENCE, yours, "users.email", ["unique", "default"]) is None
    assert schema_difference(REFERENCE, yours, "users.email", ["nullable"])
    assert schema_difference(REFERENCE, yours, "users.email", ["type"])


def test_the_reference_never_differs_from_itself() -> None:
    for what in ("users", "posts", "users.id", "users.email", "posts.owner_id"):
        assert schema_difference(REFERENCE, schema_of(SCRIPT), what, ["type", "default", "names"]) is None


@pytest.mark.parametrize(
    ("kind", "spelling", "one_spelling"),
    [
        (sa.Boolean(), "false", "false"),
        (sa.Boolean(), "0", "false"),
        (sa.Boolean(), "'t'::boolean", "true"),
        (sa.Integer(), "0", "0"),
        (sa.Integer(), "'0'", "0"),
        (sa.Integer(), "nextval('users_id_seq'::regclass)", None),
        (sa.String(20), "'draft'::character varying", "draft"),
        (sa.String(20), "'draft'::character varying(20)", "draft"),
        (sa.String(20), "('draft'::character varying)", "draft"),
        (sa.String(20), "NULL::character varying", None),
        (sa.String(20), "'unknown'::text", "unknown"),
        (sa.Numeric(10, 2), "'0'::numeric(10,2)", "0"),
        (sa.DateTime(), "now()", "the current time"),
        (sa.DateTime(), "CURRENT_TIMESTAMP", "the current time"),
        (sa.DateTime(), "timezone('utc'::text, now())", "the current time"),
        (sa.DateTime(), "clock_timestamp()", "the current time"),
        (sa.String(), None, None),
    ],
)
def test_defaults_have_one_spelling_on_both_databases(
    kind: sa.types.TypeEngine[Any], spelling: str | None, one_spelling: str | None
) -> None:
    assert _default({"name": "one", "type": kind, "nullable": True, "default": spelling}) == one_spelling
