"""A view's definition as data, so that a publication can carry it and every process fold by what is public."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

import orjson

from twofold.aggregates import Aggregate, Count, First, Last, Max, Min, Sum
from twofold.errors import DeclarationError, ViewUnreadable
from twofold.finish import Formula
from twofold.view import Described, View

AGGREGATES: dict[str, type[Aggregate]] = {kind().kind: kind for kind in (Count, Sum, Min, Max, First, Last)}
"""The aggregates that there are, by the name that they have in a definition."""

_REMEMBERED = 256


def written(view: View) -> str:
    """A view as JSON. Columns keep their order, which its hash does not tell."""
    data = {
        "name": view.name,
        "source": view.source,
        "keys": view.keys,
        "window_us": view.window_us,
        "lateness_us": view.lateness_us,
        "aggregates": {name: [a.kind, a.column, dict(a.where)] for name, a in view.aggregates.items()},
        "finished": {name: _formula_data(formula) for name, formula in view.finished.items()},
        "described": {name: [*described] for name, described in view.described.items()},
    }
    return orjson.dumps(data).decode()


@lru_cache(maxsize=_REMEMBERED)
def read(definition: str, its_hash: str) -> View:
    """The view that `written` wrote.

    Raises:
        ViewUnreadable: it is made of what this version of Twofold does not know, or means something else to it.
    """
    try:
        view = _view(orjson.loads(definition))
    except (ValueError, KeyError, TypeError, DeclarationError) as error:
        raise ViewUnreadable(
            f"The definition of view {its_hash} in the lake has parts that this version of Twofold does not know "
            f"({type(error).__name__}: {error}). Run the version that built it: {definition[:200]}"
        ) from error
    if view.hash != its_hash:
        raise ViewUnreadable(
            f"View {view.name!r} was built as {its_hash}, and its definition means {view.hash} to this version of "
            "Twofold, which folds otherwise. Run the version that built it, or build the view anew with this one."
        )
    return view


def _view(data: Mapping[str, Any]) -> View:
    return View(
        name=data["name"],
        window=timedelta(microseconds=data["window_us"]),
        aggregates={
            name: AGGREGATES[kind](column, where) for name, (kind, column, where) in data["aggregates"].items()
        },
        finished={name: _formula(parts) for name, parts in data["finished"].items()},
        keys=tuple(data["keys"]),
        source=data["source"],
        lateness=timedelta(microseconds=data["lateness_us"]),
        described={name: Described(*said) for name, said in data["described"].items()},
    )


def _formula_data(formula: Formula) -> list[Any]:
    """A formula as a list: the operator, then what it is applied to."""
    return [formula.operator, *(each if isinstance(each, str) else _formula_data(each) for each in formula.operands)]


def _formula(parts: list[Any]) -> Formula:
    operator, *operands = parts
    if operator == "column" and len(operands) == 1:
        return Formula(operator, (str(operands[0]),))
    left, right = (_formula(each) for each in operands)
    if operator not in {"+", "-", "/"}:
        raise ValueError(f"there is no operator {operator!r} in formulas; there are +, - and /")
    return Formula(operator, (left, right))
