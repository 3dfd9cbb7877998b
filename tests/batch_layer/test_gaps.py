"""Gaps from one publication to the next: by hand, and beside the oracle's walk over all ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from oracle.gaps import Published
from oracle.wire import OracleTrade
from trade_maker import BEGIN_US, trade_row, trades_frame

from batch_layer.gaps import GapRules, contiguous_venues, find_gaps, ids_of, missing_by_lane, unusable_ids
from batch_layer.ledger import with_times
from twofold.clock import to_epoch_us
from twofold.decoding import DEAD_LETTER_SCHEMA
from twofold.gaps import GAP_SCHEMA
from twofold.ledger import LEDGER_SCHEMA, Ledger, coalesce
from twofold.source import SHIPPED_SOURCES, Source
from twofold.watermark import newest_arrivals_us, watermarks_us, witness

AGE_S = 100
SYMBOL = "BTCUSDT"


@dataclass
class Publishing:
    """Publications of one venue's trades: what a cycle does with their ids, and nothing else."""

    venues: set[str] = field(default_factory=lambda: {"test"})
    rows: pl.DataFrame = field(default_factory=LEDGER_SCHEMA.to_frame)
    gaps: pl.DataFrame = field(default_factory=GAP_SCHEMA.to_frame)
    witnesses: Mapping[str, list[int]] = field(default_factory=dict)
    arrivals: Mapping[str, int] = field(default_factory=dict)

    def publish(self, *trades: tuple[int, int, int], unusable: Sequence[int] = ()) -> None:
        """Take in trades, each (id, event time, arrival time) in seconds, and the ids of dead letters."""
        rows = [
            trade_row(
                trade_id, event_us=BEGIN_US + event_s * 10**6, arrival_us=BEGIN_US + arrival_s * 10**6, lane="t/7"
            )
            for trade_id, event_s, arrival_s in trades
        ]
        letters = [{"venue": "test", "symbol": SYMBOL, "trade_id": trade_id} for trade_id in unusable]
        rules = GapRules(self.venues, AGE_S * 10**6)
        ledger = Ledger(self.rows)
        told_apart = ledger.sort_out(trades_frame(rows))
        ledger.add(told_apart.added)
        self.rows = coalesce(pl.concat([self.rows, with_times(told_apart.added.frame, told_apart.fresh)]))
        self.arrivals = newest_arrivals_us(self.arrivals, told_apart.fresh)
        self.gaps = find_gaps(
            rules.among(self.rows),
            unusable_ids(self.gaps, ids_of(pl.DataFrame(letters, schema=DEAD_LETTER_SCHEMA)), ledger),
            self.gaps,
            watermarks_us(self.witnesses),
            self.arrivals,
            rules,
        )
        self.witnesses = witness(self.witnesses, told_apart.fresh)

    @property
    def states(self) -> list[tuple[int, int, str]]:
        return self.gaps.select("first_id", "last_id", "state").rows()

    @property
    def times_s(self) -> list[tuple[int | None, ...]]:
        """Seconds of the first and the last event, of the arrival, and of the watermark when it was found."""
        return self._seconds("first_event", "last_event", "since", "watermark")

    @property
    def held_s(self) -> list[tuple[int | None, ...]]:
        return self._seconds("held_first", "held_last")

    def _seconds(self, *names: str) -> list[tuple[int | None, ...]]:
        columns = [pl.col(name).dt.epoch("us").sub(BEGIN_US).floordiv(10**6) for name in names]
        return self.gaps.select(columns).rows()


def test_between_two_trades_whose_ids_leave_some_out_there_is_an_open_gap() -> None:
    market = Publishing()
    market.publish((3, 10, 11), (4, 12, 13), (9, 50, 60))
    assert market.states == [(5, 8, "open")]
    assert market.times_s == [(12, 50, 60, None)]
    assert missing_by_lane(market.gaps) == {"t/7": 4}
    assert market.gaps.schema == GAP_SCHEMA


def test_nothing_is_known_of_ids_before_the_first_and_after_the_last() -> None:
    market = Publishing()
    market.publish((1_000, 10, 11), (1_001, 12, 13))
    assert market.states == []


def test_where_ids_and_times_run_apart_the_range_still_begins_with_the_earlier_time() -> None:
    market = Publishing()
    market.publish((1, 50, 60), (3, 10, 61))
    assert market.times_s == [(10, 50, 61, None)]


def test_a_trade_in_the_middle_parts_a_gap_and_the_last_one_closes_it() -> None:
    market = Publishing()
    market.publish((1, 10, 10), (5, 50, 50))
    market.publish((3, 30, 60))
    assert market.states == [(2, 2, "open"), (4, 4, "open")]
    assert market.times_s == [(10, 30, 60, None), (30, 50, 50, None)]
    market.publish((2, 20, 70))
    assert market.states == [(4, 4, "open")]
    market.publish((4, 40, 70))
    assert market.states == []


def test_a_gap_is_lost_once_it_is_older_than_the_age_by_what_has_arrived() -> None:
    market = Publishing()
    market.publish((1, 0, 0), (3, 5, 5), (4, 105, 5 + AGE_S))
    assert market.states == [(2, 2, "open")]
    market.publish((5, 106, 6 + AGE_S))
    assert market.states == [(2, 2, "lost")]
    assert market.times_s == [(0, 5, 5, None)]


def test_what_was_lost_stays_lost_until_it_comes_and_a_part_that_comes_leaves_the_rest_lost() -> None:
    market = Publishing()
    market.publish((1, 0, 0), (5, 5, 5), (6, 200, 200))
    assert market.states == [(2, 4, "lost")]
    market.publish((3, 3, 201))
    assert market.states == [(2, 2, "lost"), (4, 4, "lost")]
    market.publish((2, 3, 202), (4, 3, 202))
    assert market.states == []


def test_an_id_of_a_dead_letter_is_unusable_until_a_good_copy_comes() -> None:
    market = Publishing()
    market.publish((1, 0, 0), (6, 50, 50), unusable=[3, 4])
    assert market.states == [(2, 2, "open"), (3, 4, "unusable"), (5, 5, "open")]
    assert market.times_s == [(0, 50, 50, None)] * 3
    market.publish((3, 20, 60))
    assert market.states == [(2, 2, "open"), (4, 4, "unusable"), (5, 5, "open")]
    assert missing_by_lane(market.gaps) == {"t/7": 2}


def test_unusable_ids_are_kept_when_the_rest_of_the_gap_is_lost() -> None:
    market = Publishing()
    market.publish((1, 0, 0), (4, 4, 4), (5, 200, 200), unusable=[2])
    assert market.states == [(2, 2, "unusable"), (3, 3, "lost")]
    market.publish(unusable=[3])
    assert market.states == [(2, 3, "unusable")]


def test_a_dead_letter_of_a_trade_that_was_seen_changes_nothing() -> None:
    market = Publishing()
    market.publish((1, 0, 0), (2, 1, 1), unusable=[2])
    assert market.states == []


def test_an_unusable_id_beyond_all_others_makes_no_gap_and_has_no_times_to_tell() -> None:
    market = Publishing()
    market.publish(unusable=[7])
    assert (market.states, market.times_s) == ([(7, 7, "unusable")], [(None, None, None, None)])
    market.publish((3, 30, 31), (4, 40, 41), unusable=[2**63 - 1])
    assert market.states == [(7, 7, "unusable"), (2**63 - 1, 2**63 - 1, "unusable")]
    assert market.times_s == [(40, None, None, None)] * 2
    market.publish((9, 90, 91))
    assert market.states[:2] == [(5, 6, "open"), (7, 7, "unusable")]


def test_a_gap_knows_the_watermark_of_the_time_before_it_was_found_and_so_do_its_parts() -> None:
    market = Publishing()
    market.publish((1, 10, 10), (2, 20, 20), (3, 30, 30))
    market.publish((9, 31, 31), (10, 50, 50))
    assert market.times_s == [(30, 31, 31, 10)]
    market.publish((6, 30, 60))
    assert market.times_s == [(30, 30, 60, 10), (30, 31, 31, 10)]


def test_a_part_that_may_fall_where_the_whole_could_not_has_held_nothing_there() -> None:
    market = Publishing()
    market.publish((1, 10, 10), (2, 20, 20), (3, 30, 30))
    market.publish((9, 31, 31), (10, 50, 50))
    market.publish((6, 5, 60))
    assert market.times_s == [(5, 30, 60, 10), (5, 31, 31, 10)]
    assert market.held_s == [(30, 30), (30, 31)]
    market.publish((4, 5, 70))
    assert market.times_s == [(5, 5, 60, 30), (5, 31, 31, 10)]
    assert market.held_s == [(5, 5), (30, 31)]


def test_only_venues_whose_every_source_is_contiguous_have_gaps() -> None:
    unique = Source(venue="simulator", wire_format="canonical", ids="unique")
    assert contiguous_venues(SHIPPED_SOURCES) == {"binance", "simulator"}
    assert contiguous_venues({**SHIPPED_SOURCES, "other": unique}) == {"binance"}
    market = Publishing(venues=set())
    market.publish((1, 0, 0), (5, 5, 5), unusable=[3])
    assert market.states == []


TIMES = st.sampled_from([0, 1, 30, 60, 90, 150, 400])
IDS = st.sampled_from([*range(14), 2**63 - 2, 2**63 - 1])
CYCLES = st.lists(
    st.tuples(st.lists(st.tuples(IDS, TIMES, TIMES), max_size=5), st.lists(IDS, max_size=2)), min_size=2, max_size=7
)


@given(CYCLES)
def test_every_publication_has_the_gaps_that_a_walk_over_all_its_ids_finds(
    cycles: list[tuple[list[tuple[int, int, int]], list[int]]],
) -> None:
    market, expected = Publishing(), Published()
    taken: dict[int, OracleTrade] = {}
    refused: list[tuple[str, str, int]] = []
    for trades, unusable in cycles:
        arriving = [(trade_id, event_s, event_s + later_s) for trade_id, event_s, later_s in trades]
        market.publish(*arriving, unusable=unusable)
        for trade_id, event_s, arrival_s in sorted(arriving, key=lambda trade: trade[2]):
            taken.setdefault(trade_id, oracle_trade(trade_id, event_s, arrival_s))
        refused += [("test", SYMBOL, trade_id) for trade_id in unusable]
        expected = expected.followed_by(taken.values(), refused, {"test"}, AGE_S * 10**6)
        assert rows_of(market.gaps) == [astuple(gap) for gap in expected.gaps.get(("test", SYMBOL), ())]


def oracle_trade(trade_id: int, event_s: int, arrival_s: int) -> OracleTrade:
    one = Decimal(1)
    return OracleTrade("test", SYMBOL, trade_id, one, one, one, "buy", _us(event_s), _us(arrival_s), "t/7", 0)


def _us(seconds: int) -> int:
    return BEGIN_US + seconds * 10**6


def rows_of(gaps: pl.DataFrame) -> list[tuple[object, ...]]:
    names = ("first_event", "last_event", "since", "watermark", "held_first", "held_last")
    found = []
    for row in gaps.iter_rows(named=True):
        *times_us, first_us, last_us = (row[name] and to_epoch_us(row[name]) for name in names)
        held_us = None if first_us is None else (first_us, last_us)
        found.append((row["first_id"], row["last_id"], row["state"], *times_us, held_us))
    return found
