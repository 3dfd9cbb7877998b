"""The tables of the lake beside `publications`: their names and columns."""

from __future__ import annotations

import polars as pl

from twofold.decoding import DEAD_LETTER_SCHEMA, TRADE_SCHEMA
from twofold.gap_log import GAP_LOG_SCHEMA
from twofold.gaps import GAP_SCHEMA
from twofold.lake import TableSpec
from twofold.ledger import LEDGER_SCHEMA
from twofold.records import RECORD_SCHEMA
from twofold.view import View

RAW = TableSpec("raw", RECORD_SCHEMA)
TRADES = TableSpec("trades", TRADE_SCHEMA)
LEDGER = TableSpec("ledger", LEDGER_SCHEMA)
GAPS = TableSpec("gaps", GAP_SCHEMA)
GAP_LOG = TableSpec("gap_log", GAP_LOG_SCHEMA)
DEAD_LETTERS = TableSpec("dead_letters", DEAD_LETTER_SCHEMA)


def view_table(view: View, name: str | None = None) -> TableSpec:
    """The table of a view's partials, parted by the UTC day of the window's start; without a name the view's own."""
    schema = pl.Schema({**view.partial_schema, "day": pl.Date()})
    return TableSpec(f"views/{view.name}" if name is None else name, schema, ("day",))
