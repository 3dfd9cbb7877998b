"""Open gaps, and which windows they may fall into."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.gaps import GAP_SCHEMA, OpenHoles

MARKET = ("test", "BTCUSDT")


def gaps(*spans: tuple[int, int, int | None], state: str = "open", symbol: str = "BTCUSDT") -> pl.DataFrame:
    """Gaps of one market, each (first event, last event, watermark when found), in UTC microseconds."""
    rows = [
        (
            "test",
            symbol,
            place * 10,
            place * 10 + 1,
            state,
            first_us,
            last_us,
            last_us,
            "t/0",
            watermark_us,
            first_us,
            last_us,
        )
        for place, (first_us, last_us, watermark_us) in enumerate(spans)
    ]
    times = {name: pl.Int64 for name, dtype in GAP_SCHEMA.items() if dtype == pl.Datetime("us", "UTC")}
    raw = pl.DataFrame(rows, schema={**GAP_SCHEMA, **times}, orient="row")
    return raw.with_columns(pl.col(name).cast(GAP_SCHEMA[name]) for name in times)


@pytest.mark.parametrize(
    ("start_us", "end_us", "may"), [(0, 10, False), (0, 11, True), (12, 15, True), (20, 30, True), (21, 30, False)]
)
def test_a_missing_trade_may_be_at_both_ends_of_the_range_and_between(start_us: int, end_us: int, *, may: bool) -> None:
    assert OpenHoles(gaps((10, 20, None))).may_fall_into(MARKET, start_us, end_us) is may


@pytest.mark.parametrize("state", ["unusable", "lost"])
def test_what_is_not_waited_for_any_more_holds_nothing(state: str) -> None:
    holes = OpenHoles(gaps((10, 20, None), state=state))
    assert not holes.may_fall_into(MARKET, 10, 20)
    assert not holes.hold(MARKET, 10, 20, 20)


def test_another_markets_gaps_hold_nothing_here() -> None:
    holes = OpenHoles(gaps((10, 20, None), symbol="ETHUSDT"))
    assert not holes.may_fall_into(MARKET, 10, 20)
    assert holes.may_fall_into(("test", "ETHUSDT"), 10, 20)


def test_a_gap_holds_a_window_if_it_was_known_before_the_watermark_came_to_its_end() -> None:
    holes = OpenHoles(gaps((10, 20, 14)))
    assert [holes.hold(MARKET, 10, 15, due_us) for due_us in (13, 14, 15, 16)] == [False, False, True, True]
    assert OpenHoles(gaps((10, 20, None))).hold(MARKET, 10, 15, 0)


SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9), st.none() | st.integers(0, 40)), max_size=8)


@given(SPANS, st.integers(0, 40), st.integers(1, 12), st.integers(0, 5))
def test_windows_are_held_as_a_look_at_every_gap_says(
    spans: list[tuple[int, int, int | None]], start_us: int, length_us: int, lateness_us: int
) -> None:
    wide = [(first_us, first_us + length, watermark_us) for first_us, length, watermark_us in spans]
    holes, end_us = OpenHoles(gaps(*wide)), start_us + length_us
    near = [watermark_us for first_us, last_us, watermark_us in wide if first_us < end_us and last_us >= start_us]
    assert holes.may_fall_into(MARKET, start_us, end_us) is bool(near)
    due_us = end_us + lateness_us
    held = any(watermark_us is None or watermark_us < due_us for watermark_us in near)
    assert holes.hold(MARKET, start_us, end_us, due_us) is held
