"""What a query may be: one SELECT over the views, as DuckDB's own parser understands it.

The parser's tree comes from `json_serialize_sql` (DuckDB, "SQL to/from JSON"), which takes SELECT alone. What reads
something else than the views is refused by its place in the tree, before anything is looked up; the settings of the
connection and the limits of the process are there for what is not foreseen here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import duckdb
import orjson

TABLE_FUNCTIONS = frozenset({"generate_series", "range", "unnest"})
"""Functions that may stand where a table does: those that make rows of nothing but their arguments."""

REFUSED_FUNCTIONS = frozenset({"current_setting", "getenv", "getvariable", "nextval", "currval", "write_log"})
"""Functions that read or write what is no part of a row."""

_NOT_READ = frozenset({"SHOW_REF", "COLUMN_DATA"})
"""What may stand where a table does in DuckDB, and is neither a view nor made of some."""


class Refused(Exception):
    """A query that is not run; the message says why, and what would be."""


class UnknownRelation(Exception):
    """A query names a relation that is no view; the message is its name."""


def relations(connection: duckdb.DuckDBPyConnection, sql: str, views: Collection[str]) -> list[str]:
    """The views that a query reads, by name.

    Raises:
        Refused: it is not one SELECT, or reads something else than views.
        UnknownRelation: it names a relation that is no view.
        duckdb.Error: it cannot be parsed.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise Refused(f"A query is one SELECT; this is {len(statements)} statements. Send them one by one.")
    try:
        kind = statements[0].type
    except ValueError:  # some kinds have no name in Python
        raise Refused("A query is one SELECT; this is not. Nothing can be changed, set or loaded here.") from None
    if kind != duckdb.StatementType.SELECT:
        raise Refused(f"A query is one SELECT; this is {kind.name}. Nothing can be changed, set or loaded here.")
    nodes = list(_nodes(_tree(connection, sql)))
    for node in nodes:
        _check_functions(node)
    made = {name for node in nodes for name in _made_by(node)}
    return sorted({name for node in nodes for name in _read_by(node, views, made)})


def _tree(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    ((text,),) = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    try:
        tree: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Refused("The query is nested too deeply. Name its parts in a WITH clause.") from None
    if tree["error"]:
        raise Refused(f"A query is one SELECT. {tree['error_message']}.")
    return tree


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    """All objects of a tree. It may be deep, so that a function that calls itself would not do."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _check_functions(node: dict[str, Any]) -> None:
    kind = node.get("type")
    if kind in _NOT_READ:
        raise Refused("DESCRIBE, SHOW and SUMMARIZE are not answered; GET /v1/views says what each column means.")
    if kind == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"]).lower()
        if name not in TABLE_FUNCTIONS:
            raise Refused(
                f"{name}() is not answered: a query reads the views, and {', '.join(sorted(TABLE_FUNCTIONS))}."
            )
    name = str(node.get("function_name", "")).lower()
    if name in REFUSED_FUNCTIONS:
        raise Refused(f"{name}() is not answered: a query reads the views and nothing else.")


def _made_by(node: dict[str, Any]) -> Iterator[str]:
    """The names that a WITH clause gives."""
    named = node.get("cte_map")
    for entry in named["map"] if named else ():
        yield str(entry["key"]).lower()


def _read_by(node: dict[str, Any], views: Collection[str], made: Collection[str]) -> Iterator[str]:
    if node.get("type") != "BASE_TABLE":
        return
    qualified = node["qualified_name"]["path"]
    name = ".".join(qualified)
    if len(qualified) == 1 and name.lower() in views:
        yield name.lower()
    elif len(qualified) != 1 or name.lower() not in made:
        raise UnknownRelation(name)
