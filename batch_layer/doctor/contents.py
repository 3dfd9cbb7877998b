"""Whether the tables of one publication agree with each other: what was read, what counted, and which ids were seen."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from batch_layer.doctor.finding import Finding
from twofold.errors import LakeError
from twofold.lake import Lake
from twofold.ledger import coalesce
from twofold.publication import Publication
from twofold.tables import DEAD_LETTERS, LEDGER, RAW, TRADES

_MARKET = ["venue", "symbol"]
_REBUILD = "Rebuild from `raw`: `twofold doctor --mend`."


def look_at_contents(lake: Lake, publication: Publication) -> Iterator[Finding]:
    """Compare the rows of a publication's tables with its accounts, and its trades with its ledger."""
    for look in (_rows_by_lane, _ids):
        try:
            yield from look(lake, publication)
        except (LakeError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            sentence = f"its tables cannot be compared, since a data file is damaged inside ({error})."
            yield Finding("content", f"publication {publication.sequence}", sentence, _REBUILD)


def _rows_by_lane(lake: Lake, publication: Publication) -> Iterator[Finding]:
    told = {
        RAW.name: {lane: account.read - account.lost for lane, account in publication.accounts.items()},
        TRADES.name: {lane: account.folded for lane, account in publication.accounts.items()},
        DEAD_LETTERS.name: {lane: account.dead_letters for lane, account in publication.accounts.items()},
    }
    for table, by_lane in told.items():
        if table not in publication.tables:
            continue
        rows = lake.scan(table, publication.tables[table])
        found = dict(rows.group_by("lane").len().collect(engine="streaming").iter_rows())
        for lane in sorted({*found, *by_lane}):
            counted, there = by_lane.get(lane, 0), found.get(lane, 0)
            if counted != there:
                sentence = f"it has {there} rows of {lane} where the account says {counted}."
                mend = None if table == RAW.name else _REBUILD
                yield Finding("content", _place(table, publication), sentence, mend)


def _ids(lake: Lake, publication: Publication) -> Iterator[Finding]:
    """Compare, market by market, the rows of `trades`, the different ids there, and the ids in the ledger."""
    if TRADES.name not in publication.tables or LEDGER.name not in publication.tables:
        return
    trades = lake.scan(TRADES.name, publication.tables[TRADES.name]).group_by(_MARKET)
    counted = trades.agg(rows=pl.len(), ids=pl.col("trade_id").n_unique()).collect()
    intervals = coalesce(lake.scan(LEDGER.name, publication.tables[LEDGER.name]).collect())
    size = pl.col("last_id") - pl.col("first_id") + 1
    seen = intervals.group_by(_MARKET).agg(seen=size.sum())
    both = counted.join(seen, on=_MARKET, how="full", coalesce=True).fill_null(0).sort(_MARKET)
    for venue, symbol, rows, ids, in_ledger in both.select(*_MARKET, "rows", "ids", "seen").iter_rows():
        if ids != rows:
            sentence = f"{rows - ids} trades of {symbol} at {venue} stand there more than once, and count so."
            yield Finding("content", _place(TRADES.name, publication), sentence, _REBUILD)
        if in_ledger != ids:
            sentence = f"it has {in_ledger} ids of {symbol} at {venue} where `trades` has {ids}."
            yield Finding("content", _place(LEDGER.name, publication), sentence, _REBUILD)


def _place(table: str, publication: Publication) -> str:
    return f"{table}, publication {publication.sequence}"
