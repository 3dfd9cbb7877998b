"""Merged rows over sides of chance: what is kept of the batch side changes nothing in any answer."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from trade_maker import BEGIN_US, trade_row, trades_frame

from serving.batch_side import BatchSide
from serving.merged import merged_rows
from serving.query import Query
from serving.seam import Pair
from serving.sorted_partials import SortedPartials
from serving.speed_side import SpeedSide
from twofold.fold import fold
from twofold.publication import GENESIS
from twofold.speed_state import SpeedHeader
from twofold.views import VIEWS

MINUTE_US = 60_000_000
FAR_US = BEGIN_US + 10**12
"""A watermark by which all windows are over."""

TRADES = st.lists(
    st.builds(
        dict,
        symbol=st.sampled_from(["AAA", "BBB", "CCC"]),
        event_us=st.builds(
            lambda minute, us: BEGIN_US + minute * MINUTE_US + us,
            st.integers(0, 12),
            st.sampled_from([0, 1, 59_999_999]),
        ),
        price=st.sampled_from(["0.00000001", "100", "61837.63", "9999999999.99999999"]),
        size=st.sampled_from(["0.00000003", "1", "7"]),
        side=st.sampled_from(["buy", "sell"]),
    ),
    max_size=20,
)
QUESTIONS = st.builds(
    Query,
    st.sampled_from([*VIEWS.values()]),
    st.sampled_from([MINUTE_US, 5 * MINUTE_US]),
    symbol=st.sampled_from([None, "AAA", "AAA,CCC", "*B*", "ZZZ"]),
    start_us=st.sampled_from([None, BEGIN_US + 5 * MINUTE_US]),
    end_us=st.sampled_from([None, BEGIN_US + 10 * MINUTE_US]),
    last=st.sampled_from([None, 1, 2, 100]),
)


def numbered(rows: list[dict[str, object]], first: int = 0) -> pl.DataFrame:
    return trades_frame([trade_row(first + number, **row) for number, row in enumerate(rows)])  # type: ignore[arg-type]  # as the strategy makes them


def batch_side(trades: pl.DataFrame) -> BatchSide:
    publication = replace(GENESIS, sequence=1, witnesses={"test": [FAR_US] * 3})
    folded = fold(VIEWS.values(), trades)
    return BatchSide(publication, {name: SortedPartials.of(VIEWS[name], rows) for name, rows in folded.items()})


def speed_side(*parts: pl.DataFrame) -> SpeedSide:
    folded = [fold(VIEWS.values(), part) for part in parts]
    header = SpeedHeader.model_construct(sequence=1, positions={}, ends={}, newest_event_us=None)
    return SpeedSide(header, {name: tuple(each[name] for each in folded) for name in VIEWS})


def newest(rows: pl.DataFrame, query: Query) -> pl.DataFrame:
    """The rows that an answer shows of all those there are."""
    return rows if query.last is None else rows.group_by(query.view.keys, maintain_order=True).tail(query.last)


@given(published=TRADES, states=st.lists(TRADES, min_size=1, max_size=3), query=QUESTIONS)
def test_each_state_on_one_publication_gives_the_rows_of_all_trades_taken_together(
    published: list[dict[str, object]], states: list[list[dict[str, object]]], query: Query
) -> None:
    before, side = numbered(published), batch_side(numbered(published))
    parts: list[pl.DataFrame] = []
    for trades in states:  # each state has what the one before had, and more
        parts.append(numbered(trades, 1_000 * (1 + len(parts))))
        found = newest(merged_rows(query, Pair(side, speed_side(*parts), "live")), query)
        together = newest(merged_rows(query, Pair(batch_side(pl.concat([before, *parts])))), query)
        assert_frame_equal(found.drop("finality"), together.drop("finality"))
        windows = found.select(*query.view.group).join(
            pl.concat(parts)
            .select(*query.view.keys, window_start=pl.col("event_time").dt.truncate(f"{query.interval_us}us"))
            .unique(),
            on=query.view.group,
            how="semi",
        )
        provisional = found.filter(pl.col("finality") == "provisional").select(*query.view.group)
        assert_frame_equal(provisional, windows.sort(query.view.group))
        assert set(found["finality"]) <= {"provisional", "closed"}


@pytest.mark.parametrize("interval_us", [MINUTE_US, 5 * MINUTE_US])
def test_what_the_batch_side_has_by_itself_is_made_once_for_all_states(interval_us: int) -> None:
    row = {"event_us": BEGIN_US}
    side, query = batch_side(numbered([row])), Query(VIEWS["bars"], interval_us)
    alone = merged_rows(query, Pair(side))
    assert merged_rows(query, Pair(side)) is alone
    live = merged_rows(query, Pair(side, speed_side(numbered([{"event_us": BEGIN_US + 10 * MINUTE_US}], 9)), "live"))
    assert live.height == 2
    assert_frame_equal(live.head(1), alone)
    assert merged_rows(query, Pair(side)) is alone
