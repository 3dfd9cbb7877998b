"""What changed between two answers to one question."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from serving.answer import Answer, answer_of_known
from serving.finality import HELD, PROVISIONAL
from serving.seam import Pair

FURTHEST = 10_000
"""Windows of a market that are looked through at most for what changed."""

_WIDER = 4


@dataclass(frozen=True)
class Change:
    """Rows that are others than they were told.

    Attributes:
        source: The answer that all of them are rows of. It reaches further back than what was asked where windows that
            had been told are no longer among the newest.
        rows: As they are, by keys and window start.
        was: Those of them that had been closed or revised, as they were told.
    """

    source: Answer
    rows: pl.DataFrame
    was: pl.DataFrame


def changed(before: Answer, now: Answer, pair: Pair) -> Change | None:
    """Compare two answers to one question, the later of which is made of a pair.

    Every window that was told, or is newer than one of its market that was, is compared, so that none is passed over
    however many windows began meanwhile.

    Returns:
        None where that cannot be told as a change: too many windows began, or a row that was told is no more.

    Raises:
        TooMuch: more would have to be looked through than one answer may be made of.
        ArithmeticOverflow: a sum left the range of its type.
    """
    view = now.query.view
    reached = before.rows.group_by(view.keys).agg(reached=pl.col("window_start").min())
    source = _reaching(reached, now, pair)
    if source is None:
        return None
    again = source.rows.join(reached, on=view.keys, how="left")
    is_since = pl.col("reached").is_null() | (pl.col("window_start") >= pl.col("reached"))
    since = again.filter(is_since).drop("reached")
    if before.rows.join(since, on=view.group, how="anti").height:
        return None
    rows = since.join(before.rows, on=since.columns, how="anti", nulls_equal=True).sort(view.group)
    told = before.rows.join(rows, on=view.group, how="semi")
    return Change(source, rows, told.filter(~pl.col("finality").is_in([PROVISIONAL, HELD])).sort(view.group))


def _reaching(reached: pl.DataFrame, now: Answer, pair: Pair) -> Answer | None:
    """An answer with every window that was told; None if it would be too long."""
    source, last = now, now.query.last or 0
    while not _reaches(reached, source, last):
        last *= _WIDER
        if last > FURTHEST:
            return None
        source = answer_of_known(replace(now.query, last=last), pair)
    return source


def _reaches(reached: pl.DataFrame, source: Answer, last: int) -> bool:
    keys = source.query.view.keys
    oldest = source.rows.group_by(keys).agg(oldest=pl.col("window_start").min(), windows=pl.len())
    joined = reached.join(oldest, on=keys, how="inner")
    return joined.filter((pl.col("oldest") > pl.col("reached")) & (pl.col("windows") >= last)).is_empty()
