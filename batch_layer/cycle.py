"""The batch cycle: take in what the log holds beyond the cut, fold it, publish it.

A cycle is three stages, each safe to run again: a stage begins by bringing the tables that it writes back to what is
published, so whatever an earlier try left behind is dropped. Nothing is public before the last commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from batch_layer.conflicts import conflict_letters, find_conflicts
from batch_layer.gaps import GapRules, contiguous_venues, find_gaps, ids_of, missing_by_lane, unusable_ids
from batch_layer.held import held_error, held_intake, hold_back
from batch_layer.intake import Intake, take_in
from batch_layer.kept import kept_of
from batch_layer.ledger import add_intervals, with_times
from batch_layer.partials import add_partials, with_revisions
from batch_layer.quality.gate import Checked, Gate
from twofold.account import Account, add_accounts, count_by_lane
from twofold.clock import Clock, utc_now
from twofold.decoding import DECODER_HASH, Decoded, decode
from twofold.edition import Edition, carried, founded
from twofold.exclusion import Exclusion, part, reaching
from twofold.fold import fold as fold_views
from twofold.gap_log import gap_changes
from twofold.gaps import OpenHoles
from twofold.hold import Hold, Holds
from twofold.horizon import horizons_us, is_remembered
from twofold.lake import Lake, TableSpec, TableWriter
from twofold.ledger import INTERVAL_SCHEMA, Ledger, Sorted, coalesce
from twofold.publication import Publication, Publications, found_lake, publish
from twofold.records import OpenReader, records_frame
from twofold.resuming import resume
from twofold.source import HOLE_AGE_S, Source
from twofold.tables import DEAD_LETTERS, GAP_LOG, GAPS, LEDGER, RAW, TRADES
from twofold.view import View
from twofold.watermark import newest_arrivals_us, watermarks_us, witness


@dataclass(frozen=True)
class Folded:
    """What a cycle made of its intake.

    Attributes:
        tables: The versions of the tables that it wrote.
        accounts: What became of each record, per lane.
        witnesses: What the watermarks stand on by now, per venue.
        arrivals: The greatest arrival times by now, per venue.
        missing: How many ids are missing by now, per lane of the trade after them.
    """

    tables: dict[str, int]
    accounts: dict[str, Account]
    witnesses: dict[str, list[int]]
    arrivals: dict[str, int]
    missing: dict[str, int]


@dataclass(frozen=True)
class Missing:
    """What is missing between the ids seen.

    Attributes:
        holes_before: The open gaps of the parent.
        gaps: All gaps by now (`GAP_SCHEMA`).
        tables: The versions of the tables that say so.
    """

    holes_before: OpenHoles
    gaps: pl.DataFrame
    tables: dict[str, int]


@dataclass(frozen=True)
class _Ids:
    """What became of the ids of a cycle."""

    told_apart: Sorted
    arrivals: dict[str, int]
    missing: Missing
    tables: dict[str, int]


class BatchCycle:
    """One cycle from the newest publication to the next. Make a new one for each.

    A parent that another decoder made is gone on from: what that decoder made trades, repeats and dead letters of stays
    so, this decoder takes the records from the cut on, and its hash is published with them. Speed workers hold to the
    published hash, so that both sides change decoders at that one commit.

    Views are folded as the parent carries them. What is declared here is what a new lake is founded with, and changes
    nothing of one that has a publication: that is done by `batch_layer.view_change`.
    """

    def __init__(
        self,
        lake: Lake,
        open_reader: OpenReader,
        views: Mapping[str, View],
        sources: Mapping[str, Source],
        default_source: str,
        hole_age_s: float = HOLE_AGE_S,
        clock: Clock = utc_now,
        gate: Gate | None = None,
    ) -> None:
        self._lake = lake
        self._open_reader = open_reader
        self._sources = sources
        self._default_source = default_source
        self._horizons = horizons_us(sources)
        self._gap_rules = GapRules(contiguous_venues(sources), round(hole_age_s * 1_000_000))
        self._clock = clock
        self._gate = gate
        found_lake(lake)
        publications = Publications(lake)
        self.parent = publications.newest()
        self._sequence = publications.next_sequence
        self._editions = self.parent.editions or founded(views, self._sequence)
        self._exclusions = self.parent.exclusions
        self._held = Holds(lake).open_on(self.parent)

    def ingest(self, max_records: int) -> Intake:
        """Take in records from the cut on and keep them whole in `raw`.

        Raises:
            CycleHeld: one is held that waits for a person.
            EventLogError: the event log cannot be read, or is another than the cut is of.
            Superseded: another cycle is at work.
        """
        self._refuse_held(hold for hold in self._held if hold.is_of_log)
        reader = resume(self._open_reader, self.parent.cut, self.parent.log)
        try:
            intake = take_in(reader, max_records)
        finally:
            reader.close()
        return self.keep(intake)

    def keep(self, intake: Intake) -> Intake:
        """Keep the records of an intake whole in `raw`, with those that the log had no longer but the lake still has.

        Raises:
            CycleHeld: they are of lanes of which records are held.
            Superseded: another cycle is at work.
        """
        self._refuse_held(
            hold for hold in self._held if any(lane in hold.cut for lane in intake.moved(self.parent.cut))
        )
        return self._keep(intake)

    def take_up(self, hold: Hold, exclusions: Sequence[Exclusion] = ()) -> Intake:
        """Take in what is held, as it was kept, with more exclusions than the parent has.

        Raises:
            Superseded: another cycle is at work.
            LakeUnreachable: the records cannot be read.
        """
        since = (replace(each, since=self._sequence) for each in exclusions)
        self._exclusions = (*self.parent.exclusions, *since)
        return self._keep(held_intake(self._lake, self.parent, hold))

    def _keep(self, intake: Intake) -> Intake:
        writer = TableWriter(self._lake, RAW)
        intake = intake.with_kept(kept_of(self._lake, self.parent, writer.version, intake.gone))
        writer.bring_back(self.parent.tables.get(RAW.name))
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
        """Decode, tell first occurrences from repeats and conflicts, look what is missing, and fold every view.

        Raises:
            ArithmeticOverflow: a sum left the range of its type.
            Superseded: another cycle is at work.
        """
        decoded = decode(intake.batches, self._sources, self._default_source)
        parted = part(decoded.trades, self._reaching())
        ids = self._take_in_ids(Decoded(parted.counted, decoded.rejected), ids_of(parted.excluded))
        fresh = ids.told_apart.fresh
        is_known = self._is_known("trade_id", "arrival_time")
        conflicts = find_conflicts(ids.told_apart, self._lake, self.parent.tables.get(TRADES.name), is_known)
        duplicates = ids.told_apart.repeated.join(conflicts, on=["lane", "offset"], how="anti")
        letters = conflict_letters(conflicts, intake.batches, self._default_source)
        rejected = pl.concat([decoded.rejected, letters])
        tables = {
            RAW.name: self._raw_version,
            **ids.tables,
            TRADES.name: self._append(TRADES, fresh),
            DEAD_LETTERS.name: self._append(DEAD_LETTERS, rejected),
        }
        marks = watermarks_us(self.parent.witnesses)
        for edition, partials in self._folded(fresh):
            view, writer = edition.view, self._writer(edition.spec)
            if partials.height:
                add_partials(view, writer, with_revisions(view, partials, marks, ids.missing.holes_before))
            tables[edition.table] = writer.version
        accounts = count_by_lane(intake.read, fresh, duplicates, rejected, intake.lost, parted.excluded)
        missing = missing_by_lane(ids.missing.gaps)
        return Folded(tables, accounts, witness(self.parent.witnesses, fresh), ids.arrivals, missing)

    def publish(self, intake: Intake, folded: Folded) -> Publication:
        """Make the cycle's work public, if it passes its checks: one commit.

        Raises:
            CycleHeld: it does not, and is held.
            Superseded: another cycle published first; nothing of this one is public.
        """
        checked = self.check(intake, folded)
        if checked.quality.failed:
            raise hold_back(self._lake, self.parent, intake, self._raw_version, checked, self._clock())
        return self.publish_checked(intake, folded, checked)

    def check(self, intake: Intake, folded: Folded) -> Checked:
        """Check what the cycle added to the tables; without a gate, or without records, there is nothing to say."""
        if self._gate is None or not intake.records:
            return Checked(self.parent.quality)
        return self._gate.check(self._lake, self.parent, intake, folded.tables, self._editions, folded.missing)

    def publish_checked(self, intake: Intake, folded: Folded, checked: Checked) -> Publication:
        """Make the cycle's work public, whatever its checks found: one commit.

        Raises:
            Superseded: another cycle published first; nothing of this one is public.
        """
        publication = Publication(
            sequence=self._sequence,
            published_at=self._clock(),
            cut=intake.cut,
            tables=folded.tables,
            editions=self._editions,
            decoder_hash=DECODER_HASH,
            witnesses=folded.witnesses,
            arrivals=folded.arrivals,
            accounts=add_accounts(self.parent.accounts, folded.accounts),
            lost=tuple(intake.gone),
            log=intake.log,
            given_up=self.parent.given_up,
            released=self.parent.released,
            exclusions=self._exclusions,
            quality=checked.quality,
        )
        publish(self._lake, publication)
        return publication

    @staticmethod
    def _refuse_held(holds: Iterable[Hold]) -> None:
        for hold in holds:
            raise held_error(hold, is_new=False)

    def _reaching(self) -> tuple[Exclusion, ...]:
        """The exclusions that may be about records beyond the parent's cut."""
        return reaching(self._exclusions, self.parent.cut)

    def _folded(self, trades: pl.DataFrame) -> Iterator[tuple[Edition, pl.DataFrame]]:
        """The partials of trades, by edition. Those that are served share passes, where names tell views apart."""
        there = carried(self._editions)
        served = [edition for edition in there if edition.state == "served"]
        for group in (served, *([edition] for edition in there if edition.state != "served")):
            folded = fold_views([edition.view for edition in group], trades)
            yield from ((edition, folded[edition.name]) for edition in group)

    def _take_in_ids(self, decoded: Decoded, excluded: pl.DataFrame) -> _Ids:
        """Tell trades apart, add their ids to the ledger, and look what is missing between those that it has.

        Ids of trades that are excluded (`INTERVAL_SCHEMA`) fill their places as those of dead letters do.
        """
        writer = self._writer(LEDGER)
        rows = writer.rows().collect()
        is_known = self._is_known("first_id", "first_arrival")
        ledger = Ledger(rows.filter(is_known).select(INTERVAL_SCHEMA.names()))
        told_apart = ledger.sort_out(decoded.trades)
        ledger.add(told_apart.added)
        added = with_times(told_apart.added.frame, told_apart.fresh)
        add_intervals(writer, rows, added, is_known)
        arrivals = newest_arrivals_us(self.parent.arrivals, told_apart.fresh)
        unusable = pl.concat([ids_of(decoded.rejected), excluded])
        missing = self._look_for_gaps(pl.concat([rows, added]), ledger, unusable, arrivals)
        return _Ids(told_apart, arrivals, missing, {LEDGER.name: writer.version, **missing.tables})

    def _look_for_gaps(
        self, seen: pl.DataFrame, ledger: Ledger, rejected: pl.DataFrame, arrivals: dict[str, int]
    ) -> Missing:
        """Look what is missing between the ids seen.

        Args:
            seen: all of them (`LEDGER_SCHEMA`).
            ledger: those that are remembered.
            rejected: the ids that the cycle's dead letters and excluded trades bear (`INTERVAL_SCHEMA`).
            arrivals: the greatest arrival times by now, per venue.
        """
        writer = self._writer(GAPS)
        before = writer.rows().collect()
        gaps = find_gaps(
            coalesce(self._gap_rules.among(seen)),
            unusable_ids(before, rejected, ledger),
            before,
            watermarks_us(self.parent.witnesses),
            arrivals,
            self._gap_rules,
        )
        if not gaps.equals(before):
            writer.replace(gaps)
        changes = gap_changes(before, gaps, self._sequence)
        tables = {GAPS.name: writer.version, GAP_LOG.name: self._append(GAP_LOG, changes)}
        return Missing(OpenHoles(before), gaps, tables)

    def _is_known(self, id_column: str, arrival_column: str) -> pl.Expr:
        """The rows of tables of the parent whose ids its ledger remembers."""
        return is_remembered(id_column, arrival_column, self.parent.arrivals, self._horizons)

    def _writer(self, spec: TableSpec) -> TableWriter:
        writer = TableWriter(self._lake, spec)
        writer.bring_back(self.parent.tables.get(spec.name))
        return writer

    def _append(self, spec: TableSpec, frame: pl.DataFrame) -> int:
        writer = self._writer(spec)
        if frame.height:
            writer.append(frame)
        return writer.version
