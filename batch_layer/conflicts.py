"""Conflicts: copies of trades that have been taken with another body. Each is a dead letter, and the first counts.

A body is price, size, side, event time and, of an opaque source, the key itself: two keys may have one number. Arrival,
lane and offset tell copies apart and not bodies. Only repeats are
looked at. The trade that counts is one of the same cycle, or stands in `trades`: there, only in data files whose event
times reach over that of the repeat is it looked for, since the trade of a true repeat has the same event time. What is
not found in these is a conflict, of which is told no more than that: to find the trade that counts would take a scan of
the table.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import timedelta

import polars as pl

from twofold.decoding import DEAD_LETTER_SCHEMA, TRADE_SCHEMA, Reason
from twofold.decoding.dead_letter import Refusal, dead_letters
from twofold.decoding.origin import find_origins
from twofold.decoding.stack import Stack
from twofold.lake import Lake
from twofold.ledger import MARKET, Sorted
from twofold.records import RecordBatch
from twofold.tables import TRADES

BODY = ["price", "size", "side", "event_time", "trade_key"]

CONFLICT_SCHEMA = pl.Schema(
    {name: TRADE_SCHEMA[name] for name in (*MARKET, "trade_id", "trade_key", "lane", "offset")}
    | {"detail": pl.String()}
)
"""Columns of a frame of conflicts: which trade, the record's own coordinates, and a sentence on what differs."""

ID = [*MARKET, "trade_id"]
KEPT = [*BODY, "lane", "offset"]

COMPARED_SCHEMA = pl.Schema(
    {name: TRADE_SCHEMA[name] for name in (*ID, *KEPT)} | {f"kept_{name}": TRADE_SCHEMA[name] for name in KEPT}
)
"""Columns of repeats beside the trades that count, `kept_…`, which are null where those were not found."""

_STATISTICS_UNIT = timedelta(milliseconds=1)
"""Delta's statistics cut times off to milliseconds, the greatest one too."""


def find_conflicts(told_apart: Sorted, lake: Lake, trades_version: int | None, is_known: pl.Expr) -> pl.DataFrame:
    """The repeats that are no true ones (`CONFLICT_SCHEMA`), in their order.

    Args:
        told_apart: the trades of a cycle, told apart by the ledger of its parent.
        lake: where `trades` is.
        trades_version: the version of `trades` that the parent names; None where nothing was published.
        is_known: of the rows of `trades`, those whose ids its ledger remembers.
    """
    repeated = told_apart.repeated
    if repeated.is_empty():
        return CONFLICT_SCHEMA.to_frame()
    now = _with_ids_of(told_apart.fresh, repeated)
    earlier = repeated.join(now, on=ID, how="anti")
    taken = [now] if earlier.is_empty() else [now, _taken_before(earlier, lake, trades_version, is_known)]
    kept = pl.concat(taken).select(*ID, **{f"kept_{name}": name for name in KEPT})
    return differing(repeated.join(kept, on=ID, how="left", maintain_order="left"))


def differing(compared: pl.DataFrame) -> pl.DataFrame:
    """The conflicts (`CONFLICT_SCHEMA`) among repeats (`COMPARED_SCHEMA`), in their order."""
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"kept_{name}")) for name in BODY)
    conflicts = compared.filter(~same)
    return conflicts.with_columns(detail=_detail()).select(CONFLICT_SCHEMA.names())


def conflict_letters(conflicts: pl.DataFrame, batches: Sequence[RecordBatch], default_source: str) -> pl.DataFrame:
    """The records of conflicts, kept whole as dead letters (`DEAD_LETTER_SCHEMA`).

    Args:
        conflicts: `CONFLICT_SCHEMA`.
        batches: the records that they are among, each lane in ascending order.
        default_source: the source of records without a `source` header.
    """
    if conflicts.is_empty():
        return DEAD_LETTER_SCHEMA.to_frame()
    stack = Stack(list(_picked(conflicts, batches)))
    places = pl.DataFrame([stack.lanes, stack.offsets])
    rows = places.join(conflicts, on=["lane", "offset"], how="left", maintain_order="left")
    refused = {row: Refusal(Reason.CONFLICT, detail) for row, detail in enumerate(rows["detail"])}
    source_of = find_origins(stack, default_source).source_of
    return dead_letters(stack, refused, source_of, dict(enumerate(rows.select(*ID, "trade_key").iter_rows())))


def _with_ids_of(trades: pl.DataFrame, repeated: pl.DataFrame) -> pl.DataFrame:
    near = trades.filter(pl.col("trade_id").is_in(repeated["trade_id"].unique().implode()))
    return near.join(repeated, on=ID, how="semi")


def _taken_before(repeated: pl.DataFrame, lake: Lake, version: int | None, is_known: pl.Expr) -> pl.DataFrame:
    """The trades of these ids in the files of `trades` that their event times lie in (`TRADE_SCHEMA`)."""
    paths = [] if version is None else files_around(trade_files(lake, version), repeated["event_time"])
    if not paths:
        return TRADE_SCHEMA.to_frame()
    files = [f"{lake.address(TRADES.name)}/{path}" for path in paths]
    has_id = pl.col("trade_id").is_in(repeated["trade_id"].unique().implode())
    near = lake.read_files(TRADES.name, files, TRADE_SCHEMA.names(), has_id & is_known)
    return near.join(repeated, on=ID, how="semi")


def trade_files(lake: Lake, version: int) -> pl.DataFrame:
    """The data files of `trades` at a version: `path` below it, and `least` and `greatest` event time, if known."""
    added = pl.DataFrame(lake.open(TRADES.name, version).get_add_actions(flatten=True))
    known = {"min.event_time", "max.event_time"} <= set(added.columns)
    unknown = pl.lit(None, TRADE_SCHEMA["event_time"])
    least, greatest = (pl.col("min.event_time"), pl.col("max.event_time")) if known else (unknown, unknown)
    return added.select("path", least=least, greatest=greatest + _STATISTICS_UNIT)


def files_around(files: pl.DataFrame, times: pl.Series) -> list[str]:
    """The paths of the `trade_files` whose range of event times, as far as it is known, has one of these in it."""
    ordered = times.unique().sort()
    least, greatest = files["least"], files["greatest"]
    holds = ordered.search_sorted(least, side="left") < ordered.search_sorted(greatest, side="right")
    return files["path"].filter(holds | least.is_null() | greatest.is_null()).to_list()


def _picked(conflicts: pl.DataFrame, batches: Sequence[RecordBatch]) -> Iterator[RecordBatch]:
    """What the batches hold of the conflicts' records."""
    wanted = {
        str(lane): rows["offset"].sort().to_list() for (lane,), rows in conflicts.group_by("lane", maintain_order=True)
    }
    for batch in batches:
        offsets = wanted.get(batch.lane, [])
        if not offsets or not len(batch):
            continue
        within = offsets[bisect_left(offsets, batch.offsets[0]) : bisect_right(offsets, batch.offsets[-1])]
        if within:
            yield _part(batch, [bisect_left(batch.offsets, offset) for offset in within])


def _part(batch: RecordBatch, places: Sequence[int]) -> RecordBatch:
    return RecordBatch(
        lane=batch.lane,
        offsets=[batch.offsets[place] for place in places],
        timestamps_ms=[batch.timestamps_ms[place] for place in places],
        keys=[batch.keys[place] for place in places],
        values=[batch.values[place] for place in places],
        headers=None if batch.headers is None else [batch.headers[place] for place in places],
        next_offset=batch.next_offset,
    )


def _detail() -> pl.Expr:
    """The sentence on what differs."""
    named = pl.coalesce("kept_trade_key", "trade_key", pl.col("trade_id").cast(pl.String))
    trade = pl.format("Trade {} of {} at {} had been taken", named, "symbol", "venue")
    parts = [
        pl.when(pl.col(name) != pl.col(f"kept_{name}")).then(
            pl.format("{} {} and not {}", pl.lit(name.replace("_", " ")), _shown(f"kept_{name}"), _shown(name))
        )
        for name in BODY
    ]
    differing = pl.concat_str(parts, separator=", ", ignore_nulls=True)
    found = pl.format("{} from offset {} of lane {} with {}.", trade, "kept_offset", "kept_lane", differing)
    elsewhere = pl.format("{} with another event time than {}.", trade, _shown("event_time"))
    return pl.when(pl.col("kept_lane").is_null()).then(elsewhere).otherwise(found)


def _shown(name: str) -> pl.Expr:
    column = pl.col(name)
    if name.endswith("event_time"):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    if name.endswith(("side", "trade_key")):
        return column
    return column.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
