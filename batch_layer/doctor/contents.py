"""Whether the tables of one publication agree: what was read, what counted, which ids were seen, what was folded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from batch_layer.doctor.finding import Finding
from twofold.edition import Edition, carried
from twofold.errors import ArithmeticOverflow, LakeError, ViewUnreadable
from twofold.fold import fold, merge
from twofold.horizon import Horizons, horizons_us, is_remembered
from twofold.lake import Lake
from twofold.ledger import MARKET, coalesce
from twofold.publication import Publication
from twofold.source import Source
from twofold.tables import DEAD_LETTERS, LEDGER, RAW, TRADES
from twofold.view import View

_REBUILD = "Rebuild from `raw`: `twofold doctor --mend`."


def look_at_contents(lake: Lake, publication: Publication, sources: Mapping[str, Source]) -> Iterator[Finding]:
    """Compare the rows of a publication's tables with its accounts, and its trades with its ledger and its views."""
    looks = [_rows_by_lane(lake, publication), _ids(lake, publication, horizons_us(sources))]
    if TRADES.name in publication.tables:
        looks += [_partials(lake, publication, edition) for edition in carried(publication.editions)]
    for look in looks:
        try:
            yield from look
        except (LakeError, ArithmeticOverflow, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
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


def _ids(lake: Lake, publication: Publication, horizons: Horizons) -> Iterator[Finding]:
    """Compare, by market, the rows of `trades` whose ids are remembered, the different ids, and those in the ledger."""
    if TRADES.name not in publication.tables or LEDGER.name not in publication.tables:
        return
    trades = lake.scan(TRADES.name, publication.tables[TRADES.name]).filter(
        is_remembered("trade_id", "arrival_time", publication.arrivals, horizons)
    )
    counted = trades.group_by(MARKET).agg(rows=pl.len(), ids=pl.col("trade_id").n_unique()).collect()
    known = is_remembered("first_id", "first_arrival", publication.arrivals, horizons)
    intervals = coalesce(lake.scan(LEDGER.name, publication.tables[LEDGER.name]).filter(known).collect())
    size = pl.col("last_id") - pl.col("first_id") + 1
    seen = intervals.group_by(MARKET).agg(seen=size.sum())
    both = counted.join(seen, on=MARKET, how="full", coalesce=True).fill_null(0).sort(MARKET)
    for venue, symbol, rows, ids, in_ledger in both.select(*MARKET, "rows", "ids", "seen").iter_rows():
        if ids != rows:
            sentence = f"{rows - ids} trades of {symbol} at {venue} stand there more than once, and count so."
            yield Finding("content", _place(TRADES.name, publication), sentence, _REBUILD)
        if in_ledger != ids:
            sentence = f"it has {in_ledger} ids of {symbol} at {venue} where `trades` has {ids}."
            yield Finding("content", _place(LEDGER.name, publication), sentence, _REBUILD)


def _partials(lake: Lake, publication: Publication, edition: Edition) -> Iterator[Finding]:
    """Fold the trades again, day by day, and compare: all but revisions, which trades alone do not tell."""
    table = edition.table
    try:
        view = edition.view
    except ViewUnreadable as error:
        sentence = f"it cannot be compared with `trades`. {error}"
        yield Finding("content", _place(table, publication), sentence, "Run `twofold doctor` of that version.")
        return
    window = pl.col("event_time").dt.truncate(f"{view.window_us}us")
    trades = lake.scan(TRADES.name, publication.tables[TRADES.name])
    partials = lake.scan(table, publication.tables[table])
    days = pl.concat([trades.select(day=window.dt.date()), partials.select("day")]).unique().collect(engine="streaming")
    wrong = 0
    for day in days["day"]:
        counted = fold([view], trades.filter(window.dt.date() == day).collect())[view.name]
        there = merge(view, partials.filter(pl.col("day") == day).select(view.partial_schema.names()).collect())
        wrong += _differing(view, counted, there)
    if wrong:
        sentence = f"{wrong} of its groups are not what `trades` folds to."
        yield Finding("content", _place(table, publication), sentence, _REBUILD)


def _differing(view: View, one: pl.DataFrame, other: pl.DataFrame) -> int:
    """How many groups there are in only one of two frames of partials, or in both with different states."""
    columns = [name for name in view.partial_schema if name != "revisions"]
    rows = pl.concat([one.select(columns), other.select(columns)])
    same = rows.group_by(columns).len().filter(pl.col("len") > 1)
    return rows.select(view.group).unique().height - same.height


def _place(table: str, publication: Publication) -> str:
    return f"{table}, publication {publication.sequence}"
