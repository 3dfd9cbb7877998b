"""Records for the decoder's tests: good ones, and a bad one between two good neighbours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from twofold.decoding import Decoded, Reason, decode
from twofold.records import RecordBatch
from twofold.source import Source

SOURCES = {
    "plain": Source(venue="testing", wire_format="canonical", ids="contiguous"),
    "keyed": Source(venue="keyed", wire_format="canonical", ids="opaque"),
    "collected": Source(venue="gathered", wire_format="canonical", ids="unique", collected_header="collected_us"),
    "binance-spot": Source(venue="binance", wire_format="binance", ids="contiguous", collected_header="collected_us"),
}
LANE = "5f0e6c1a-0000-4000-8000-00000000abcd/3"
EVENT_US = 1_723_161_255_342_000
LOGGED_MS = 1_723_161_260_000
FIRST_OFFSET = 100

Headers = tuple[tuple[str, bytes | None], ...]


def canonical(**changes: object) -> bytes:
    """A good canonical value, with fields changed."""
    fields = {
        "symbol": "BTCUSDT",
        "trade_id": 7,
        "price": "61837.63",
        "size": "0.02",
        "side": "buy",
        "event_time_us": EVENT_US,
    }
    return json.dumps(fields | changes).encode()


def without(field: str) -> bytes:
    fields = json.loads(canonical())
    del fields[field]
    return json.dumps(fields).encode()


def unquoted(field: str, number: str) -> bytes:
    """A canonical value whose field is the number as it stands, without quotes."""
    return canonical(**{field: "PLACE"}).replace(b'"PLACE"', number.encode())


def binance(**changes: object) -> bytes:
    """A good bare Binance frame, with fields changed."""
    frame = {
        "e": "trade",
        "E": EVENT_US // 1000 + 1,
        "s": "BTCUSDT",
        "t": 3735683259,
        "p": "61837.63000000",
        "q": "0.02000000",
        "T": EVENT_US // 1000,
        "m": True,
        "M": True,
    }
    return json.dumps(frame | changes).encode()


def wrapped(frame: bytes) -> bytes:
    return b'{"stream":"btcusdt@trade","data":' + frame + b"}"


def batch(
    values: Sequence[bytes | None],
    *,
    keys: Sequence[bytes | None] | None = None,
    headers: Sequence[Headers] | None = None,
    lane: str = LANE,
    first_offset: int = FIRST_OFFSET,
    logged_ms: int = LOGGED_MS,
) -> RecordBatch:
    count = len(values)
    return RecordBatch(
        lane=lane,
        offsets=list(range(first_offset, first_offset + count)),
        timestamps_ms=[logged_ms] * count,
        keys=[b"BTCUSDT"] * count if keys is None else list(keys),
        values=list(values),
        headers=None if headers is None else list(headers),
        next_offset=first_offset + count,
    )


def refusal_among_good(
    bad: bytes | None,
    *,
    key: bytes | None = b"BTCUSDT",
    headers: Headers | None = None,
    good: bytes | None = None,
    source: str = "plain",
    sources: Mapping[str, Source] = SOURCES,
) -> tuple[Reason, str]:
    """Decode a bad record between two good ones; the good ones are trades, the bad one a dead letter kept whole.

    Returns:
        The dead letter's reason and detail.
    """
    good = canonical() if good is None else good
    records = batch(
        [good, bad, good],
        keys=[b"BTCUSDT", key, None],
        headers=None if headers is None else [(), headers, ()],
    )
    decoded = decode([records], sources, source)
    assert decoded.trades["offset"].to_list() == [FIRST_OFFSET, FIRST_OFFSET + 2]
    assert decoded.trades["lane"].to_list() == [LANE, LANE]
    return only_refusal(decoded, bad, key, headers or ())


def only_refusal(decoded: Decoded, bad: bytes | None, key: bytes | None, headers: Headers) -> tuple[Reason, str]:
    letter = decoded.rejected.row(0, named=True)
    assert decoded.rejected.height == 1
    assert (letter["lane"], letter["offset"]) == (LANE, FIRST_OFFSET + 1)
    assert letter["logged_at"] == datetime.fromtimestamp(LOGGED_MS / 1000, UTC)
    assert (letter["key"], letter["value"]) == (key, bad)
    assert letter["headers"] == [{"key": name, "value": value} for name, value in headers]
    assert letter["detail"].endswith(".")
    assert len(letter["detail"]) < 400
    return Reason(letter["reason"]), letter["detail"]
