"""The gap log: what it keeps of each change, and what it tells of every publication since."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
from polars.testing import assert_frame_equal

from twofold.gap_log import gap_changes, gap_lives, gaps_at
from twofold.gaps import GAP_SCHEMA

Span = tuple[str, int, int, str, int | None]
"""Symbol, first and last id, state, and the watermark when it was found, UTC microseconds."""


def gaps(*spans: Span) -> pl.DataFrame:
    time = pl.Datetime("us", "UTC")
    rows = [
        {"venue": "v", "symbol": symbol, "first_id": first_id, "last_id": last_id, "state": state, "lane": "t/0"}
        | dict.fromkeys(("first_event", "held_first"), first_id * 1000)
        | dict.fromkeys(("last_event", "held_last", "since"), last_id * 1000)
        | {"watermark": watermark}
        for symbol, first_id, last_id, state, watermark in spans
    ]
    raw = pl.DataFrame(rows, schema={n: pl.Int64 if t == time else t for n, t in GAP_SCHEMA.items()})
    return raw.with_columns(pl.col(n).cast(t) for n, t in GAP_SCHEMA.items())


COURSE = [
    gaps(),
    gaps(("BTC", 5, 9, "open", None), ("ETH", 5, 9, "open", 7)),
    gaps(("BTC", 5, 9, "open", None), ("ETH", 5, 9, "open", 7)),
    gaps(("BTC", 5, 6, "open", None), ("BTC", 8, 9, "open", None), ("ETH", 5, 9, "lost", None)),
    gaps(("BTC", 5, 6, "unusable", None), ("BTC", 8, 9, "open", 70)),
    gaps(("BTC", 5, 6, "open", 80), ("BTC", 8, 9, "open", 70)),
]
"""The gaps of publications 0 to 5."""


def log_of_course() -> pl.DataFrame:
    steps = enumerate(pairwise(COURSE), start=1)
    return pl.concat(gap_changes(before, after, sequence) for sequence, (before, after) in steps)


def test_the_open_gaps_of_every_publication_can_be_told_from_the_newest_log() -> None:
    lives = gap_lives(log_of_course())
    for sequence, expected in enumerate(COURSE):
        opened = expected.filter(pl.col("state") == "open").with_columns(
            pl.lit(None).cast(GAP_SCHEMA[name]).alias(name) for name in ("since", "lane")
        )
        assert_frame_equal(gaps_at(lives, sequence), opened, check_row_order=False)


def test_what_does_not_change_is_not_logged_again() -> None:
    counts = log_of_course().group_by("sequence").len().sort("sequence").rows()
    assert counts == [(1, 2), (3, 4), (4, 3), (5, 1)]


def test_of_a_part_of_the_log_by_market_the_same_is_told() -> None:
    log = log_of_course()
    part = gap_lives(log.filter(pl.col("symbol") == "BTC"))
    assert_frame_equal(part, gap_lives(log).filter(pl.col("symbol") == "BTC"))
