"""Traffic: what is produced, of every kind that comes, as a function of chance alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random

from laws.market import NOT_TRADES, Market, Sending
from memory_log import Headers, MemoryLog
from oracle import OracleSource

PARTITIONS = 3
HOLE_AGE_S = 60.0
"""How long a gap stays open: a few steps, by each of the clocks that there are."""

SOURCES: Mapping[str, OracleSource] = {
    "binance-spot": OracleSource("binance", "binance", "collected_us", contiguous=True),
    "desk": OracleSource("desk", "binance", "collected_us", contiguous=False),
    "simulator": OracleSource("simulator", "canonical", contiguous=True),
    "keyed": OracleSource("keyed", "canonical", contiguous=False, horizon_s=86_400.0),
}
"""Frames with a collector's time whose ids go on, the same whose holes mean nothing, and canonical trades, by numbers
or by keys that are remembered for longer than a run lasts."""

Of = tuple[str, str]
"""A source and a symbol."""

MARKETS: tuple[Of, ...] = (
    ("simulator", "BTCUSDT"),
    ("simulator", "ETHUSDT"),
    ("binance-spot", "BTCUSDT"),
    ("binance-spot", "ETHUSDT"),
    ("desk", "BTCUSDT"),
    ("keyed", "BTCUSDT"),
)
_OPENING = 8
_KEPT = 400
_GAPS_MS = (0, 0, 300, 900, 7_000)
_PRICES = ("0.00000001", "3", "61837.63", "61837.64", "2500.5")
_SIZES = ("0.00000001", "0.02", "7", "99.99999999")


@dataclass(frozen=True)
class Message:
    """One record to produce; nothing of it depends on when that is done."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def __str__(self) -> str:
        headers = "".join(f" {name}={(value or b'').decode()}" for name, value in self.headers)
        return f"{self.partition}:{(self.value or b'<none>').decode(errors='backslashreplace')}{headers}"


class Traffic:
    """Makes up what comes next, by one clock that never goes back, three minutes before a midnight at first.

    Attributes:
        partitions: how many there are by now; with more of them markets move.
    """

    def __init__(self, random: Random) -> None:
        self.partitions = PARTITIONS
        self._random = random
        self._log = MemoryLog([])
        self._market = Market(self._log)
        self._ids = dict.fromkeys(MARKETS, 100)
        self._left_out: list[tuple[Of, int]] = []
        self._sent: list[Sending] = []

    def opening(self) -> list[Message]:
        """Some trades of every market, on time."""
        return self._messages(self._next(of) for _ in range(_OPENING) for of in MARKETS)

    def of(self, kinds: Iterable[str]) -> list[Message]:
        """What comes next, of these kinds one after the other."""
        return self._messages(sending for kind in kinds for sending in KINDS[kind](self))

    def ordinary(self) -> Iterator[Sending]:
        """Trades of all markets in turn of chance, on time."""
        for _ in range(self._random.randint(5, 12)):
            yield self._next(self._of())

    def late(self) -> Iterator[Sending]:
        """Trades that happened up to some minutes ago."""
        for _ in range(self._random.randint(2, 6)):
            late_us = self._random.choice([1, 61_000_000, 200_000_000, 600_000_000])
            yield replace(self._next(self._of()), late_us=late_us)

    def out_of_order(self) -> Iterator[Sending]:
        """A run of trades of one market, the last id first."""
        of = self._of()
        run = [self._next(of) for _ in range(self._random.randint(3, 6))]
        ids = reversed([one.trade_id for one in run])
        yield from (replace(one, trade_id=trade_id) for one, trade_id in zip(run, ids, strict=True))

    def again(self) -> Iterator[Sending]:
        """Trades that have been sent before, just now or long ago, in the same lane or another."""
        for _ in range(self._random.randint(4, 12)):
            back = self._random.randint(1, self._random.choice([6, 60, _KEPT]))
            one = self._sent[-1 - back % len(self._sent)]
            yield replace(one, gap_ms=0, lane=one.lane + self._random.randrange(self.partitions))

    def poisoned(self) -> Iterator[Sending]:
        """Records that are no trades; some say which they would have been, and may come whole after all."""
        for _ in range(self._random.randint(2, 5)):
            if self._random.random() < 0.5:
                lane, what = self._random.randrange(self.partitions), self._random.randrange(len(NOT_TRADES))
                yield Sending(lane=lane, gap_ms=0, not_a_trade=what)
                continue
            one = self._next(self._of())
            yield replace(one, broken=True)
            if self._random.random() < 0.5:
                yield one

    def burst(self) -> Iterator[Sending]:
        """Many trades of one market at once."""
        of = self._of()
        for _ in range(self._random.randint(60, 150)):
            yield replace(self._next(of), gap_ms=5)

    def holes(self) -> Iterator[Sending]:
        """Trades between which ids are left out, and some of those that were left out before."""
        for _ in range(self._random.randint(2, 5)):
            of = self._of()
            for _ in range(self._random.randint(1, 3)):
                self._left_out.append((of, self._next(of).trade_id))
            yield self._next(of)
        for _ in range(self._random.randint(0, min(4, len(self._left_out)))):
            of, trade_id = self._left_out.pop(self._random.randrange(len(self._left_out)))
            yield replace(self._made(of), trade_id=trade_id)

    def skewed(self) -> Iterator[Sending]:
        """Collectors whose clocks run behind or ahead, and trades from a fast clock; by 400 s is too far to believe."""
        for _ in range(self._random.randint(4, 8)):
            one = self._next(self._of())
            late_us = self._random.choice([0, -45_000_000, -290_000_000, -400_000_000])
            yield replace(one, late_us=late_us, collected_late_ms=self._random.choice([None, 75_000, 0, -20_000]))

    def _of(self) -> Of:
        return self._random.choice(MARKETS)

    def _next(self, of: Of) -> Sending:
        """The next trade of a market, in the market's own lane."""
        self._ids[of] += 1
        return replace(self._made(of), trade_id=self._ids[of])

    def _made(self, of: Of) -> Sending:
        source, symbol = of
        return Sending(
            lane=(MARKETS.index(of) + 1) * 7 % self.partitions,
            gap_ms=self._random.choice(_GAPS_MS),
            source=source,
            symbol=symbol,
            price=self._random.choice(_PRICES),
            size=self._random.choice(_SIZES),
            side=self._random.choice(["buy", "sell"]),
            collected_late_ms=None if source == "simulator" else self._random.choice([0, 0, 40, 3_000]),
        )

    def _messages(self, sendings: Iterable[Sending]) -> list[Message]:
        """The records as they are produced; the market's log is no more than the pen that writes them."""
        while len(self._log.lanes) < self.partitions:
            self._log.add_lane(str(len(self._log.lanes)))
        begun = self._log.end_offsets()
        messages = []
        for sending in sendings:
            self._market.send([sending])
            if sending.not_a_trade is None and not sending.broken:
                self._sent = [*self._sent[-_KEPT:], sending]
            lane = self._log.lanes[sending.lane % len(self._log.lanes)]
            record = self._log.at(lane, begun[lane])
            begun[lane] += 1
            key = record.key if record.value is not None else sending.symbol.encode()  # without both none is sent
            messages.append(Message(int(lane), key, record.value, record.headers))
        return messages


KINDS: Mapping[str, Callable[[Traffic], Iterator[Sending]]] = {
    "ordinary": Traffic.ordinary,
    "late": Traffic.late,
    "out of order": Traffic.out_of_order,
    "again": Traffic.again,
    "poisoned": Traffic.poisoned,
    "burst": Traffic.burst,
    "holes": Traffic.holes,
    "skewed": Traffic.skewed,
}
