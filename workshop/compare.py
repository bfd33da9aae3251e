"""What counts as a difference between a learner's app and the reference. Pure: plain data in, plain data out.

The rules: numbers are compared as numbers, so "19.90" equals 19.9; times by kind, aware or naive; error
texts not at all; ids by correspondence, for two databases may give out different ones; lists in any order
unless told otherwise; extra fields are allowed unless they are secrets.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

UNCOMPARED = {"detail"}  # error texts are the author's own
_SECRET = re.compile(r"passw|pwd|hash(?!tag)|secret(?!ar)", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(?P<zone>Z|[+-]\d\d(:?\d\d)?)?")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?", re.ASCII)  # 007 is a text
_LONGEST = 60  # characters of a value that are shown


@dataclass(frozen=True)
class Difference:
    """Where two values differ first, and how, in words for a learner."""

    where: str
    expected: str
    yours: str


@dataclass
class Ids:
    """Which id of the learner's database stands for which of the reference's, for each kind of row."""

    table_of: Callable[[str], str] = lambda _name: ""  # foreign key → the kind of row it leads to, if known
    pairs: dict[str, dict[int, int]] = field(default_factory=dict)  # kind → the reference's id → yours
    _backwards: dict[str, dict[int, int]] = field(default_factory=dict)
    _order: list[tuple[str, int, int]] = field(default_factory=list)

    def same(self, kind: str, expected: int, yours: int) -> bool:
        """Whether two ids of one kind correspond; a new pair is remembered."""
        forth, back = self.pairs.setdefault(kind, {}), self._backwards.setdefault(kind, {})
        if expected in forth or yours in back:
            return forth.get(expected) == yours
        forth[expected], back[yours] = yours, expected
        self._order.append((kind, expected, yours))
        return True

    def same_target(self, name: str, expected: int, yours: int) -> bool:
        """Whether two foreign keys of that name lead to rows that correspond."""
        if any(pairs.get(expected) == yours for pairs in self.pairs.values()):
            return True
        if expected != yours:
            return False
        table = self.table_of(name)
        return expected not in self.pairs.get(table, {}) and yours not in self._backwards.get(table, {})

    def translated(self, name: str, kind: str, expected: int) -> int:
        """The learner's id for the reference's, where it is known: what a message should show."""
        return self.pairs.get(kind if name == "id" else self.table_of(name), {}).get(expected, expected)

    def mark(self) -> int:
        """A point in time that `forget` can go back to."""
        return len(self._order)

    def forget(self, mark: int) -> None:
        """Forget the pairs that were remembered since."""
        while len(self._order) > mark:
            kind, expected, yours = self._order.pop()
            del self.pairs[kind][expected], self._backwards[kind][yours]


def first_difference(
    expected: Any,
    yours: Any,
    *,
    ordered: bool = False,
    ids: Ids | None = None,
    where: str = "",
    kind: str = "",
) -> Difference | None:
    """The first difference between two JSON values or database values; None if there is none.

    `kind` is what the values are, such as "users": ids of one kind correspond one to one.
    """
    ids = Ids() if ids is None else ids
    if isinstance(expected, Mapping) and isinstance(yours, Mapping):
        return _fields(expected, yours, ordered, ids, where, kind)
    if _is_list(expected) and _is_list(yours):
        return _items(expected, yours, ordered, ids, where, kind)
    name = where.rpartition(".")[2]
    if _is_id(name) and _is_whole(expected):
        return _ids(expected, yours, ids, where, kind)
    return None if _same_value(expected, yours) else Difference(where, *_told(expected, yours))


def _ids(expected: int, yours: Any, ids: Ids, where: str, kind: str) -> Difference | None:
    name = where.rpartition(".")[2]
    if not _is_whole(yours):
        return Difference(where, *_told(expected, yours))
    same = ids.same(kind, expected, yours) if name == "id" else ids.same_target(name, expected, yours)
    return None if same else Difference(where, *_told(ids.translated(name, kind, expected), yours))


def _is_id(name: str) -> bool:
    return name == "id" or name.endswith("_id")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _fields(
    expected: Mapping[str, Any], yours: Mapping[str, Any], ordered: bool, ids: Ids, where: str, kind: str
) -> Difference | None:
    prefix = f"{where}." if where else ""
    for name, value in expected.items():
        if name in UNCOMPARED:
            continue
        if name not in yours:
            return Difference(prefix + name, show(value), "no such field")
        inner = f"{kind}.{name}" if isinstance(value, Mapping) or _is_list(value) else kind
        found = first_difference(
            value, yours[name], ordered=ordered, ids=ids, where=prefix + name, kind=inner
        )
        if found:
            return found
    leaks = (_leak(value, prefix + name) for name, value in yours.items() if name not in expected)
    return next(filter(None, leaks), None)


def _leak(value: Any, where: str) -> Difference | None:
    """A secret in what is more than the reference returns, at any depth."""
    if _SECRET.search(where.rpartition(".")[2]):
        return Difference(where, "no such field: it is a secret", show(value))
    if isinstance(value, Mapping):
        inner = [(item, f"{where}.{name}") for name, item in value.items()]
    else:
        inner = [(item, f"{where}[{index}]") for index, item in enumerate(value)] if _is_list(value) else []
    return next(filter(None, (_leak(item, place) for item, place in inner)), None)


def _items(
    expected: Sequence[Any], yours: Sequence[Any], ordered: bool, ids: Ids, where: str, kind: str
) -> Difference | None:
    if len(expected) != len(yours):
        return Difference(where, count(expected), count(yours))
    left = _Unmatched(yours)
    for index, one in enumerate(expected):
        place = f"{where}[{index}]"
        for candidate in [index] if ordered else left.like(one):
            mark = ids.mark()
            found = first_difference(one, yours[candidate], ordered=ordered, ids=ids, where=place, kind=kind)
            if found is None:
                left.take(candidate)
                break
            ids.forget(mark)
        else:
            closest = yours[index] if ordered else left.closest(one)
            return first_difference(one, closest, ordered=ordered, ids=ids, where=place, kind=kind)
    return None


class _Unmatched:
    """The learner's items of a list that are still to be matched. In no time for those that look alike."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = dict(enumerate(items))
        self._by_form: dict[frozenset[str], dict[Any, list[int]]] = {}

    def take(self, index: int) -> None:
        """This one has found its match."""
        del self._items[index]

    def like(self, expected: Any) -> Iterator[int]:
        """The places of all items: those that look like `expected` first, the one with its id before them."""
        fields = frozenset(expected if isinstance(expected, Mapping) else ())
        if fields not in self._by_form:
            groups = self._by_form[fields] = {}
            for index, item in self._items.items():
                groups.setdefault(_form(item, fields), []).append(index)
        alike = [one for one in self._by_form[fields].get(_form(expected, fields), ()) if one in self._items]
        alike.sort(key=lambda one: (_id_of(self._items[one]) != _id_of(expected), _size(self._items[one])))
        yield from alike
        yield from sorted(self._items.keys() - alike)

    def closest(self, expected: Any) -> Any:
        """The item that differs from `expected` in the fewest fields."""
        return min(self._items.values(), key=lambda item: _distance(expected, item))


def _form(value: Any, fields: frozenset[str]) -> Any:
    """A value without what is tolerated, coarse but quick: equal items have equal forms."""
    if isinstance(value, Mapping):
        names = sorted(name for name in fields - UNCOMPARED if name in value and not _is_id(name))
        return tuple((name, _form(value[name], frozenset())) for name in names)
    if isinstance(value, bool) or value is None or _is_list(value):
        return type(value).__name__, str(value) if not _is_list(value) else len(value)
    if _is_number(value, 0):
        return Decimal(str(value))
    return time_kind(value) or str(value)


def _distance(expected: Any, yours: Any) -> int:
    """In how many fields two items differ; one with the same id is nearer."""
    if not (isinstance(expected, Mapping) and isinstance(yours, Mapping)):
        return 0
    differing = [name for name in expected if first_difference(expected[name], yours.get(name))]
    return 2 * len(differing) - int(_id_of(expected) == _id_of(yours))


def _id_of(value: Any) -> Any:
    return value.get("id") if isinstance(value, Mapping) else None


def _size(value: Any) -> int:
    return len(value) if isinstance(value, Mapping) else 0


def _same_value(expected: Any, yours: Any) -> bool:
    if expected is None or yours is None:
        return expected is yours
    if isinstance(expected, bool) or isinstance(yours, bool):
        return type(expected) is type(yours) and expected == yours
    if _is_number(expected, yours) and _is_number(yours, expected):
        return Decimal(str(expected)) == Decimal(str(yours))
    kinds = time_kind(expected), time_kind(yours)
    if any(kinds):
        return kinds[0] == kinds[1]
    return bool(expected == yours)


def _is_number(value: Any, other: Any) -> bool:
    """A number, or a decimal written as text; a whole number as text only beside a real number."""
    if isinstance(value, (int, float, Decimal)):
        return True
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return False
    return "." in value or not isinstance(other, str)


def time_kind(value: Any) -> str | None:
    """``"aware"`` or ``"naive"`` for a datetime or the text of one, else None."""
    if isinstance(value, datetime):
        return "naive" if value.tzinfo is None else "aware"
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    return match and ("aware" if match["zone"] else "naive")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _told(expected: Any, yours: Any) -> tuple[str, str]:
    """Two values in words, with what tells them apart: their kind, or the part where they differ."""
    if time_kind(expected) and time_kind(yours):
        return _told_time(expected), _told_time(yours)
    alike = str(expected) == str(yours) or isinstance(expected, bool) != isinstance(yours, bool)
    if alike:
        return f"{show(expected)} ({_type_name(expected)})", f"{show(yours)} ({_type_name(yours)})"
    since = 0
    if isinstance(expected, str) and isinstance(yours, str):
        pairs = enumerate(zip(expected, yours, strict=False))
        part = next((place for place, (one, other) in pairs if one != other), min(len(expected), len(yours)))
        since = max(0, part - _LONGEST // 2)
    return show(expected, since), show(yours, since)


def _told_time(value: Any) -> str:
    zone = "with a time zone" if time_kind(value) == "aware" else "without a time zone"
    return f"a time {zone}: {show(value)}"


def _type_name(value: Any) -> str:
    return _TYPE_NAMES.get(type(value), type(value).__name__)


_TYPE_NAMES = {
    type(None): "nothing",
    bool: "a boolean",
    str: "a text",
    dict: "an object",
    list: "a list",
    **dict.fromkeys((int, float, Decimal), "a number"),
}


def show(value: Any, since: int = 0) -> str:
    """A value as JSON, cut to a length that fits on a line; a text from character `since` on."""
    text = json.dumps(value[since:] if since else value, ensure_ascii=False, default=str)
    text = f"…{text}" if since else text
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def count(items: Sequence[Any]) -> str:
    """``"2 items"``, and what they are called if that is short."""
    total = f"{len(items)} item{'' if len(items) == 1 else 's'}"
    names = (
        [str(item.get("title") or item.get("username") or item.get("name") or "") for item in items[:4]]
        if (items and all(isinstance(item, Mapping) for item in items[:4]))
        else []
    )
    return f"{total}: {', '.join(names)}" if names and all(names) and len(items) <= 4 else total


# Schemas, as `reflect.py` reads them from a database

Schema = Mapping[str, Any]  # table → its columns and constraints
PARTS = ("type", "nullable", "default", "primary key", "unique", "foreign keys", "indexes", "checks")


def schema_difference(
    expected: Schema, yours: Schema, what: str, parts: Iterable[str] = PARTS
) -> Difference | None:
    """The first difference in a table (``"users"``) or one column of it (``"users.email"``)."""
    table, _, column = what.partition(".")
    if table not in yours:
        tables = ", ".join(sorted(yours)) or "none"
        return Difference(f"table {table}", "exists", f"no such table (there are: {tables})")
    one, other = expected[table], yours[table]
    for name in [column] if column else one["columns"]:
        found = _column_difference(one, other, table, name, parts)
        if found:
            return found
    for part, shown in _CONSTRAINTS.items():
        if part in parts or "names" in parts:
            found = _constraint_difference(one[part], other[part], table, column, shown, "names" in parts)
            if found:
                return found
    key = one["primary key"]
    if (
        "names" in parts
        and (not column or column in key["columns"])
        and key["name"] != other["primary key"]["name"]
    ):
        return _named(f"primary key of {table}", key, other["primary key"])
    return None


def _column_difference(
    expected: Mapping[str, Any], yours: Mapping[str, Any], table: str, name: str, parts: Iterable[str]
) -> Difference | None:
    where = f"{table}.{name}"
    if name not in yours["columns"]:
        return Difference(
            f"column {where}", "exists", f"no such column (there are: {', '.join(yours['columns'])})"
        )
    one, other = expected["columns"][name], yours["columns"][name]
    for part in ("type", "nullable", "default"):
        if part in parts and one[part] != other[part]:
            return Difference(f"column {where}", _column_in_words(part, one), _column_in_words(part, other))
    is_key = [name in schema["primary key"]["columns"] for schema in (expected, yours)]
    if "primary key" in parts and is_key[0] != is_key[1]:
        words = {True: "part of the primary key", False: "no part of the primary key"}
        return Difference(f"column {where}", words[is_key[0]], words[is_key[1]])
    return None


def _column_in_words(part: str, column: Mapping[str, Any]) -> str:
    if part == "nullable":
        return "may be NULL" if column["nullable"] else "NOT NULL"
    if part == "default":
        return f"DEFAULT {column['default']}" if column["default"] else "no default in the database"
    return str(column["type"])


_CONSTRAINTS = {"unique": "unique", "foreign keys": "foreign key", "indexes": "index", "checks": "check"}


def _constraint_difference(
    expected: Sequence[Any], yours: Sequence[Any], table: str, column: str, shown: str, named: bool
) -> Difference | None:
    for wanted in expected:
        if column and column not in wanted["columns"]:
            continue
        where = f"{table}.{', '.join(wanted['columns'])}" if wanted["columns"] else table
        in_order: type[Any] = set if shown == "unique" else list  # columns are unique together in any order
        alike = [found for found in yours if in_order(found["columns"]) == in_order(wanted["columns"])]
        if not alike:
            return Difference(where, f"{shown}{wanted['what']}", f"no {shown}")
        if not any(_fits(wanted["what"], found["what"]) for found in alike):
            return Difference(where, f"{shown}{wanted['what']}", f"{shown}{alike[0]['what']}")
        if named and not any(found["name"] == wanted["name"] for found in alike):
            return _named(f"{shown} of {where}", wanted, alike[0])
    for found in (
        yours if column else ()
    ):  # a table may have more than the reference; a column that is asked for, not
        if found["columns"] == [column] and not any(
            found["columns"] == wanted["columns"] for wanted in expected
        ):
            return Difference(f"{table}.{column}", f"no {shown}", f"{shown}{found['what']}")
    return None


def _fits(wanted: str, found: str) -> bool:
    """Whether a constraint does what is wanted. Where no ON DELETE is asked for, any will do."""
    return wanted == (found if " ON DELETE " in wanted else found.partition(" ON DELETE ")[0])


def _named(where: str, expected: Mapping[str, Any], yours: Mapping[str, Any]) -> Difference:
    return Difference(
        where, f"named {expected['name']}", f"named {yours['name']}" if yours["name"] else "has no name"
    )
