"""What a database says of its own tables, as plain data that `compare.py` can compare."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, inspect
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.sql import sqltypes

_NOW = re.compile(r"\b(now|(current|clock|transaction|statement)_timestamp)\b", re.IGNORECASE)
_CAST = re.compile(r"::[a-z ]+(\([\d,]+\))?\)*$")
_TRUTH = {"0": "false", "f": "false", "1": "true", "t": "true"}


def read_schema(connection: Connection) -> dict[str, Any]:
    """Every table of a database: table → columns, primary key, unique, foreign keys, indexes, checks."""
    inspector = inspect(connection)
    parts: dict[str, Any] = {
        "columns": inspector.get_multi_columns(),
        "primary key": inspector.get_multi_pk_constraint(),
        "unique": inspector.get_multi_unique_constraints(),
        "foreign keys": inspector.get_multi_foreign_keys(),
        "indexes": inspector.get_multi_indexes(),
        "checks": inspector.get_multi_check_constraints(),
    }
    if connection.dialect.name == "sqlite":
        for key in parts["columns"]:
            parts["unique"][key] = _sqlite_unique(connection, key[1], parts["unique"][key])
            parts["foreign keys"][key] = _sqlite_keys(connection, key[1], parts["foreign keys"][key])
    keys = parts["columns"]
    return {key[1]: _table({name: found[key] for name, found in parts.items()}) for key in keys}


# SQLAlchemy reads some of SQLite's rules out of the text of CREATE TABLE, and misses rare spellings.


def _sqlite_unique(connection: Connection, table: str, found: list[Any]) -> list[Any]:
    """What is unique in a table as SQLite itself says, under the names that SQLAlchemy has found."""
    names = {tuple(item["column_names"]): item["name"] for item in found}
    uniques = [index["name"] for index in _pragma(connection, "index_list", table) if index["origin"] == "u"]
    columns = [[row["name"] for row in _pragma(connection, "index_info", name)] for name in uniques]
    return [{"column_names": each, "name": names.get(tuple(each))} for each in columns]


def _sqlite_keys(connection: Connection, table: str, found: list[Any]) -> list[Any]:
    """The foreign keys of a table, with what SQLite itself says that happens on delete."""
    actions = {
        (row["from"], row["table"]): row["on_delete"]
        for row in _pragma(connection, "foreign_key_list", table)
    }
    for key in found:
        action = actions.get((key["constrained_columns"][0], key["referred_table"]))
        key["options"] = {**key.get("options", {}), "ondelete": action}
    return found


def _pragma(connection: Connection, name: str, argument: str) -> list[Any]:
    quoted = argument.replace('"', '""')
    return list(connection.exec_driver_sql(f'PRAGMA {name}("{quoted}")').mappings())


def _table(parts: Mapping[str, Any]) -> dict[str, Any]:
    primary = parts["primary key"]
    indexes = [index for index in parts["indexes"] if not index.get("duplicates_constraint")]
    unique = [*parts["unique"], *(index for index in indexes if index["unique"])]  # two ways to say the same
    key = primary["constrained_columns"]
    return {
        "columns": {
            column["name"]: {
                "type": _type(column["type"]),
                "nullable": column["nullable"] and column["name"] not in key,
                "default": None if column["name"] in key else _default(column),
            }
            for column in parts["columns"]
        },
        "primary key": {"columns": key, "name": primary.get("name")},
        "unique": [
            {"columns": item["column_names"], "name": item["name"], "what": _where(item)} for item in unique
        ],
        "foreign keys": [
            {
                "columns": item["constrained_columns"],
                "name": item["name"],
                "table": item["referred_table"],
                "what": _target(item),
            }
            for item in parts["foreign keys"]
        ],
        "indexes": [
            {"columns": item["column_names"], "name": item["name"], "what": _where(item)}
            for item in indexes
            if not item["unique"]
        ],
        "checks": [{"columns": [], "name": item["name"], "what": ""} for item in parts["checks"]],
    }


def _target(key: Any) -> str:
    action = (key.get("options") or {}).get("ondelete")
    target = f" to {key['referred_table']}.{', '.join(key['referred_columns'])}"
    return target + (f" ON DELETE {action}" if action and action != "NO ACTION" else "")


def _where(index: Any) -> str:
    options = index.get("dialect_options") or {}
    condition = options.get("postgresql_where") or options.get("sqlite_where")
    return " where a condition holds" if condition is not None else ""


def _type(kind: Any) -> str:
    """The family of a type; a length and a precision are part of it, the database's own name is not."""
    match kind:
        case sqltypes.Enum():
            return "ENUM"
        case sqltypes.Boolean():
            return "BOOLEAN"
        case sqltypes.String(length=None):
            return "TEXT"
        case sqltypes.String(length=length):
            return f"VARCHAR({length})"
        case sqltypes.DateTime():
            zone = " WITH TIME ZONE" if getattr(kind, "timezone", False) else ""
            return "TIMESTAMP" + zone
        case sqltypes.Float():
            return "FLOAT"
        case sqltypes.Numeric(precision=precision, scale=scale):
            return f"NUMERIC({precision}, {scale})" if precision else "NUMERIC"
        case sqltypes.Integer():
            return "INTEGER"
        case _:
            return str(kind)


def _default(column: ReflectedColumn) -> str | None:
    """A server default in one spelling for both databases."""
    default = column.get("default")
    if default is None or str(default).startswith("nextval"):
        return None
    text = _CAST.sub("", str(default)).strip("() ")
    if _NOW.search(text):
        return "the current time"
    bare = text.strip("'\"")
    if text.upper() == "NULL":
        return None
    if isinstance(column["type"], sqltypes.Boolean):
        return _TRUTH.get(bare.lower(), bare.lower())
    return bare
