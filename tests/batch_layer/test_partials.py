"""Partials in a view's table: appended, merged by the day now and then, and marked where they revise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from trade_maker import BEGIN_US, trade_row, trades_frame

from batch_layer import partials
from batch_layer.partials import add_partials, with_day, with_revisions
from twofold.fold import fold, merge
from twofold.gaps import GAP_SCHEMA, OpenHoles
from twofold.lake import Lake, TableWriter
from twofold.tables import view_table
from twofold.view import View
from twofold.views import VIEWS

BARS = VIEWS["bars"]
MINUTE_US = 60_000_000
DAY_US = 1440 * MINUTE_US
NO_HOLES = OpenHoles(GAP_SCHEMA.to_frame())


@pytest.fixture(autouse=True)
def _three_files_are_a_crowd() -> Iterator[None]:
    with patch.object(partials, "FILES_PER_DAY", 3):
        yield


@pytest.fixture
def writer(tmp_path: Path) -> TableWriter:
    return TableWriter(Lake(str(tmp_path)), view_table(BARS))


def bars_of(*trades: tuple[int, int], venue: str = "test", view: View = BARS) -> pl.DataFrame:
    """Partials of trades, each given as (trade id, event time in microseconds after the day's begin)."""
    rows = [trade_row(trade_id, event_us=BEGIN_US + after_us, venue=venue) for trade_id, after_us in trades]
    return fold([view], trades_frame(rows))[view.name]


def merged(frame: pl.DataFrame) -> pl.DataFrame:
    return merge(BARS, frame).sort(BARS.group)


def in_table(writer: TableWriter) -> pl.DataFrame:
    return writer.rows().collect().select(BARS.partial_schema.names())


def test_partials_are_parted_by_the_day_of_their_window() -> None:
    days = with_day(bars_of((1, -1), (2, 0), (3, DAY_US)))["day"].sort().cast(pl.String).to_list()
    assert days == ["2024-08-08", "2024-08-09", "2024-08-10"]


def test_adding_is_one_commit_and_reads_as_the_sum_of_what_was_added(writer: TableWriter) -> None:
    added = [bars_of((n, n * 20_000_000), (n + 100, DAY_US + n)) for n in range(10)]
    for number, each in enumerate(added, start=1):
        add_partials(BARS, writer, each)
        assert writer.version == number
        assert_frame_equal(merged(in_table(writer)), merged(pl.concat(added[:number])))


def test_a_crowded_day_is_rewritten_as_one_file_with_one_row_per_group(writer: TableWriter) -> None:
    for number in range(3):
        add_partials(BARS, writer, bars_of((number, 0)))
    assert writer.file_count("day=2024-08-09") == 3
    add_partials(BARS, writer, bars_of((3, 1), (4, MINUTE_US)))
    assert writer.file_count("day=2024-08-09") == 1
    assert in_table(writer).sort("window_start")["trades"].to_list() == [4, 1]


def test_days_that_are_not_touched_are_left_alone(writer: TableWriter) -> None:
    for number in range(3):
        add_partials(BARS, writer, bars_of((number, -DAY_US)))
    for number in range(4):
        add_partials(BARS, writer, bars_of((10 + number, 0)))
    assert writer.file_count("day=2024-08-08") == 3
    assert writer.file_count("day=2024-08-09") == 1
    assert in_table(writer)["trades"].sum() == 7


def test_revisions_survive_the_merging_of_a_day(writer: TableWriter) -> None:
    closed = {"test": BEGIN_US + 2 * MINUTE_US}
    add_partials(BARS, writer, bars_of((0, 0)))
    for number in range(1, 6):
        add_partials(
            BARS, writer, with_revisions(BARS, bars_of((number, 0), (50 + number, 5 * MINUTE_US)), closed, NO_HOLES)
        )
    by_window = merged(in_table(writer)).select("trades", "revisions").rows()
    assert by_window == [(6, 5), (5, 0)]


@pytest.mark.parametrize(
    ("mark_us", "revisions"),
    [(0, 0), (MINUTE_US - 1, 0), (MINUTE_US, 1), (MINUTE_US + 1, 1)],
)
def test_a_partial_revises_if_its_window_was_closed_before(mark_us: int, revisions: int) -> None:
    marked = with_revisions(BARS, bars_of((1, MINUTE_US // 2)), {"test": BEGIN_US + mark_us}, NO_HOLES)
    assert marked["revisions"].to_list() == [revisions]
    assert marked.schema == BARS.partial_schema


def test_a_view_that_allows_lateness_is_closed_that_much_later() -> None:
    patient = replace(BARS, lateness=timedelta(seconds=10))
    marks = [BEGIN_US + MINUTE_US + seconds * 1_000_000 for seconds in (9, 10)]
    found = [
        with_revisions(patient, bars_of((1, 0), view=patient), {"test": mark}, NO_HOLES)["revisions"][0]
        for mark in marks
    ]
    assert found == [0, 1]


def test_another_venue_has_its_own_watermark() -> None:
    marks = {"test": BEGIN_US + DAY_US}
    assert with_revisions(BARS, bars_of((1, 0), venue="other"), marks, NO_HOLES)["revisions"].to_list() == [0]
    assert with_revisions(BARS, bars_of((1, 0)), {}, NO_HOLES)["revisions"].to_list() == [0]


@pytest.mark.parametrize(("found_at_us", "revisions"), [(None, 0), (MINUTE_US - 1, 0), (MINUTE_US, 1)])
def test_a_hole_that_was_known_before_the_watermark_passed_holds_a_window_open(
    found_at_us: int | None, revisions: int
) -> None:
    times = {name: BEGIN_US + time_us for name, time_us in (("first_event", 10), ("last_event", 20), ("since", 20))}
    hole = {"venue": "test", "symbol": "BTCUSDT", "state": "open", **times}
    hole |= {"held_first": times["first_event"], "held_last": times["last_event"]}
    hole |= {"watermark": None if found_at_us is None else BEGIN_US + found_at_us}
    of_gaps = [
        pl.col(name).cast(pl.Int64).cast(GAP_SCHEMA[name]) for name in (*times, "held_first", "held_last", "watermark")
    ]
    holes = OpenHoles(pl.DataFrame([hole]).with_columns(of_gaps))
    marked = with_revisions(BARS, bars_of((1, 0), (2, MINUTE_US)), {"test": BEGIN_US + DAY_US}, holes)
    assert marked.sort("window_start")["revisions"].to_list() == [revisions, 1]
