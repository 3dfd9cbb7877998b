"""Revisions counted from trades: how often each window was added to after it had been closed.

Partials count them as cycles add to a table. What is made of `trades` later, an old answer or a view that is built
beside another, tells them from the history of the publications, and gets the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from twofold.history import NEVER, History
from twofold.ledger import MARKET
from twofold.view import View


@dataclass(frozen=True)
class Revisions:
    """Counts the revisions of a view.

    Attributes:
        view: Whose windows.
        history: Which publication took a trade in, and the watermarks before it.
        gap_lives: The open gaps that there ever were (`twofold.gap_log.gap_lives`), of the markets that are asked for.
    """

    view: View
    history: History
    gap_lives: pl.DataFrame

    def late(self, trades: pl.DataFrame) -> pl.DataFrame:
        """Which publications added to a window that the watermark had passed: the group, `taken_in_by` and `due`."""
        view = self.view
        window = pl.col("event_time").dt.truncate(f"{view.window_us}us").alias("window_start")
        came = trades.with_columns(window, self.history.taken_in_by(trades["lane"], trades["offset"]))
        added = came.select(*view.group, "taken_in_by").unique()
        due = pl.col("window_start").to_physical() + view.window_us + view.lateness_us
        marks = self.history.watermarks_before(added["venue"], added["taken_in_by"])
        before = self.history.sequences_before(added["taken_in_by"])
        passed = (pl.col("watermark_before") != NEVER) & (pl.col("due") <= pl.col("watermark_before"))
        return added.with_columns(due.alias("due"), marks, before).filter(passed).drop("watermark_before")

    def counted(self, late: Iterable[pl.DataFrame], partials: pl.DataFrame) -> pl.DataFrame:
        """Merged partials with their revisions: each was late as some of these say, and no gap had held it open."""
        view = self.view
        found = self._revised(list(late))
        counted = partials.drop("revisions").join(found, on=view.group, how="left")
        return counted.with_columns(pl.col("revisions").fill_null(0)).select(view.partial_schema.names())

    def _revised(self, late: list[pl.DataFrame]) -> pl.DataFrame:
        group = self.view.group
        added = pl.concat(late).unique() if late else pl.DataFrame()
        if added.is_empty():
            types = self.view.partial_schema
            return pl.DataFrame(schema={name: types[name] for name in [*group, "revisions"]})
        start_us = pl.col("window_start").to_physical()
        windows = added.with_row_index("row").with_columns(start_us=start_us, end_us=start_us + self.view.window_us)
        held = windows.join_where(self._lives_in_numbers, *_HOLD).select("row").unique()
        return windows.join(held, on="row", how="anti").group_by(group).agg(revisions=pl.len().cast(pl.Int64))

    @cached_property
    def _lives_in_numbers(self) -> pl.DataFrame:
        times = {name: pl.col(name).to_physical() for name in ("watermark", "held_first", "held_last")}
        numbers = self.gap_lives.with_columns(**times).rename({name: f"gap_{name}" for name in MARKET})
        return numbers.with_columns(pl.col("watermark").fill_null(NEVER), pl.col("ended_at").fill_null(-NEVER - 1))


_HOLD = (
    pl.col("venue") == pl.col("gap_venue"),
    pl.col("symbol") == pl.col("gap_symbol"),
    pl.col("opened_at") <= pl.col("sequence_before"),
    pl.col("ended_at") > pl.col("sequence_before"),
    pl.col("watermark") < pl.col("due"),
    pl.col("held_first") < pl.col("end_us"),
    pl.col("held_last") >= pl.col("start_us"),
)
"""When a gap has kept a window from closing ever since the watermark came to it, as `OpenHoles.hold` says."""
