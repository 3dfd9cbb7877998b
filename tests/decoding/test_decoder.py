from __future__ import annotations

import json
import random

from hypothesis import given
from hypothesis import strategies as st
from record_maker import SOURCES, Headers, batch, binance, canonical, unquoted, without, wrapped

from twofold.decoding import DEAD_LETTER_SCHEMA, TRADE_SCHEMA, Decoded, decode
from twofold.records import RecordBatch

BAD: list[bytes | None] = [
    None,
    b"",
    b"\n",
    b"{",
    b"[]",
    b"\xff",
    canonical() + b"\n" + canonical(),
    without("price"),
    canonical(price=None),
    canonical(trade_id="7"),
    canonical(price="-1"),
    canonical(size="1e5"),
    canonical(symbol="A/B"),
    canonical(event_time_us=0),
    canonical(price="9" * 40),
    unquoted("price", "9007199254.74099301"),
    b"x" * 70_000,
]


def lane_name(number: int) -> str:
    return f"topic/{number}"


def coordinates(decoded: Decoded) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    return decoded.trades.select("lane", "offset").rows(), decoded.rejected.select("lane", "offset").rows()


def test_no_record_gives_two_empty_frames_with_their_schemas() -> None:
    for batches in ([], [batch([])]):
        decoded = decode(batches, SOURCES, "plain")
        assert decoded.trades.is_empty()
        assert decoded.rejected.is_empty()
        assert decoded.trades.schema == TRADE_SCHEMA
        assert decoded.rejected.schema == DEAD_LETTER_SCHEMA


def test_the_frames_have_their_schemas_whatever_came() -> None:
    headers: list[Headers] = [(("source", b"binance-spot"), ("collected_us", b"1")), ()]
    for values, some_headers in (
        ([canonical()], None),
        ([None], None),
        ([b"{", canonical()], None),
        ([b"{", b"{"], headers),
        ([binance(), unquoted("price", "5")], headers),
    ):
        decoded = decode([batch(values, headers=some_headers)], SOURCES, "plain")
        assert decoded.trades.schema == TRADE_SCHEMA
        assert decoded.rejected.schema == DEAD_LETTER_SCHEMA
        assert decoded.trades.height + decoded.rejected.height == len(values)


@given(data=st.data(), seed=st.integers(0, 2**32))
def test_every_row_carries_its_own_offset_wherever_bad_records_stand(data: st.DataObject, seed: int) -> None:
    """A good record's trade id is the number of its place, so that a shifted row would show."""
    bad = data.draw(st.lists(st.sampled_from(BAD), max_size=20))
    count = data.draw(st.integers(0, 60))
    kinds: list[bytes | None] = [*bad, *([b"good"] * count)]
    random.Random(seed).shuffle(kinds)
    values = [canonical(trade_id=5000 + place) if kind == b"good" else kind for place, kind in enumerate(kinds)]
    edges = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    batches: list[RecordBatch] = []
    for number, (start, end) in enumerate(zip([0, *edges], [*edges, len(values)], strict=True)):
        batches.append(batch(values[start:end], lane=lane_name(number), first_offset=start))
    decoded = decode(batches, SOURCES, "plain")
    own = [(lane.lane, offset) for lane in batches for offset in lane.offsets]
    good = [place for place, kind in enumerate(kinds) if kind == b"good"]
    assert decoded.trades["trade_id"].to_list() == [5000 + place for place in good]
    assert decoded.rejected["value"].to_list() == [
        value for value, kind in zip(values, kinds, strict=True) if kind != b"good"
    ]
    assert coordinates(decoded) == (
        [own[place] for place in good],
        [own[place] for place, kind in enumerate(kinds) if kind != b"good"],
    )


@given(st.lists(st.sampled_from(["bare", "wrapped", "canonical", "unknown", "broken"]), max_size=40))
def test_records_of_several_sources_stay_in_the_order_of_the_log(kinds: list[str]) -> None:
    values: list[bytes | None] = []
    headers: list[Headers] = []
    for place, kind in enumerate(kinds):
        frame = {"bare": binance(t=place), "wrapped": wrapped(binance(t=place)), "broken": b"{"}
        values.append(frame.get(kind, canonical(trade_id=place)))
        source = {"bare": b"binance-spot", "wrapped": b"binance-spot", "unknown": b"unknown"}.get(kind)
        headers.append(() if source is None else (("source", source),))
    decoded = decode([batch(values, headers=headers, first_offset=0)], SOURCES, "plain")
    read = [place for place, kind in enumerate(kinds) if kind not in {"unknown", "broken"}]
    assert decoded.trades["trade_id"].to_list() == read
    assert decoded.trades["offset"].to_list() == read
    assert decoded.rejected["offset"].to_list() == [place for place in range(len(kinds)) if place not in read]


@given(st.lists(st.one_of(st.none(), st.binary(max_size=40), st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.sampled_from(["symbol", "data", "e", "price", "p", "x"]), inner, max_size=4),
    max_leaves=8,
).map(lambda tree: json.dumps(tree).encode())), max_size=10), st.sampled_from(sorted(SOURCES)))  # fmt: skip
def test_no_bytes_whatever_make_the_decoder_raise(values: list[bytes | None], source: str) -> None:
    decoded = decode([batch(values, keys=values)], SOURCES, source)
    assert decoded.trades.is_empty()
    assert decoded.rejected["offset"].to_list() == list(range(100, 100 + len(values)))


def test_batches_with_and_without_headers_may_be_decoded_together() -> None:
    batches = [
        batch([canonical(), b"{"], lane="topic/0"),
        batch([binance(), b"["], lane="topic/1", headers=[(("source", b"binance-spot"),), (("a", None), ("b", b"c"))]),
    ]
    decoded = decode(batches, SOURCES, "plain")
    assert decoded.trades["venue"].to_list() == ["testing", "binance"]
    assert decoded.rejected["lane"].to_list() == ["topic/0", "topic/1"]
    assert decoded.rejected["headers"].to_list() == [[], [{"key": "a", "value": None}, {"key": "b", "value": b"c"}]]
