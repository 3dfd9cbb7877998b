"""Building: an edition of a view made beside the one that is served, from `trades`, and carried by cycles from then on.

The long part, all trades of one publication, is done while cycles go on, in a table that nobody reads. What they have
taken in meanwhile is added in a turn of its own, which publishes the edition. Whatever ends this before, the table is
begun anew by the next try.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date

from batch_layer.partials import add_partials, with_day
from batch_layer.view_change.changing import Change, Changed, change, edition_of, newest_published
from batch_layer.view_change.folding import TradeFold
from twofold.clock import Clock, utc_now
from twofold.decoding import DECODER_HASH
from twofold.edition import Edition, carried
from twofold.errors import Superseded
from twofold.history import HistoryReader
from twofold.lake import Lake, TableSpec, TableWriter
from twofold.publication import Publication, Publications
from twofold.tables import view_table
from twofold.view import View

Progress = Callable[[date, int, int], None]
"""Told of each day: the day, how many are done with it, and how many there are."""

TRIES = 5
"""How often it is caught up with cycles that publish meanwhile; on a lake in a folder they wait, and once is enough."""


def build(lake: Lake, view: View, progress: Progress = lambda *_: None, clock: Clock = utc_now) -> Changed:
    """Build an edition of a view beside what is served under its name. Nothing to do if the lake carries it already.

    Raises:
        NoLake: nothing was published yet.
        DecoderDiffers: another version of Twofold makes the publications.
        TurnTaken: batch cycles have been at work all the time.
        Superseded: another build of this view is at work, or the lake went back; nothing of this one is public.
        ArithmeticOverflow: a sum left the range of its type.
        LakeUnreachable: a table cannot be read or written.
    """
    publication = newest_published(Publications(lake))
    publication.check_decoder(DECODER_HASH)
    if _is_there(publication, view):
        return Changed(publication, edition_of(publication, view.name, view.hash), is_new=False)
    spec = view_table(view, f"views/{view.name}-{view.hash}")
    built = fold_all(lake, spec, view, publication, progress)
    caught_up = _CaughtUp(lake, spec, view, publication, built)
    for _ in range(TRIES - 1):
        with suppress(Superseded):  # cycles on an object store keep no turns
            return change(lake, clock, caught_up, view.name, view.hash)
    return change(lake, clock, caught_up, view.name, view.hash)


def fold_all(lake: Lake, spec: TableSpec, view: View, publication: Publication, progress: Progress) -> int:
    """Fold the trades of a publication, a commit a day, and give the version that has all of it."""
    writer = TableWriter(lake, spec)
    if writer.file_count():
        writer.replace(spec.schema.to_frame())
    trades = TradeFold(lake, view, publication)
    days = trades.days()
    for number, day in enumerate(days, start=1):
        writer.append(with_day(trades.of_day(day)))
        progress(day, number, len(days))
    return writer.version


class _CaughtUp:
    """Catches a table up with the newest publication, and says what that is to have more."""

    def __init__(self, lake: Lake, spec: TableSpec, view: View, folded: Publication, built: int) -> None:
        self._lake = lake
        self._spec = spec
        self._view = view
        self._folded = folded
        self._built = built

    def __call__(self, parent: Publication, sequence: int) -> Change | None:
        if _is_there(parent, self._view):
            return None
        line = HistoryReader(self._lake).up_to(parent).sequences
        if self._folded.sequence not in line:
            raise Superseded(
                f"The lake went back behind publication {self._folded.sequence}, which view {self._view.name!r} was "
                "built from. Nothing of it is public; build it again."
            )
        writer = TableWriter(self._lake, self._spec)
        writer.bring_back(self._built)
        came = TradeFold(self._lake, self._view, parent).since(self._folded)
        if came.height:
            add_partials(self._view, writer, came)
        edition = Edition.of(self._view, "beside", sequence, self._spec.name)
        others = [each for each in parent.editions if (each.name, each.hash) != (edition.name, edition.hash)]
        return Change([*others, edition], {**parent.tables, edition.table: writer.version})


def _is_there(publication: Publication, view: View) -> bool:
    return any((each.name, each.hash) == (view.name, view.hash) for each in carried(publication.editions))
