"""The load: a schedule of trades that is fixed before the first one is sent, with probes spread evenly through it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from kafka.partitioner import murmur2

from twofold.sources.market import Market, Trade
from twofold.sources.message import Message, Scheduled

SYMBOLS = 200
SEED = 20_240_809
PROBE_SOURCE = "probe"
PROBE_EVERY = 25
"""One trade in so many is a probe."""


def probe_symbols(partitions: int) -> list[str]:
    """Name a symbol for each partition, so that probes go through all lanes."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < partitions:
        symbol = f"PROBE{number}"
        found.setdefault((murmur2(symbol.encode()) & 0x7FFFFFFF) % partitions, symbol)
        number += 1
    return [found[partition] for partition in range(partitions)]


class Load:
    """Trades at a steady rate, each due at its number divided by the rate.

    Args:
        rate: trades a second, probes among them.
        seconds: for how long.
        symbols: the symbols of the probes, which take turns.
    """

    def __init__(self, rate: int, seconds: int, symbols: list[str]) -> None:
        self._rate = rate
        self._count = rate * seconds
        self._symbols = symbols

    def probes_due_s(self) -> dict[str, list[float]]:
        """Say when each probe is due, in seconds after the start, by symbol and in the order of their ids."""
        due_s: dict[str, list[float]] = {symbol: [] for symbol in self._symbols}
        for number in range(0, self._count, PROBE_EVERY):
            due_s[self._symbol(number)].append(number / self._rate)
        return due_s

    def schedule(self, start_us: int) -> Iterator[Scheduled]:
        """Make the messages; event times are the schedule's, from `start_us` (UTC microseconds) on."""
        market = Market(SYMBOLS, start_us, Random(SEED)).trades(number / self._rate for number in range(self._count))
        for number, (due_s, trade) in enumerate(market):
            if number % PROBE_EVERY:
                yield Scheduled(due_s, Message(trade.symbol.encode(), trade.to_json(), []))
            else:
                symbol = self._symbol(number)
                probe = Trade(symbol, start_us + number, "100.00", "1.0", "buy", start_us + int(due_s * 1_000_000))
                headers = [("source", PROBE_SOURCE.encode())]
                yield Scheduled(due_s, Message(symbol.encode(), probe.to_json(), headers))

    def _symbol(self, number: int) -> str:
        return self._symbols[number // PROBE_EVERY % len(self._symbols)]
