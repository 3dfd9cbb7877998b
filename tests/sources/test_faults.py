"""What goes wrong between a market and the event log, and how much of it."""

from __future__ import annotations

import json
from itertools import islice, pairwise
from random import Random

import pytest

from twofold.sources.faults import FaultShares, schedule_trades
from twofold.sources.market import Market, Trade
from twofold.sources.message import Scheduled

COUNT = 20_000
START_US = 1_723_161_255_000_000
HEADERS = [("source", b"simulator")]


def market() -> list[tuple[float, Trade]]:
    return list(Market(20, START_US, Random(1)).trades(number / 100 for number in range(COUNT)))


def scheduled(shares: FaultShares, seed: int = 1) -> list[Scheduled]:
    return list(schedule_trades(market(), shares, HEADERS, Random(seed)))


def values(schedule: list[Scheduled]) -> list[bytes | None]:
    return [message.value for _, message in schedule]


def test_without_faults_every_trade_is_sent_once_when_it_happens_keyed_by_symbol() -> None:
    schedule = scheduled(FaultShares())
    assert [due_s for due_s, _ in schedule] == [at_s for at_s, _ in market()]
    assert values(schedule) == [trade.to_json() for _, trade in market()]
    assert [message.key for _, message in schedule] == [trade.symbol.encode() for _, trade in market()]
    assert all(message.headers == HEADERS for _, message in schedule)


def test_late_trades_arrive_up_to_five_seconds_after_they_happened_and_after_younger_ones() -> None:
    schedule = scheduled(FaultShares(late=0.1))
    assert sorted(values(schedule), key=repr) == sorted((trade.to_json() for _, trade in market()), key=repr)
    late_s = [
        due_s - (json.loads(message.value or b"")["event_time_us"] - START_US) / 1e6 for due_s, message in schedule
    ]
    assert 0.09 < sum(seconds > 0.001 for seconds in late_s) / COUNT < 0.11
    assert 4.5 < max(late_s) <= 5.001


def test_repeated_trades_are_sent_again_byte_for_byte() -> None:
    sent = values(scheduled(FaultShares(repeated=0.1)))
    assert set(sent) == {trade.to_json() for _, trade in market()}
    assert 0.09 < (len(sent) - COUNT) / COUNT < 0.11


def test_missing_trades_leave_a_hole_in_the_ids() -> None:
    sent = values(scheduled(FaultShares(missing=0.1)))
    assert set(sent) < {trade.to_json() for _, trade in market()}
    assert 0.09 < (COUNT - len(sent)) / COUNT < 0.11


def test_broken_records_come_in_addition_to_the_trades() -> None:
    sent = values(scheduled(FaultShares(broken=0.1)))
    whole = {trade.to_json() for _, trade in market()}
    assert sum(value in whole for value in sent) == COUNT
    assert 0.09 < (len(sent) - COUNT) / COUNT < 0.11


def test_conflicting_copies_come_after_the_trades_and_have_their_ids_and_the_other_side() -> None:
    sent = [json.loads(value or b"") for value in values(scheduled(FaultShares(conflicting=0.1)))]
    first: dict[tuple[str, int], dict[str, object]] = {}
    copies = [trade for trade in sent if first.setdefault((trade["symbol"], trade["trade_id"]), trade) is not trade]
    assert len(first) == COUNT
    assert 0.09 < len(copies) / COUNT < 0.11
    for copy in copies:
        counted = first[copy["symbol"], copy["trade_id"]]
        assert {name for name in copy if copy[name] != counted[name]} == {"side"}


def test_all_faults_together_keep_the_schedule_in_order_and_the_seed_decides() -> None:
    shares = FaultShares(late=0.2, repeated=0.2, missing=0.2, broken=0.2, conflicting=0.2)
    schedule = scheduled(shares)
    assert all(before.due_s <= after.due_s for before, after in pairwise(schedule))
    assert schedule == scheduled(shares)
    assert schedule != scheduled(shares, seed=2)


@pytest.mark.parametrize("fault", ["late", "repeated", "missing", "broken", "conflicting"])
def test_a_share_of_one_means_every_trade(fault: str) -> None:
    sent = values(scheduled(FaultShares(**{fault: 1.0})))
    assert len(sent) == {"late": 1, "repeated": 2, "missing": 0, "broken": 2, "conflicting": 2}[fault] * COUNT


def test_trades_without_end_are_scheduled_as_they_come() -> None:
    endless = Market(3, START_US, Random(1)).trades(number / 10 for number in iter(int, 1))
    assert len(list(islice(schedule_trades(endless, FaultShares(repeated=0.5), HEADERS, Random(1)), 100))) == 100
