"""The horizon: how long an opaque trade id is remembered. Ids that are numbers are remembered for ever."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from twofold.source import Source

_EVER = -(2**63)

Horizons = Mapping[str, int]
"""Venue to the microseconds, by arrival time, for which its opaque ids are remembered."""


def horizons_us(sources: Mapping[str, Source]) -> dict[str, int]:
    """The horizons of the venues that have opaque sources; all of a venue's declare the same."""
    return {source.venue: round(source.horizon_s * 1_000_000) for source in sources.values() if source.is_opaque}


def is_remembered(id_column: str, arrival_column: str, arrivals_us: Mapping[str, int], horizons: Horizons) -> pl.Expr:
    """The rows, of a frame with a column `venue`, whose ids are remembered at a publication.

    Both sides of the seam go by this, so that they tell the same repeats: it is a function of the publication and of
    what is declared.

    Args:
        id_column: the ids; those below 0 are made of keys.
        arrival_column: when the trade that counts arrived.
        arrivals_us: the greatest arrival time of each venue, as the publication has them.
        horizons: those of the declared sources.
    """
    first_us = {
        venue: arrivals_us[venue] - horizon_us for venue, horizon_us in horizons.items() if venue in arrivals_us
    }
    if not first_us:
        return pl.lit(value=True)
    first = pl.col("venue").replace_strict(first_us, default=_EVER, return_dtype=pl.Int64)
    return (pl.col(id_column) >= 0) | (pl.col(arrival_column).dt.epoch("us") >= first)
