"""Answers to SQL: the rows that a query reads, all of one pair, and what DuckDB makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from serving.answer import MOST_ROWS, answer
from serving.query import Query
from serving.receipts.vouching import Receipts
from serving.seam import Pair
from serving.sql.columns import frame_of
from serving.sql.processes import QueryProcesses
from serving.state import State
from twofold.errors import SqlRefused, TooMuch
from twofold.view import View

Selection = Callable[[View], Query]
"""Says which rows of a view a query reads."""


@dataclass(frozen=True)
class SqlAnswer:
    """What a query gives.

    Attributes:
        rows: Its rows.
        receipts: Of the rows of each view that it reads, by name, as JSON.
        state: What all of those were made of.
    """

    rows: pl.DataFrame
    receipts: Sequence[bytes]
    state: State


class SqlAnswering:
    """Answers queries. Many threads may ask."""

    def __init__(self, receipts: Receipts, processes: QueryProcesses) -> None:
        self._receipts = receipts
        self._processes = processes

    @property
    def at_once(self) -> int:
        """Queries that are run at the same time."""
        return self._processes.at_once

    def answer(self, sql: str, selection: Selection, pair: Pair) -> SqlAnswer:
        """Answer a query from the views of one pair.

        Raises:
            QueryError: a selection does not fit a view that it reads.
            UnknownName: it reads what is no view, or a venue or symbol of the selection is not known.
            SqlRefused: it is not one SELECT over the views, or DuckDB refuses it.
            TooMuch: it reads too many rows, takes too long or too much memory, or its answer is too large.
            QueryAborted: its process ended before it had answered.
            ArithmeticOverflow: a sum left the range of its type.
        """
        if "\0" in sql or any("\ud800" <= letter <= "\udfff" for letter in sql):
            raise SqlRefused("The query has characters that are none: NUL, or half of a pair.")
        receipts: list[bytes] = []
        views = {name: partials.view for name, partials in pair.batch.partials.items()}

        def rows_of(names: Sequence[str]) -> list[pl.DataFrame]:
            read = [answer(selection(views[name]), pair) for name in names]
            if (rows := sum(each.rows.height for each in read)) > MOST_ROWS:
                raise TooMuch(
                    f"The query reads {rows} rows of {' and '.join(names)}; it may read {MOST_ROWS} together. Narrow "
                    "what it reads by symbol=, start=, end=, last= or a longer interval=."
                )
            receipts.extend(self._receipts.vouch(each) for each in read)
            return [each.rows for each in read]

        table = self._processes.run(sql, views, rows_of)
        return SqlAnswer(frame_of(table), receipts, State.of(pair))
