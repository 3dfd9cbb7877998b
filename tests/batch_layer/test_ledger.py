"""The ledger's table: intervals with the times of their ends, that survive being joined."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from trade_maker import trade_row, trades_frame

from batch_layer import ledger
from batch_layer.ledger import add_intervals, with_times
from twofold.lake import Lake, TableWriter
from twofold.ledger import LEDGER_SCHEMA, Ledger
from twofold.tables import LEDGER


def intervals(*trades: tuple[int, int, int]) -> pl.DataFrame:
    """The intervals of trades, each (id, event time, arrival time) in UTC microseconds; the lane is named by the id."""
    rows = [
        trade_row(trade_id, event_us=event_us, arrival_us=arrival_us, lane=f"t/{trade_id}")
        for trade_id, event_us, arrival_us in trades
    ]
    told_apart = Ledger().sort_out(trades_frame(rows))
    return with_times(told_apart.added.frame, told_apart.fresh)


def told(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    """Ids, event times of the first and the last, arrival and lane of the first."""
    times = [pl.col(name).to_physical() for name in ("first_event", "last_event", "first_arrival")]
    return frame.select("first_id", "last_id", *times, "first_lane").rows()


@pytest.fixture
def writer(tmp_path: Path) -> TableWriter:
    return TableWriter(Lake(str(tmp_path)), LEDGER)


def test_an_interval_bears_the_times_of_its_first_and_last_trade() -> None:
    found = intervals((4, 40, 41), (3, 30, 34), (9, 90, 91), (2, 20, 27))
    assert found.schema == LEDGER_SCHEMA
    assert sorted(told(found)) == [(2, 4, 20, 40, 27, "t/2"), (9, 9, 90, 90, 91, "t/9")]


def test_intervals_are_appended_until_there_are_many_files_and_then_joined(writer: TableWriter) -> None:
    with patch.object(ledger, "LEDGER_FILES", 2):
        for trade_id in (5, 3, 4):
            rows = writer.rows().collect()
            add_intervals(writer, rows, intervals((trade_id, trade_id * 10, trade_id * 10 + 1)), pl.lit(value=True))
    assert writer.version == 3
    assert writer.file_count() == 1
    assert told(writer.rows().collect()) == [(3, 5, 30, 50, 31, "t/3")]


def test_nothing_to_add_is_no_commit(writer: TableWriter) -> None:
    add_intervals(writer, writer.rows().collect(), LEDGER_SCHEMA.to_frame(), pl.lit(value=True))
    assert writer.version == 0
