"""The gaps of a publication: what is missing between the ids that its ledger has seen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl

from twofold.gaps import GAP_SCHEMA, LOST, OPEN, UNUSABLE
from twofold.ledger import INTERVAL_SCHEMA, MARKET, Ledger, coalesce
from twofold.source import Source

_TIME = GAP_SCHEMA["since"]


@dataclass(frozen=True)
class GapRules:
    """What gaps are judged by.

    Attributes:
        venues: Those whose ids are contiguous.
        hole_age_us: How long a gap stays open, by arrival time.
    """

    venues: Collection[str]
    hole_age_us: int

    def among(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of the venues whose ids are contiguous."""
        return frame.filter(pl.col("venue").is_in(list(self.venues)))


def contiguous_venues(sources: Mapping[str, Source]) -> set[str]:
    """The venues of which every source declares its ids contiguous; elsewhere a hole means nothing."""
    venues = {source.venue for source in sources.values()}
    return venues - {source.venue for source in sources.values() if source.ids != "contiguous"}


def ids_of(rejected: pl.DataFrame) -> pl.DataFrame:
    """The ids that dead letters (`DEAD_LETTER_SCHEMA`) bear, each as an interval (`INTERVAL_SCHEMA`)."""
    found = rejected.filter(pl.col("trade_id").is_not_null())
    return found.select(*MARKET, first_id="trade_id", last_id="trade_id")


def unusable_ids(gaps: pl.DataFrame, rejected: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """The ids that dead letters bear and no trade does, as intervals (`INTERVAL_SCHEMA`).

    Args:
        gaps: the gaps so far (`GAP_SCHEMA`).
        rejected: the ids that dead letters since bear (`INTERVAL_SCHEMA`).
        ledger: every id seen.
    """
    known = gaps.filter(pl.col("state") == UNUSABLE).select(INTERVAL_SCHEMA.names())
    return ledger.unseen(coalesce(pl.concat([known, rejected])))


def find_gaps(
    seen: pl.DataFrame,
    unusable: pl.DataFrame,
    before: pl.DataFrame,
    watermarks_us: Mapping[str, int],
    arrivals_us: Mapping[str, int],
    rules: GapRules,
) -> pl.DataFrame:
    """All gaps (`GAP_SCHEMA`), by market and first id.

    What was lost stays lost, and a part of an open gap is known since the whole was.

    Args:
        seen: every interval of ids seen, joined (`LEDGER_SCHEMA`).
        unusable: the ids that are unusable (`INTERVAL_SCHEMA`), none of them seen.
        before: the gaps of the publication before.
        watermarks_us: the watermarks of the publication before, per venue.
        arrivals_us: the greatest arrival times by now, per venue.
        rules: which venues count, and the age at which an open gap is lost.
    """
    parts = [rules.among(seen), rules.among(unusable).with_columns(state=pl.lit(UNUSABLE))]
    placed = _with_neighbours(pl.concat(parts, how="diagonal"))
    between = pl.col("before").is_not_null() & pl.col("since").is_not_null()
    holes = placed.filter((pl.col("first_id") - pl.col("previous_id") > 1) & between).with_columns(
        first_id=pl.col("previous_id") + 1, last_id=pl.col("first_id") - 1
    )
    judged = _judged(_with_range(holes), before, watermarks_us, arrivals_us, rules.hole_age_us)
    filled = _with_range(placed.filter(pl.col("state") == UNUSABLE))
    return pl.concat([judged, filled], how="diagonal").select(_columns()).sort([*MARKET, "first_id"])


def missing_by_lane(gaps: pl.DataFrame) -> dict[str, int]:
    """How many ids the open gaps have, by the lane of the trade after them."""
    missing: dict[str, int] = {}
    opened = gaps.filter(pl.col("state") == OPEN).select("lane", "first_id", "last_id")
    for lane, first_id, last_id in opened.iter_rows():
        missing[lane] = missing.get(lane, 0) + last_id - first_id + 1
    return missing


def _with_neighbours(intervals: pl.DataFrame) -> pl.DataFrame:
    """Add to each interval the last id before it, and what is known of the nearest trades before and after that."""
    return intervals.sort([*MARKET, "first_id"]).with_columns(
        previous_id=pl.col("last_id").shift(1).over(MARKET),
        before=pl.col("last_event").forward_fill().shift(1).over(MARKET),
        after=pl.col("first_event").backward_fill().over(MARKET),
        since=pl.col("first_arrival").backward_fill().over(MARKET),
        lane=pl.col("first_lane").backward_fill().over(MARKET),
    )


def _with_range(gaps: pl.DataFrame) -> pl.DataFrame:
    """Replace the times before and after by the earlier and the later of them."""
    turned = pl.col("before") > pl.col("after")
    return gaps.with_columns(
        first_event=pl.when(turned).then("after").otherwise("before"),
        last_event=pl.when(turned).then("before").otherwise("after"),
    )


def _judged(
    holes: pl.DataFrame,
    before: pl.DataFrame,
    watermarks_us: Mapping[str, int],
    arrivals_us: Mapping[str, int],
    hole_age_us: int,
) -> pl.DataFrame:
    """Say of each hole whether it is open or lost, when it was found, and what it has held since."""
    kept = ("last_id", "state", "watermark", "held_first", "held_last")
    known = before.filter(pl.col("state") != UNUSABLE).select(
        *MARKET, "first_id", **{f"known_{name}": name for name in kept}
    )
    compared = holes.sort("first_id").join_asof(
        known.sort("first_id"), on="first_id", by=MARKET, strategy="backward", check_sortedness=False
    )
    is_known = (pl.col("known_last_id") >= pl.col("first_id")).fill_null(value=False)
    age_us = _by_venue(arrivals_us) - pl.col("since").dt.epoch("us")
    is_lost = (is_known & (pl.col("known_state") == LOST)) | (age_us > hole_age_us)
    # A part that may fall outside of where the whole could does not hold anything there.
    first = pl.max_horizontal("first_event", "known_held_first")
    last = pl.min_horizontal("last_event", "known_held_last")
    is_part = is_known & (first <= last)
    found_at = _by_venue(watermarks_us).cast(_TIME)
    judged = compared.with_columns(
        state=pl.when(is_lost).then(pl.lit(LOST)).otherwise(pl.lit(OPEN)),
        watermark=pl.when(is_part).then("known_watermark").otherwise(found_at),
        held_first=pl.when(is_part).then(first).otherwise("first_event"),
        held_last=pl.when(is_part).then(last).otherwise("last_event"),
    )
    of_open = [
        pl.when(pl.col("state") == OPEN).then(name).alias(name) for name in ("watermark", "held_first", "held_last")
    ]
    return judged.with_columns(of_open)


def _by_venue(times_us: Mapping[str, int]) -> pl.Expr:
    return pl.col("venue").replace_strict(dict(times_us), default=None, return_dtype=pl.Int64)


def _columns() -> list[pl.Expr]:
    return [pl.col(name).cast(dtype) for name, dtype in GAP_SCHEMA.items()]
