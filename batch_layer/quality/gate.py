"""The gate: all checks of a cycle, on what it added to the tables, whichever engine did.

Rows are read from the files that the cycle wrote, so that what is checked is what would be public. Checks of rows and
sums fail; what may be so in a sound market, such as missing ids, warns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from batch_layer.intake import Intake
from batch_layer.quality.added import Added, added_to, rows_of
from batch_layer.quality.conservation import Conservation
from batch_layer.quality.counts import KEPT, has_changed, with_count
from batch_layer.quality.looking import Look
from batch_layer.quality.prices import published_prices
from batch_layer.quality.rules import trade_rules, view_rules
from twofold.clock import Clock, utc_now
from twofold.decoding import TRADE_SCHEMA
from twofold.edition import Edition, carried
from twofold.finish import FINISHED_TYPE
from twofold.fold import finished
from twofold.hold import Failing
from twofold.lake import Lake
from twofold.lane import Lane
from twofold.ledger import MARKET
from twofold.publication import Publication
from twofold.quality import CheckResult, Quality
from twofold.tables import TRADES

PRICE_FACTOR = 10.0
"""How many times as high, or as low, as what was published about then a price may be, if nothing else is said."""

FRESH = timedelta(minutes=15)
"""How long ago the newest trade of a cycle may have arrived without a word."""

_RECORDS = "records"


class Checked(NamedTuple):
    """What the checks of a cycle found.

    Attributes:
        quality: By check.
        failing: The trades that failed one, by symbol and lane.
    """

    quality: Quality
    failing: tuple[Failing, ...] = ()


class Gate:
    """Checks cycles.

    Args:
        price_factor: how many times as high, or as low, as what was published about then a price may be.
        clock: tells the time.
    """

    def __init__(self, price_factor: float = PRICE_FACTOR, clock: Clock = utc_now) -> None:
        self._rules = trade_rules(price_factor)
        self._clock = clock

    def check(
        self,
        lake: Lake,
        parent: Publication,
        intake: Intake,
        tables: Mapping[str, int],
        editions: Iterable[Edition],
        missing: Mapping[str, int],
    ) -> Checked:
        """Check what a cycle added.

        Args:
            lake: where the tables are.
            parent: the publication that the cycle went on from.
            intake: what it took in.
            tables: the versions that it wrote.
            editions: the views that it added to.
            missing: how many ids are missing by now, per lane.

        Raises:
            LakeUnreachable: a table cannot be read.
        """
        there = carried(editions)
        sums = {edition.table: Conservation(edition.view) for edition in there}
        added = added_to(lake, TRADES.name, parent.tables.get(TRADES.name), tables.get(TRADES.name))
        look, failing, newest = self._look_at_trades(lake, parent, there, added, sums.values())
        results = [*_told(look, TRADES.name)]
        for edition in there:
            files = added_to(lake, edition.table, parent.tables.get(edition.table), tables.get(edition.table))
            results += _look_at_view(lake, edition, files, sums[edition.table])
        is_of_log = not all(Lane.parse(lane).is_import for lane in intake.moved(parent.cut))
        counts = with_count(parent.quality.counts, intake.records) if is_of_log else parent.quality.counts
        results.append(_told_missing(missing))
        if is_of_log:
            results += [self._told_freshness(newest), _told_counts(counts)]
        return Checked(Quality(tuple(results), counts), failing)

    def _look_at_trades(
        self, lake: Lake, parent: Publication, editions: list[Edition], added: Added, sums: Iterable[Conservation]
    ) -> tuple[Look, tuple[Failing, ...], pl.Series]:
        """Look at the trades: what was found, those that failed, and the newest arrival of each part."""
        look = Look(TRADE_SCHEMA, {"trade_key"}, self._rules)
        failing, newest = [], []
        for rows in rows_of(lake, TRADES, added.added, TRADE_SCHEMA.names()):
            days = rows["event_time"].dt.date()
            first, last = days.min(), days.max()
            near = published_prices(lake, parent.tables, editions, first, last)  # type: ignore[arg-type]  # there are rows
            failing.append(look.at(rows.join(near, on=MARKET, how="left")))
            newest.append(rows["arrival_time"].max())
            for each in sums:
                each.of_trades(rows)
        return look, _by_symbol(failing), pl.Series(newest, dtype=TRADE_SCHEMA["arrival_time"])

    def _told_freshness(self, newest: pl.Series) -> CheckResult:
        arrived = newest.max()
        if arrived is None or self._clock() - arrived <= FRESH:  # type: ignore[operator]  # times of the schema
            return CheckResult("freshness", _RECORDS)
        detail = f"The newest trade arrived at {arrived:%Y-%m-%d %H:%M:%S} UTC, over {FRESH} ago."  # type: ignore[str-bytes-safe]  # a time
        return CheckResult("freshness", _RECORDS, "warned", detail=detail)


def _look_at_view(lake: Lake, edition: Edition, files: Added, sums: Conservation) -> Iterator[CheckResult]:
    """Look at the partials that were added, with their finished columns, and at what they add up to."""
    view, spec = edition.view, edition.spec
    states, edges = view.partial_schema, {name for name in view.aggregates if name not in sums.columns}
    maybe = {*edges, *(state for name in edges for state in view.aggregates[name].state(name)), *view.finished}
    types = pl.Schema({**states, **dict.fromkeys(view.finished, FINISHED_TYPE)})
    look = Look(types, maybe, view_rules(view))
    for rows in rows_of(lake, spec, files.added, states.names()):
        look.at(finished(view, rows))
        sums.of_partials(rows, 1)
    for rows in rows_of(lake, spec, files.removed, sums.columns):
        sums.of_partials(rows, -1)
    yield from _told(look, spec.name)
    differing = sums.differing()
    detail = "" if not differing else f"What was added is not what the trades add up to: {'; '.join(differing)}."
    yield CheckResult("conserved", spec.name, "failed" if differing else "passed", len(differing), detail)


def _told(look: Look, table: str) -> Iterator[CheckResult]:
    """What a look found, check by check."""
    types = "; ".join(look.mistyped)
    yield CheckResult("types", table, "failed" if types else "passed", detail=types)
    for rule in look.rules:
        count = look.broken[rule.name]
        detail = f"{count} rows {rule.broken}." if count else ""
        yield CheckResult(rule.name, table, "failed" if count else "passed", count, detail)


def _told_missing(missing: Mapping[str, int]) -> CheckResult:
    count = sum(missing.values())
    detail = f"{count} ids are missing by now; /v1/gaps names them." if count else ""
    return CheckResult("ids_without_gaps", _RECORDS, "warned" if count else "passed", count, detail)


def _told_counts(counts: tuple[int, ...]) -> CheckResult:
    if not has_changed(counts):
        return CheckResult("count_as_before", _RECORDS)
    detail = f"{counts[-1]} records: by ADWIN, cycles have begun to take in another number than in the {KEPT} before."
    return CheckResult("count_as_before", _RECORDS, "warned", detail=detail)


def _by_symbol(failing: list[pl.DataFrame]) -> tuple[Failing, ...]:
    """Trades that failed, by lane and symbol."""
    if not failing:
        return ()
    offset = pl.col("offset")
    found = (
        pl.concat(failing).group_by("lane", "symbol").agg(offset.min().alias("a"), offset.max().alias("b"), pl.len())
    )
    return tuple(Failing(*row) for row in found.sort("lane", "symbol").iter_rows())
