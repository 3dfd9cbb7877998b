"""That every kind of broken record is unusable, told by rules written down here once more."""

from __future__ import annotations

import json
import re
from random import Random

import pytest

from twofold.decoding import decode
from twofold.records import RecordBatch
from twofold.source import SHIPPED_SOURCES
from twofold.sources.garbage import BREAKAGES, break_message
from twofold.sources.market import Trade
from twofold.sources.message import Message

TRADE = Trade("BTCUSDT", 5, "61837.6", "0.02", "sell", 1_723_161_255_342_000)
MESSAGE = Message(b"BTCUSDT", TRADE.to_json(), [("source", b"simulator")])


def usable(value: bytes | None) -> bool:
    """Whether a strict reader of the canonical format would take a record sent at the trade's time."""
    try:
        fields = json.loads(value or b"")
        amounts_fit = all(re.fullmatch(r"\d{1,10}(\.\d{1,8})?", fields[name]) for name in ("price", "size"))
        return (
            amounts_fit
            and re.fullmatch(r"[A-Z0-9]+", fields["symbol"]) is not None
            and isinstance(fields["trade_id"], int)
            and fields["side"] in ("buy", "sell")
            and abs(fields["event_time_us"] - TRADE.event_time_us) < 60_000_000
        )
    except (ValueError, TypeError, KeyError):
        return False


def test_the_trade_itself_is_usable() -> None:
    assert usable(MESSAGE.value)


@pytest.mark.parametrize("kind", BREAKAGES)
def test_every_breakage_makes_a_record_unusable(kind: str) -> None:
    assert not usable(BREAKAGES[kind](TRADE))


@pytest.mark.parametrize("kind", BREAKAGES)
def test_every_breakage_becomes_a_dead_letter_while_the_trade_beside_it_is_decoded(kind: str) -> None:
    values = [TRADE.to_json(), BREAKAGES[kind](TRADE)]
    logged_ms = TRADE.event_time_us // 1000
    batch = RecordBatch("topic/0", [0, 1], [logged_ms] * 2, [b"BTCUSDT"] * 2, values, None, 2)
    decoded = decode([batch], SHIPPED_SOURCES, "simulator")
    assert decoded.trades["offset"].to_list() == [0]
    assert decoded.rejected["offset"].to_list() == [1]


def test_every_breakage_is_another_one() -> None:
    assert len({BREAKAGES[kind](TRADE) for kind in BREAKAGES}) == len(BREAKAGES)


def test_chance_uses_every_breakage_and_leaves_key_and_headers_alone() -> None:
    rng = Random(1)
    broken = [break_message(TRADE, MESSAGE, rng) for _ in range(1000)]
    assert {message.value for message in broken} == {breakage(TRADE) for breakage in BREAKAGES.values()}
    assert {message.key for message in broken} == {b"BTCUSDT"}
    assert all(message.headers == MESSAGE.headers for message in broken)
