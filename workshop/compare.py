"""What counts as a difference between a learner's app and the reference. Pure: plain data in, plain data out.

The rules: numbers are compared as numbers, so "19.90" equals 19.9; times by kind, aware or naive; error
texts not at all; ids by correspondence, for two databases may give out different ones; lists in any order
unless told otherwise; extra fields are allowed unless they are secrets.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

UNCOMPARED = {"detail"}  # error texts are the author's own
_SECRET = re.compile(r"passw|pwd|hash|secret", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(?P<zone>Z|[+-]\d\d(:?\d\d)?)?$")
_NUMBER = re.compile(r"-?\d+(\.\d+)?$")
_LONGEST = 60  # characters of a value that are shown


@dataclass(frozen=True)
class Difference:
    """Where two values differ first, and how, in words for a learner."""

    where: str
    expected: str
    yours: str


@dataclass
class Ids:
    """Which id of the learner's database stands for which of the reference's."""

    pairs: set[tuple[Any, Any]] = field(default_factory=set)

    def same(self, expected: Any, yours: Any, *, learn: bool) -> bool:
        """Whether the two ids correspond; with `learn`, a new pair of ids is accepted and remembered."""
        if expected == yours or (expected, yours) in self.pairs:
            return True
        new = learn and isinstance(yours, int) and not isinstance(yours, bool)
        if new and not any(expected == one or yours == other for one, other in self.pairs):
            self.pairs.add((expected, yours))
            return True
        return False

    def copy(self) -> "Ids":
        return Ids(set(self.pairs))


def first_difference(
    expected: Any, yours: Any, *, ordered: bool = False, ids: Ids | None = None, where: str = ""
) -> Difference | None:
    """The first difference between two JSON values or database values; None if there is none."""
    ids = Ids() if ids is None else ids
    if isinstance(expected, Mapping) and isinstance(yours, Mapping):
        return _fields(expected, yours, ordered, ids, where)
    if _is_list(expected) and _is_list(yours):
        return _items(expected, yours, ordered, ids, where)
    name = where.rpartition(".")[2]
    if (name == "id" or name.endswith("_id")) and isinstance(expected, int):
        same = ids.same(expected, yours, learn=name == "id")
    else:
        same = _same_value(expected, yours)
    return None if same else Difference(where, _told(expected, yours), _told(yours, expected))


def _fields(
    expected: Mapping[str, Any], yours: Mapping[str, Any], ordered: bool, ids: Ids, where: str
) -> Difference | None:
    prefix = f"{where}." if where else ""
    for name, value in expected.items():
        if name in UNCOMPARED:
            continue
        if name not in yours:
            return Difference(prefix + name, show(value), "no such field")
        found = first_difference(value, yours[name], ordered=ordered, ids=ids, where=prefix + name)
        if found:
            return found
    for name in yours:
        if name not in expected and _SECRET.search(name):
            return Difference(prefix + name, "no such field: it is a secret", show(yours[name]))
    return None


def _items(
    expected: Sequence[Any], yours: Sequence[Any], ordered: bool, ids: Ids, where: str
) -> Difference | None:
    if len(expected) != len(yours):
        return Difference(where, count(expected), count(yours))
    if ordered:
        for index, (one, other) in enumerate(zip(expected, yours, strict=True)):
            found = first_difference(one, other, ordered=True, ids=ids, where=f"{where}[{index}]")
            if found:
                return found
        return None
    left = list(yours)
    for index, one in enumerate(expected):
        match, closest = _best_match(one, left, ids, f"{where}[{index}]")
        if match is None:
            return closest
        left.pop(match)
    return None


def _best_match(
    expected: Any, candidates: Sequence[Any], ids: Ids, where: str
) -> tuple[int | None, Difference | None]:
    """The candidate that equals `expected`, one with the same id first; else the first difference."""
    closest: Difference | None = None
    order = sorted(range(len(candidates)), key=lambda i: _id_of(candidates[i]) != _id_of(expected))
    for index in order:
        tried = ids.copy()
        found = first_difference(expected, candidates[index], ids=tried, where=where)
        if found is None:
            ids.pairs = tried.pairs
            return index, None
        closest = closest or found
    return None, closest


def _id_of(value: Any) -> Any:
    return value.get("id") if isinstance(value, Mapping) else None


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
    if not isinstance(value, str) or not _NUMBER.match(value):
        return False
    return "." in value or not isinstance(other, str)


def time_kind(value: Any) -> str | None:
    """``"aware"`` or ``"naive"`` for a datetime or the text of one, else None."""
    if isinstance(value, datetime):
        return "naive" if value.tzinfo is None else "aware"
    match = _TIME.match(value) if isinstance(value, str) else None
    return match and ("aware" if match["zone"] else "naive")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _told(value: Any, other: Any) -> str:
    """A value in words, with its type where the values alone would look alike."""
    kind = time_kind(value)
    if kind and time_kind(other):
        zone = "with a time zone" if kind == "aware" else "without a time zone"
        return f"a time {zone}: {show(value)}"
    if str(value) == str(other) or isinstance(value, bool) != isinstance(other, bool):
        return f"{show(value)} ({_TYPE_NAMES.get(type(value), type(value).__name__)})"
    return show(value)


_TYPE_NAMES = {bool: "a boolean", str: "a text", int: "a number", float: "a number", type(None): "nothing"}


def show(value: Any) -> str:
    """A value as JSON, cut to a length that fits on a line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
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
        alike = [found for found in yours if found["columns"] == wanted["columns"]]
        if not alike:
            return Difference(where, f"{shown}{wanted['what']}", f"no {shown}")
        if not any(found["what"] == wanted["what"] for found in alike):
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


def _named(where: str, expected: Mapping[str, Any], yours: Mapping[str, Any]) -> Difference:
    return Difference(
        where, f"named {expected['name']}", f"named {yours['name']}" if yours["name"] else "has no name"
    )
