import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from trade_maker import BEGIN_US, trade_row, trades_frame

from serving.sorted_partials import SortedPartials
from twofold.fold import fold
from twofold.views import VIEWS

BARS = VIEWS["bars"]
MINUTE_US = 60_000_000
MARKETS = [("spot", "BTCUSDT"), ("futures", "BTCUSDT"), ("spot", "ETHUSDT")]

LIMITS = st.fixed_dictionaries(
    {
        "venue": st.sampled_from([None, "spot", "futures", "moon"]),
        "symbol": st.sampled_from([None, "BTCUSDT", "ETHUSDT", "XYZ"]),
        "start_us": st.none() | st.integers(-3, 9).map(lambda half: BEGIN_US + half * MINUTE_US // 2),
        "end_us": st.none() | st.integers(-3, 9).map(lambda half: BEGIN_US + half * MINUTE_US // 2),
        "newest": st.none() | st.integers(1, 4),
    }
)


def partials(*places: tuple[int, int]) -> pl.DataFrame:
    rows = [
        trade_row(n, venue=MARKETS[market][0], symbol=MARKETS[market][1], event_us=BEGIN_US + minute * MINUTE_US)
        for n, (market, minute) in enumerate(places)
    ]
    return fold([BARS], trades_frame(rows))["bars"]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), min_size=1), LIMITS)
def test_what_is_found_is_what_looking_at_every_row_finds(places: list[tuple[int, int]], limits: dict) -> None:
    found = SortedPartials.of(BARS, partials(*places)).about(**limits)
    expected = []
    for venue, symbol in sorted(MARKETS):
        minutes = sorted({minute for market, minute in places if MARKETS[market] == (venue, symbol)})
        starts = [BEGIN_US + minute * MINUTE_US for minute in minutes]
        starts = [at for at in starts if limits["start_us"] is None or at >= limits["start_us"]]
        starts = [at for at in starts if limits["end_us"] is None or at < limits["end_us"]]
        starts = starts if limits["newest"] is None else starts[-limits["newest"] :]
        if limits["venue"] in (None, venue) and limits["symbol"] in (None, symbol):
            expected += [(venue, symbol, at) for at in starts]
    assert found.select("venue", "symbol", pl.col("window_start").to_physical()).rows() == expected


def test_partials_of_one_group_are_merged() -> None:
    twice = pl.concat([partials((0, 0), (0, 1)), partials((0, 1))])
    assert SortedPartials.of(BARS, twice).frame["trades"].to_list() == [1, 2]


@pytest.mark.parametrize("limits", [{}, {"symbol": "BTCUSDT"}, {"newest": 3}])
def test_without_partials_there_are_none_of_the_right_columns(limits: dict) -> None:
    none = SortedPartials.of(BARS)
    assert none.markets == {}
    assert_frame_equal(none.about(**limits), pl.DataFrame(schema=BARS.partial_schema))
