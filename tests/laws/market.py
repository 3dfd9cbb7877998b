"""A market whose trades come late, repeated, sent again in other lanes, and among records that are no trades."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from memory_log import MemoryLog
from oracle import Oracle, OracleRecord, OracleSource
from oracle.record import SOURCES as SHIPPED

from twofold.source import HORIZON_S, SHIPPED_SOURCES, Source

TOPIC = "9a1e6a52-7d0c-4c6b-b5a3-3d1f0e5c2b11"
LANES = tuple(f"{TOPIC}/{partition}" for partition in range(3))
BEGIN_MS = int(datetime(2024, 8, 9, 23, 57, tzinfo=UTC).timestamp() * 1000)
"""Three minutes before midnight, so that windows fall on two days."""

HOLE_AGE_S = 240.0
"""How long missing ids are waited for in the laws' tests: about as long as a script of few records lasts."""

SOURCES: Mapping[str, Source] = {
    **SHIPPED_SOURCES,
    "keyed": Source(venue="keyed", wire_format="canonical", ids="opaque"),
}
ORACLE_SOURCES: Mapping[str, OracleSource] = {
    **SHIPPED,
    "keyed": OracleSource("keyed", "canonical", contiguous=False, horizon_s=HORIZON_S),
}
"""The same, as the oracle takes them."""

NOT_TRADES: tuple[bytes | None, ...] = (
    None,
    b"",
    b"{",
    b"[1]",
    b"{}",
    b'{"symbol":"BTCUSDT"}\n{"symbol":"BTCUSDT"}',
    b'{"symbol":"BTCUSDT","trade_id":1,"price":"1.000000001","size":"1","side":"buy","event_time_us":1723247820000000}',
    b'{"symbol":"../BTC","trade_id":1,"price":"1","size":"1","side":"buy","event_time_us":1723247820000000}',
    b'{"symbol":"BTCUSDT","trade_id":1,"price":"-1","size":"1","side":"buy","event_time_us":1723247820000000}',
    b'{"symbol":"BTCUSDT","trade_id":1,"price":"1","size":"1","side":"buy","event_time_us":0}',
    b"\xff\xfe",
)
OTHERWISE: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "price": lambda trade: {"p" if "p" in trade else "price": "2.5"},
    "size": lambda trade: {"q" if "q" in trade else "size": "0.5"},
    "side": lambda trade: {"m": not trade["m"]} if "m" in trade else {"side": _OTHER_SIDE[trade["side"]]},
    "time": lambda trade: {"T": trade["T"] - 70_000} if "T" in trade else {"event_time_us": trade["event_time_us"] - 1},
}
"""In what a copy of a trade may differ, and how it does; of a frame of either format."""

WHOLLY = "wholly"

_OTHER_SIDE = {"buy": "sell", "sell": "buy"}
_PRICES = ("0.00000001", "0.1", "3", "61837.63", "61837.64", "9999999999.99999999")
_SIZES = ("0.00000001", "0.02", "7", "99.99999999")


@dataclass(frozen=True, repr=False)
class Sending:
    """One record to send. What an id stands for is settled when it is first sent; after that it is sent again.

    A `broken` one is a dead letter that says which trade it would have been. One sent `otherwise` differs from
    what its id stands for, in one thing or, if `WHOLLY`, by a body of its own.
    """

    lane: int
    gap_ms: int
    source: str = "simulator"
    symbol: str = "BTCUSDT"
    trade_id: int = 0
    price: str = "1"
    size: str = "1"
    side: str = "buy"
    late_us: int = 0
    collected_late_ms: int | None = None
    not_a_trade: int | None = None
    broken: bool = False
    otherwise: str | None = None
    marker: bool = False

    def __repr__(self) -> str:
        said = {
            each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default
        }
        return f"Sending({', '.join(f'{name}={value!r}' for name, value in said.items())})"


def sendings(*, otherwise: bool = False) -> st.SearchStrategy[Sending]:
    """Any record: mostly trades of few ids, so that many are sent again, and few that are far from their time.

    Some of those that are sent again have another body if `otherwise`.
    """
    return st.builds(
        Sending,
        lane=st.integers(0, 3),
        gap_ms=st.sampled_from([0, 900, 31_000, 60_000]),
        source=st.sampled_from(["simulator", "simulator", "binance-spot", "keyed"]),
        symbol=st.sampled_from(["BTCUSDT", "ETHUSDT"]),
        trade_id=st.sampled_from([*range(16), 2**63 - 2, 2**63 - 1]),
        price=st.sampled_from(_PRICES),
        size=st.sampled_from(_SIZES),
        side=st.sampled_from(["buy", "sell"]),
        late_us=st.sampled_from([0, 0, 1, 60_000_000, 200_000_000, 300_000_000, -45_000_000]),
        collected_late_ms=st.sampled_from([None, None, 0, 75_000, -20_000, 8_000_000]),
        not_a_trade=st.sampled_from([*[None] * 60, *range(len(NOT_TRADES))]),
        broken=st.sampled_from([*[False] * 20, True]),
        otherwise=st.sampled_from([*[None] * 8, WHOLLY, WHOLLY, *OTHERWISE] if otherwise else [None]),
        marker=st.sampled_from([*[False] * 15, True]),
    )


@dataclass
class Market:
    """Sends to a log, by one clock that never goes back."""

    log: MemoryLog = field(default_factory=lambda: MemoryLog(LANES))
    now_ms: int = BEGIN_MS
    _bodies: dict[tuple[str, str, int], bytes] = field(default_factory=dict)

    def send(self, sendings: Iterable[Sending]) -> None:
        """Append records to the log."""
        for sending in sendings:
            self.now_ms += sending.gap_ms
            lane = self.log.lanes[sending.lane % len(self.log.lanes)]
            if sending.marker:
                self.log.append_marker(lane)
            elif sending.not_a_trade is not None:
                self.log.append(lane, NOT_TRADES[sending.not_a_trade], timestamp_ms=self.now_ms)
            else:
                self._send_trade(lane, sending)

    def oracle(self) -> Oracle:
        """An oracle over all that was sent."""
        return Oracle(
            (
                OracleRecord(record.lane, record.offset, record.timestamp_ms, record.key, record.value, record.headers)
                for record in self.log.records
            ),
            ORACLE_SOURCES,
            hole_age_s=HOLE_AGE_S,
        )

    def _send_trade(self, lane: str, sending: Sending) -> None:
        name = (sending.source, sending.symbol, sending.trade_id)
        if sending.broken:
            body = self._body(replace(sending, price="0"))
        elif sending.otherwise == WHOLLY:
            body = self._body(sending)
        else:
            body = self._bodies.setdefault(name, self._body(sending))
        if sending.otherwise in OTHERWISE:
            trade = json.loads(body)
            body = json.dumps(trade | OTHERWISE[sending.otherwise](trade)).encode()
        headers: tuple[tuple[str, bytes | None], ...] = ()
        if sending.source != "simulator":
            headers = (("source", sending.source.encode()),)
        if sending.collected_late_ms is not None:
            collected_us = (self.now_ms - sending.collected_late_ms) * 1000
            headers = (*headers, ("collected_us", str(collected_us).encode()))
        self.log.append(lane, body, timestamp_ms=self.now_ms, key=sending.symbol.encode(), headers=headers)

    def _body(self, sending: Sending) -> bytes:
        event_us = self.now_ms * 1000 - sending.late_us
        if sending.source in {"simulator", "keyed"}:
            trade_id = f"0x{sending.trade_id:x}" if sending.source == "keyed" else sending.trade_id
            trade = {"symbol": sending.symbol, "trade_id": trade_id, "price": sending.price}
            return json.dumps(trade | {"size": sending.size, "side": sending.side, "event_time_us": event_us}).encode()
        frame = {"e": "trade", "s": sending.symbol, "t": sending.trade_id, "p": sending.price, "q": sending.size}
        return json.dumps(frame | {"T": event_us // 1000, "m": sending.side == "sell"}).encode()


def steady_trades(count: int, *, lanes: int = len(LANES), gap_ms: int = 7_000) -> list[Sending]:
    """So many trades of two symbols in turn, over all lanes, on time, every seventh sent again in the next lane."""
    trades = [
        Sending(
            lane=number % lanes,
            gap_ms=gap_ms,
            symbol=("BTCUSDT", "ETHUSDT")[number % 2],
            trade_id=number // 2,
            price=_PRICES[number % 5],
            size=_SIZES[number % 4],
            side=("buy", "sell")[number % 3 % 2],
        )
        for number in range(count)
    ]
    return [sent for trade in trades for sent in (trade, *_again(trade, lanes))]


def _again(trade: Sending, lanes: int) -> list[Sending]:
    if trade.trade_id % 7:
        return []
    return [Sending(lane=(trade.lane + 1) % lanes, gap_ms=0, symbol=trade.symbol, trade_id=trade.trade_id)]
