"""The batch cycle: take in what the log holds beyond the cut, fold it, publish it.

A cycle is three stages, each safe to run again: a stage begins by bringing the tables that it writes back to what is
published, so whatever an earlier try left behind is dropped. Nothing is public before the last commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from batch_layer.intake import Intake, take_in
from batch_layer.partials import add_partials, with_revisions
from twofold.account import Account, add_accounts, count_by_lane
from twofold.clock import Clock, utc_now
from twofold.decoding import DECODER_HASH, decode
from twofold.fold import fold as fold_views
from twofold.lake import Lake, TableSpec, TableWriter
from twofold.ledger import Ledger, coalesce
from twofold.publication import Publication, Publications, found_lake, publish
from twofold.records import OpenReader, records_frame
from twofold.source import Source
from twofold.tables import DEAD_LETTERS, LEDGER, RAW, TRADES, view_table
from twofold.view import View
from twofold.watermark import watermarks_us, witness

LEDGER_FILES = 16
"""Data files of the ledger at which it is rewritten as one, its intervals joined."""


@dataclass(frozen=True)
class Folded:
    """What a cycle made of its intake: the versions of the tables it wrote, and what became of each record."""

    tables: dict[str, int]
    accounts: dict[str, Account]
    witnesses: dict[str, list[int]]


class BatchCycle:
    """One cycle from the newest publication to the next. Make a new one for each.

    A parent that another decoder made is gone on from: what that decoder made trades, repeats and dead letters of stays
    so, this decoder takes the records from the cut on, and its hash is published with them. Speed workers hold to the
    published hash, so that both sides change decoders at that one commit.
    """

    def __init__(
        self,
        lake: Lake,
        open_reader: OpenReader,
        views: Mapping[str, View],
        sources: Mapping[str, Source],
        default_source: str,
        clock: Clock = utc_now,
    ) -> None:
        self._lake = lake
        self._open_reader = open_reader
        self._views = views
        self._sources = sources
        self._default_source = default_source
        self._clock = clock
        found_lake(lake)
        self.parent = Publications(lake).newest()

    def ingest(self, max_records: int) -> Intake:
        """Take in records from the cut on and keep them whole in `raw`.

        Raises:
            EventLogError: the event log cannot be read.
            Superseded: another cycle is at work.
        """
        reader = self._open_reader(self.parent.cut)
        try:
            intake = take_in(reader, max_records)
        finally:
            reader.close()
        writer = self._writer(RAW)
        if intake.records:
            writer.append(records_frame(intake.batches))
        self._raw_version = writer.version
        return intake

    def has_news(self, intake: Intake) -> bool:
        """Whether there is something to publish: records, lost ones, or a decoder that is not the parent's.

        The last is news by itself: with a quiet log a speed worker of this decoder would find no base of it.
        """
        return bool(intake.records or intake.lost) or not self.parent.made_by(DECODER_HASH)

    def fold(self, intake: Intake) -> Folded:
        """Decode, tell first occurrences from repeats, and fold every view.

        Raises:
            ArithmeticOverflow: a sum left the range of its type.
            Superseded: another cycle is at work.
        """
        decoded = decode(intake.batches, self._sources, self._default_source)
        ledger = self._writer(LEDGER)
        told_apart = Ledger(ledger.rows().collect()).sort_out(decoded.trades)
        fresh = told_apart.fresh
        tables = {
            RAW.name: self._raw_version,
            LEDGER.name: self._add_ids(ledger, told_apart.added.frame),
            TRADES.name: self._append(TRADES, fresh),
            DEAD_LETTERS.name: self._append(DEAD_LETTERS, decoded.rejected),
        }
        marks = watermarks_us(self.parent.witnesses)
        for name, partials in fold_views(self._views.values(), fresh).items():
            view = self._views[name]
            writer = self._writer(view_table(view))
            if partials.height:
                add_partials(view, writer, with_revisions(view, partials, marks))
            tables[writer.spec.name] = writer.version
        accounts = count_by_lane(intake.read, fresh, told_apart.repeated, decoded.rejected, intake.lost)
        return Folded(tables, accounts, witness(self.parent.witnesses, fresh))

    def publish(self, intake: Intake, folded: Folded) -> Publication:
        """Make the cycle's work public: one commit.

        Raises:
            Superseded: another cycle published first; nothing of this one is public.
        """
        publication = Publication(
            sequence=self.parent.sequence + 1,
            published_at=self._clock(),
            cut=intake.cut,
            tables=folded.tables,
            view_hashes={name: view.hash for name, view in self._views.items()},
            decoder_hash=DECODER_HASH,
            witnesses=folded.witnesses,
            accounts=add_accounts(self.parent.accounts, folded.accounts),
        )
        publish(self._lake, publication)
        return publication

    def _writer(self, spec: TableSpec) -> TableWriter:
        writer = TableWriter(self._lake, spec)
        writer.bring_back(self.parent.tables.get(spec.name))
        return writer

    def _append(self, spec: TableSpec, frame: pl.DataFrame) -> int:
        writer = self._writer(spec)
        if frame.height:
            writer.append(frame)
        return writer.version

    @staticmethod
    def _add_ids(writer: TableWriter, added: pl.DataFrame) -> int:
        if added.is_empty():
            return writer.version
        if writer.file_count() < LEDGER_FILES:
            writer.append(added)
        else:
            writer.replace(coalesce(pl.concat([writer.rows().collect(), added])))
        return writer.version
