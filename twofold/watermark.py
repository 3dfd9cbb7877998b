"""The watermark: how far event time is known to have come, per venue."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

WITNESSES = 3
"""A watermark is the third largest time seen, so that one or two wild clocks cannot push it."""

Witnesses = Mapping[str, list[int]]
"""Venue to its largest times, min(event time, arrival time) in UTC microseconds, largest first, at most three."""


def witness(known: Witnesses, trades: pl.DataFrame) -> dict[str, list[int]]:
    """Take the times of more trades into account. Witnesses only ever rise."""
    times = trades.select("venue", at=pl.min_horizontal("event_time", "arrival_time").dt.epoch("us"))
    top = times.group_by("venue").agg(pl.col("at").top_k(WITNESSES))
    found = {str(venue): list(values) for venue, values in top.iter_rows()}
    return {
        venue: sorted([*known.get(venue, []), *found.get(venue, [])], reverse=True)[:WITNESSES]
        for venue in sorted({*known, *found})
    }


def newest_arrivals_us(known: Mapping[str, int], trades: pl.DataFrame) -> dict[str, int]:
    """The greatest arrival time of each venue in UTC microseconds, with more trades taken into account."""
    found = trades.group_by("venue").agg(pl.col("arrival_time").max().dt.epoch("us"))
    newest = {str(venue): int(time_us) for venue, time_us in found.iter_rows()}
    return {venue: max(each[venue] for each in (known, newest) if venue in each) for venue in sorted({*known, *newest})}


def watermarks_us(witnesses: Witnesses) -> dict[str, int]:
    """The watermark of each venue in UTC microseconds; a venue with fewer than three trades has none."""
    return {venue: times[WITNESSES - 1] for venue, times in witnesses.items() if len(times) >= WITNESSES}
