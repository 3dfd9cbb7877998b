"""The decoder: records of the event log in, typed trades and dead letters out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from twofold.decoding import exact, plausible
from twofold.decoding.binance import read_binance
from twofold.decoding.canonical import read_canonical, read_canonical_keys
from twofold.decoding.checks import FIELD_CHECKS, Check, collected_check, split_by
from twofold.decoding.dead_letter import Reason, Refusal, dead_letters, shorten
from twofold.decoding.framing import framing_refusals
from twofold.decoding.identity import identities
from twofold.decoding.origin import collected_texts, find_origins
from twofold.decoding.stack import Stack
from twofold.decoding.trade import TRADE_SCHEMA
from twofold.decoding.wire_format import FieldReader
from twofold.records import RecordBatch
from twofold.source import Source

FIELD_READERS: dict[tuple[str, bool], FieldReader] = {
    ("binance", False): read_binance,
    ("canonical", False): read_canonical,
    ("canonical", True): read_canonical_keys,
}
"""The wire formats that can be read, by the name that sources declare and whether they declare their ids opaque."""

_ARRANGED = (
    pl.col("row", *(name for name in TRADE_SCHEMA if name not in {"event_time", "arrival_time"})),
    pl.col("event_us").cast(TRADE_SCHEMA["event_time"]).alias("event_time"),
    pl.max_horizontal("event_us", "received_us").cast(TRADE_SCHEMA["arrival_time"]).alias("arrival_time"),
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came of some records; each is in exactly one of the frames, and both are in the order of the records.

    Attributes:
        trades: `TRADE_SCHEMA`.
        rejected: `DEAD_LETTER_SCHEMA`.
    """

    trades: pl.DataFrame
    rejected: pl.DataFrame


def decode(batches: Sequence[RecordBatch], sources: Mapping[str, Source], default_source: str) -> Decoded:
    """Decode record batches of any lanes together. Nothing in a record raises: what cannot be used is a dead letter.

    Args:
        batches: records as they stand in the log.
        sources: the declared sources by name.
        default_source: the source of records without a `source` header.
    """
    stack = Stack(batches)
    refused = framing_refusals(stack.keys, stack.values)
    origins = find_origins(stack, default_source)
    alike: dict[tuple[str, bool, str | None], list[tuple[Source, Sequence[int]]]] = {}
    for name, rows in origins.rows_of.items():
        readable = [row for row in rows if row not in refused] if refused else rows
        declared = _declared(name, sources)
        if isinstance(declared, Refusal):
            refused.update(dict.fromkeys(readable, declared))
        else:
            read_by = (declared.wire_format, declared.is_opaque, declared.collected_header)
            alike.setdefault(read_by, []).append((declared, readable))
    frames = []
    for parts in alike.values():
        frame, broken = _decode_rows(stack, *_together(parts))
        frames.append(frame)
        refused.update(broken)
    identity_of = identities(stack, refused, origins.source_of, sources)
    return Decoded(_in_order(frames), dead_letters(stack, refused, origins.source_of, identity_of))


def _declared(name: str, sources: Mapping[str, Source]) -> Source | Refusal:
    source = sources.get(name)
    if source is None:
        known = ", ".join(sorted(sources)) or "none"
        return Refusal(Reason.UNKNOWN_SOURCE, f"No source {shorten(name)} is declared. Known: {known}.")
    if (source.wire_format, source.is_opaque) not in FIELD_READERS:
        known = ", ".join(form for form, is_opaque in FIELD_READERS if is_opaque == source.is_opaque)
        ids = " and opaque ids" if source.is_opaque else ""
        detail = f"Source `{name}` declares the wire format {shorten(source.wire_format)}{ids}. Known: {known}."
        return Refusal(Reason.UNKNOWN_WIRE_FORMAT, detail)
    return source


def _together(parts: Sequence[tuple[Source, Sequence[int]]]) -> tuple[Source, Sequence[int], pl.Series]:
    """Put rows of sources whose records are read alike into the order of the log: any of them, rows, and venues."""
    (source, rows), *others = parts
    if not others:
        return source, rows, pl.Series("venue", [source.venue], dtype=pl.String).new_from_index(0, len(rows))
    venue_of = {row: part.venue for part, rows in parts for row in rows}
    rows = sorted(venue_of)
    return source, rows, pl.Series("venue", [venue_of[row] for row in rows], dtype=pl.String)


def _decode_rows(
    stack: Stack, source: Source, rows: Sequence[int], venues: pl.Series
) -> tuple[pl.DataFrame, dict[int, Refusal]]:
    """Decode rows read alike that have passed the framing: the sound ones with all columns, the refusals by row."""
    fields = FIELD_READERS[source.wire_format, source.is_opaque](stack.values_of(rows))
    refused = {rows[place]: refusal for place, refusal in fields.refused.items()}
    kept = [rows[place] for place in fields.places] if refused else rows
    price = exact.to_decimals(fields.columns["price_text"])
    size = exact.to_decimals(fields.columns["size_text"])
    logged_us = _picked(stack.logged_us, kept)
    frame = fields.columns.hstack(
        [
            pl.Series("row", kept, dtype=pl.Int64),
            _picked(venues, fields.places),
            price.alias("price"),
            size.alias("size"),
            exact.notional_of(price, size).alias("notional"),
            _picked(stack.lanes, kept),
            _picked(stack.offsets, kept),
            logged_us,
        ]
    )
    checks: Sequence[Check] = FIELD_CHECKS
    if source.collected_header is None or not stack.has_headers:
        frame = frame.hstack([logged_us.alias("received_us")])
    else:
        collected = _picked(collected_texts(stack, source.collected_header), kept)
        frame = frame.hstack([collected, plausible.collected_us(collected).alias("collected_us")])
        frame = frame.with_columns(received_us=pl.coalesce("collected_us", "logged_us"))
        checks = (collected_check(source.collected_header), *FIELD_CHECKS)
    trades, broken = split_by(checks, frame, _ARRANGED)
    return trades, refused | broken


def _picked(column: pl.Series, rows: Sequence[int]) -> pl.Series:
    return column if len(rows) == len(column) else column.gather(pl.Series(rows, dtype=pl.UInt32))


def _in_order(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Put the trades of all sources into the order of the records."""
    if not frames:
        return TRADE_SCHEMA.to_frame()
    stacked = frames[0] if len(frames) == 1 else pl.concat(frames).sort("row")
    return stacked[TRADE_SCHEMA.names()]
