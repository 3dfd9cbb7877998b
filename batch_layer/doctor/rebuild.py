"""The rebuild: all that is made of `raw`, made again cycle by cycle as it was made, in one publication.

Which copy of a trade counts, and what is a revision, depends on which cycle took a record in. The publications say it:
what `raw` has between the cuts of two of them is what one cycle took in. What comes out is compared with the
accounts and witnesses of the newest publication before it is published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import polars as pl

from batch_layer.cycle import BatchCycle, Folded
from batch_layer.doctor.examination import Examination
from batch_layer.intake import Intake
from twofold.account import add_accounts
from twofold.clock import Clock
from twofold.decoding import DECODER_HASH
from twofold.errors import LakeError
from twofold.lake import Lake
from twofold.lane import Positions, at_least
from twofold.publication import GENESIS, PUBLICATIONS, Publication, publish
from twofold.records import RECORD_SCHEMA, RecordBatch, RecordReader, batches_of, read_by_lane
from twofold.source import Source
from twofold.tables import RAW


@dataclass(frozen=True)
class Definitions:
    """What records are decoded by: the sources, and the source of records that name none."""

    sources: Mapping[str, Source]
    default_source: str


@dataclass(frozen=True)
class Rebuild:
    """A rebuild to be carried out.

    Attributes:
        publications: All that what is public came of, the state before the first included.
        taken_in: The data files of `raw` that may have what each after the first of these took in.
        definitions: What they are decoded by.
        sequence: The number that it is published under.
    """

    publications: tuple[Publication, ...]
    taken_in: tuple[tuple[str, ...], ...]
    definitions: Definitions
    sequence: int

    @property
    def may_lose(self) -> bool:
        """Whether records may be lost by it: never."""
        return False

    @property
    def sentence(self) -> str:
        """What is done, and what that means."""
        newest = self.publications[-1]
        return (
            f"Rebuild from raw all tables that are made of it, as publication {self.sequence} with the cut of "
            f"publication {newest.sequence}. Nothing is lost, and nothing needs a restart."
        )

    def carry_out(self, lake: Lake, clock: Clock) -> str:
        """Do it, and say what was done.

        Raises:
            LakeError: a table cannot be read or written, or what comes out is not what was published.
        """
        newest, made = self.publications[-1], GENESIS
        for (before, after), files in zip(pairwise(self.publications), self.taken_in, strict=True):
            cycle = _CycleAgain(lake, self.definitions, made, after, newest)
            folded = cycle.fold(_intake(lake, files, before, after))
            made = _after(made, folded)
        if (made.accounts, made.witnesses) != (newest.accounts, newest.witnesses):
            raise LakeError(
                f"What was made of `raw` is not what publication {newest.sequence} says, so nothing was published: "
                f"its accounts are {newest.accounts}, and {made.accounts} came out. Go back instead."
            )
        rebuilt = replace(newest, sequence=self.sequence, published_at=clock(), tables=made.tables, lost=())
        publish(lake, rebuilt)
        return f"Published {rebuilt.sequence}, made again from raw."


class _CycleAgain(BatchCycle):
    """A cycle that folds what an earlier one took in, on top of what was made again so far.

    Every view that the newest publication carries is folded from the beginning: one that was built later counts
    revisions as if it had always been there.
    """

    def __init__(
        self, lake: Lake, definitions: Definitions, made: Publication, after: Publication, newest: Publication
    ) -> None:
        super().__init__(lake, _no_reader, {}, definitions.sources, definitions.default_source)
        self.parent = made
        self._sequence = after.sequence
        self._exclusions = after.exclusions
        self._editions = newest.editions
        self._raw_version = newest.tables[RAW.name]


def plan_rebuild(found: Examination, definitions: Definitions) -> Rebuild | None:
    """A rebuild, where all that it takes is whole; None where it is not.

    That is: `raw`, every publication, the logs of all tables, and a meaning of the decoder that never changed.
    """
    publications = _line(each.publication for each in found.rows)
    newest = found.newest
    if RAW.name not in newest.tables or found.broken[PUBLICATIONS.name] or not found.is_whole(newest, RAW.name):
        return None
    if any(log.is_broken for log in found.logs.values()):
        return None
    # A table made anew would count its versions from 0 again, and older publications would name others' content.
    if not all(found.logs[table].opens(version) for table, version in newest.tables.items()):
        return None
    if not _each_is_there(found) or any(each.decoder_hash != DECODER_HASH for each in publications):
        return None
    publications = (GENESIS, *publications)
    versions = [publication.tables.get(RAW.name, 0) for publication in publications]
    raw = found.logs[RAW.name]
    parts = [file for file in raw.files if file.is_part_of(versions[-1])]
    taken_in = tuple(
        tuple(
            str(raw.folder / file.path)
            for file in parts
            if before < file.added and (file.may_be_older or file.added <= after)
        )
        for before, after in pairwise(versions)
    )
    return Rebuild(publications, taken_in, definitions, found.logs[PUBLICATIONS.name].head + 1)


def _line(publications: Iterable[Publication]) -> tuple[Publication, ...]:
    """Those that what is public came of: without what was gone back from."""
    line: list[Publication] = []
    for publication in publications:
        while line and not at_least(publication.cut, line[-1].cut):
            line.pop()
        line.append(publication)
    return tuple(line)


def _each_is_there(found: Examination) -> bool:
    """Whether each number is a publication's that can be read, or was never one's."""
    numbers = [each.publication.sequence for each in found.rows]
    log = found.logs[PUBLICATIONS.name]
    added = {file.added for file in log.files}
    return len({*numbers}) == len(numbers) and added <= {*numbers}


def _after(made: Publication, folded: Folded) -> Publication:
    return replace(
        made,
        sequence=made.sequence + 1,
        tables=folded.tables,
        witnesses=folded.witnesses,
        accounts=add_accounts(made.accounts, folded.accounts),
    )


def _intake(lake: Lake, files: tuple[str, ...], before: Publication, after: Publication) -> Intake:
    """What the cycle took in that went from one publication to the next."""
    batches: list[RecordBatch] = []
    if files:
        batches = batches_of(lake.read_files(RAW.name, list(files), RECORD_SCHEMA.names(), _between(before, after)))
    lost = {
        lane: count
        for lane, account in after.accounts.items()
        if (count := account.lost - (before.accounts[lane].lost if lane in before.accounts else 0))
    }
    return Intake(batches, dict(after.cut), read_by_lane(batches), lost)


def _between(before: Publication, after: Publication) -> pl.Expr:
    """The records that came with one publication and were not there with the one before it."""
    lane, offset = pl.col("lane"), pl.col("offset")
    came = pl.lit(value=False)
    for name, end in after.cut.items():
        if end > (first := before.cut.get(name, 0)):
            came |= (lane == name) & (offset >= first) & (offset < end)
    return came


def _no_reader(start: Positions) -> RecordReader:
    raise LakeError(f"A rebuild reads `raw` and never the event log, which was to be read from {dict(start)}.")
