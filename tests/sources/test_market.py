"""What a simulated market looks like."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest

from twofold.sources.market import Market, Trade

START_US = 1_723_161_255_000_000


def trades_of(symbols: int, count: int, seed: int = 1) -> list[Trade]:
    market = Market(symbols, START_US, Random(seed))
    return [trade for _, trade in market.trades(number / 1000 for number in range(count))]


def by_symbol(trades: list[Trade]) -> dict[str, list[Trade]]:
    groups: dict[str, list[Trade]] = defaultdict(list)
    for trade in trades:
        groups[trade.symbol].append(trade)
    return groups


def test_equal_seeds_make_equal_markets_and_others_do_not() -> None:
    assert trades_of(30, 2000) == trades_of(30, 2000)
    assert trades_of(30, 2000) != trades_of(30, 2000, seed=2)


def test_ids_are_contiguous_per_symbol_from_the_opening_on() -> None:
    for trades in by_symbol(trades_of(50, 5000)).values():
        assert [trade.trade_id for trade in trades] == list(range(START_US, START_US + len(trades)))


def test_volume_is_very_uneven() -> None:
    counts = Counter(trade.symbol for trade in trades_of(200, 50_000))
    ranked = [count for _, count in counts.most_common()]
    assert counts.most_common(1)[0][0] == "BTCUSDT"
    assert sum(ranked[:10]) > 0.4 * 50_000
    assert ranked[0] > 50 * ranked[-1] > 0


@pytest.mark.parametrize("symbols", [1, 10, 11, 300])
def test_there_are_as_many_symbols_as_asked_for(symbols: int) -> None:
    market = Market(symbols, START_US, Random(1))
    assert len({instrument.symbol for instrument in market._instruments}) == symbols


def test_prices_walk_on_ticks_in_small_steps() -> None:
    for trades in by_symbol(trades_of(20, 20_000)).values():
        prices = [Decimal(trade.price) for trade in trades]
        assert {price.as_tuple().exponent for price in prices} == {prices[0].as_tuple().exponent}
        assert all(abs(after - before) / before < Decimal("0.02") for before, after in pairwise(prices))
        assert all(price > 0 for price in prices)


def test_every_number_is_a_positive_decimal_of_at_most_eight_places() -> None:
    for trade in trades_of(300, 20_000):
        for text in (trade.price, trade.size):
            number = Decimal(text)
            exponent = number.as_tuple().exponent
            assert number > 0
            assert isinstance(exponent, int)
            assert -8 <= exponent <= 0
        assert Decimal(trade.price) * Decimal(trade.size) < 10**12


def test_event_times_are_the_opening_plus_the_arrival_in_whole_milliseconds() -> None:
    market = Market(1, START_US, Random(1))
    times_us = [trade.event_time_us for _, trade in market.trades([0.0, 0.0019, 1.5])]
    assert times_us == [START_US, START_US + 1000, START_US + 1_500_000]


def test_both_sides_trade_and_a_trade_often_follows_its_order() -> None:
    trades = trades_of(5, 10_000)
    assert 0.4 < sum(trade.side == "buy" for trade in trades) / len(trades) < 0.6
    follows = sum(a.symbol == b.symbol and a.side == b.side for a, b in pairwise(trades))
    assert follows / len(trades) > 0.3


def test_a_trade_is_written_in_the_canonical_format() -> None:
    trade = Trade("BTCUSDT", 5, "61837.63", "0.02", "sell", START_US)
    assert json.loads(trade.to_json()) == {
        "symbol": "BTCUSDT",
        "trade_id": 5,
        "price": "61837.63",
        "size": "0.02",
        "side": "sell",
        "event_time_us": START_US,
    }
