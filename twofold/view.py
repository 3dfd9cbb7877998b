"""Views: a named fold, declared once and compiled for every layer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import NamedTuple

import orjson
import polars as pl

from twofold.aggregates import TRADE_LABELS, TRADE_MEASURES, Aggregate, Count
from twofold.errors import DeclarationError
from twofold.finish import FINISHED_TYPE, Formula

FOLD_RULES = (
    "windows from the epoch, half open; first and last by (event_time, trade_id); finished at 8 places, half to even"
)
"""What every view means by folding; part of every view's hash."""

RESERVED = ("window_start", "window_end", "finality", "revisions", "day")
"""Column names that every answer or table has of its own."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_DAY = timedelta(days=1)


class Described(NamedTuple):
    """What a column means, in a line, and its unit."""

    meaning: str
    unit: str


@dataclass(frozen=True)
class View:
    """A named fold of trades.

    Attributes:
        name: How people ask for it; also the name of its table.
        window: The grain: length of the tumbling windows on event time. It divides a day.
        aggregates: Column name to aggregate.
        finished: Column name to a formula over aggregates, evaluated after all merging.
        keys: The labels that rows are grouped by, beside the window.
        source: What is folded.
        lateness: How long after a window's end the watermark must be before the window is closed.
        described: Column name to what it means and its unit, for people; no part of the view's meaning.

    Raises:
        DeclarationError: the declaration does not make sense; the message names what is wrong and what exists.
    """

    name: str
    window: timedelta
    aggregates: Mapping[str, Aggregate]
    finished: Mapping[str, Formula] = field(default_factory=dict)
    keys: tuple[str, ...] = ("venue", "symbol")
    source: str = "trades"
    lateness: timedelta = timedelta(0)
    described: Mapping[str, Described] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self)

    @property
    def window_us(self) -> int:
        """The grain in microseconds."""
        return self.window // timedelta(microseconds=1)

    @property
    def lateness_us(self) -> int:
        """The allowed lateness in microseconds."""
        return self.lateness // timedelta(microseconds=1)

    @property
    def group(self) -> list[str]:
        """The columns that name one group: keys and window start."""
        return [*self.keys, "window_start"]

    @cached_property
    def state_schema(self) -> pl.Schema:
        """Columns that hold the states of the aggregates."""
        return pl.Schema({name: t for own, a in self.aggregates.items() for name, t in a.state(own).items()})

    @cached_property
    def partial_schema(self) -> pl.Schema:
        """Columns of a partial: the group, the state of each aggregate, and how often the group was revised."""
        labels = dict.fromkeys(self.keys, pl.String())
        start, revisions = {"window_start": pl.Datetime("us", "UTC")}, {"revisions": pl.Int64()}
        return pl.Schema({**labels, **start, **self.state_schema, **revisions})

    def prepared_name(self, state: str) -> str:
        """What a state is called among those of other views."""
        return f"{self.name}.{state}"

    @cached_property
    def prepared_states(self) -> list[pl.Expr]:
        """Expressions over the trades of one group, in event order, that make the states, by their prepared names."""
        states = [state for name, aggregate in self.aggregates.items() for state in aggregate.prepare(name)]
        types = self.state_schema.items()
        return [
            state.cast(dtype).alias(self.prepared_name(name))
            for state, (name, dtype) in zip(states, types, strict=True)
        ]

    @cached_property
    def merged_states(self) -> list[pl.Expr]:
        """Expressions over the partials of one group that make the state of each aggregate."""
        return [state for name, aggregate in self.aggregates.items() for state in aggregate.merge(name)]

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Columns and types of an answer's values: aggregates, then finished columns."""
        values = {name: aggregate.value_type() for name, aggregate in self.aggregates.items()}
        return values | dict.fromkeys(self.finished, FINISHED_TYPE)

    @cached_property
    def hash(self) -> str:
        """A hash of the view's meaning: it does not depend on its name, nor on the order in which parts are written."""
        meaning = {
            "rules": FOLD_RULES,
            "source": self.source,
            "keys": sorted(self.keys),
            "window_us": self.window_us,
            "lateness_us": self.lateness_us,
            "aggregates": {
                name: [aggregate.kind, aggregate.column, dict(aggregate.where)]
                for name, aggregate in self.aggregates.items()
            },
            "finished": {name: formula.meaning() for name, formula in self.finished.items()},
        }
        return hashlib.sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _check(view: View) -> None:
    if not _NAME.fullmatch(view.name):
        _refuse(view, f"its name {view.name!r} is not lower-case letters, digits and '_', starting with a letter")
    if view.source != "trades":
        _refuse(view, f"its source {view.source!r} does not exist; sources: trades")
    if view.window <= timedelta(0) or _DAY % view.window:
        _refuse(view, f"its window of {view.window} does not divide a day; take 1 s, 1 min, 5 min, 1 h or the like")
    if view.lateness < timedelta(0):
        _refuse(view, f"its lateness of {view.lateness} is negative")
    _check_keys(view)
    if not view.aggregates:
        _refuse(view, "it has no aggregates")
    for name, aggregate in view.aggregates.items():
        _check_column_name(view, name)
        _check_aggregate(view, name, aggregate)
    for name, formula in view.finished.items():
        _check_column_name(view, name)
        if name in view.aggregates:
            _refuse(view, f"{name!r} is both an aggregate and a finished column")
        _check_names(view, f"the finished column {name!r} reads", formula.columns(), view.aggregates)
    _check_names(view, "it describes", view.described, view.columns)


def _check_keys(view: View) -> None:
    if not view.keys or len(set(view.keys)) != len(view.keys):
        _refuse(view, f"its keys {view.keys!r} are empty or repeated")
    _check_names(view, "its keys name", view.keys, TRADE_LABELS)
    if not {"venue", "symbol"} <= set(view.keys):
        _refuse(view, "its keys lack 'venue' or 'symbol', which trades are told apart by")


def _check_column_name(view: View, name: str) -> None:
    if not _NAME.fullmatch(name) or "__" in name or name in RESERVED or name in view.keys:
        taken = ", ".join([*RESERVED, *view.keys])
        _refuse(view, f"the column name {name!r} is not free: lower-case, no '__', none of {taken}")


def _check_aggregate(view: View, name: str, aggregate: Aggregate) -> None:
    if isinstance(aggregate, Count):
        if aggregate.column:
            _refuse(view, f"{name!r} counts trades, so it takes no column; {aggregate.column!r} was given")
    else:
        _check_names(view, f"{name!r} aggregates", [aggregate.column], TRADE_MEASURES)
    _check_names(view, f"{name!r} filters on", aggregate.where, TRADE_LABELS)
    for label, value in aggregate.where.items():
        values = TRADE_LABELS[label]
        if values is not None:
            _check_names(view, f"{name!r} wants {label} to be", [value], values)


def _check_names(view: View, doing: str, names: object, exist: object) -> None:
    known = sorted(exist)  # type: ignore[call-overload]  # any collection of names
    for name in names:  # type: ignore[attr-defined]  # any collection of names
        if name not in known:
            _refuse(view, f"{doing} {name!r}, which does not exist; there are: {', '.join(known)}")


def _refuse(view: View, why: str) -> None:
    raise DeclarationError(f"View {view.name!r} cannot be used: {why}.")
