"""The batch cycle by Spark: the same stages, tables and publications as by Polars, with the records left to Spark.

What comes to the driver is a few rows per market or lane: ids as intervals, counts, the newest times. Ledger and gaps
are made of these, by the same functions as by Polars, and written by delta-rs, as the publication is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import reduce
from typing import NamedTuple

import polars as pl
from pyspark.sql import DataFrame, SparkSession

from batch_layer.cycle import BatchCycle, Folded
from batch_layer.gaps import missing_by_lane
from batch_layer.intake import Intake
from batch_layer.kept import kept_of
from batch_layer.ledger import add_intervals
from batch_layer.quality.gate import Gate
from batch_layer.spark.columns import to_arrow
from batch_layer.spark.counting import by_lane, newest_trades
from batch_layer.spark.decoding import decoded
from batch_layer.spark.folding import fold, revised
from batch_layer.spark.intervals import ledger_rows, letter_ids
from batch_layer.spark.partials import add_partials
from batch_layer.spark.reading import find_stretch, records_of
from batch_layer.spark.session import in_our_words
from batch_layer.spark.table import SparkTableWriter
from batch_layer.spark.telling import find_conflicts, letters_of, told_apart
from twofold.account import Account
from twofold.clock import Clock, utc_now
from twofold.edition import Edition, carried
from twofold.event_log.security import PLAIN, Security
from twofold.gaps import OpenHoles
from twofold.lake import Lake, TableSpec
from twofold.ledger import INTERVAL_SCHEMA, Ledger
from twofold.records import OpenReader, records_frame
from twofold.resuming import resume
from twofold.source import HOLE_AGE_S, Source
from twofold.tables import DEAD_LETTERS, LEDGER, RAW, TRADES
from twofold.view import View
from twofold.watermark import newest_arrivals_us, watermarks_us, witness


class Topic(NamedTuple):
    """Where Spark reads records: brokers as `host:port,…`, the topic's name, and how to connect."""

    brokers: str
    name: str
    security: Security = PLAIN


class SparkCycle(BatchCycle):
    """One cycle from the newest publication to the next, by Spark. Make a new one for each."""

    def __init__(
        self,
        spark: SparkSession,
        topic: Topic,
        lake: Lake,
        open_reader: OpenReader,
        views: Mapping[str, View],
        sources: Mapping[str, Source],
        default_source: str,
        hole_age_s: float = HOLE_AGE_S,
        clock: Clock = utc_now,
        gate: Gate | None = None,
    ) -> None:
        super().__init__(lake, open_reader, views, sources, default_source, hole_age_s, clock, gate)
        self._spark = spark
        self._topic = topic

    def ingest(self, max_records: int) -> Intake:
        """Take in records from the cut on and keep them whole in `raw`; the intake has no records itself.

        Raises:
            CycleHeld: one is held that waits for a person.
            EventLogError: the event log cannot be read, or is another than the cut is of.
            Superseded: another cycle is at work.
            EngineError: Spark failed.
        """
        self._refuse_held(hold for hold in self._held if hold.is_of_log)
        stretch = find_stretch(self._open_reader, self.parent, max_records)
        writer = SparkTableWriter(self._lake, RAW)
        published = self.parent.tables.get(RAW.name)
        kept = kept_of(self._lake, self.parent, writer.version, stretch.intake.gone)
        intake = stretch.intake.with_kept(kept)
        writer.bring_back(published)
        before = writer.version
        parts = [self._spark.createDataFrame(to_arrow(records_frame(kept)))] if kept else []
        if stretch.begins:
            parts.append(records_of(self._spark, *self._topic, stretch))
        if parts:
            writer.append_rows(reduce(DataFrame.unionByName, parts))
            resume(self._open_reader, intake.cut, intake.log).close()  # it still is the log that the cut is of
        with in_our_words("counting the records read"):
            self._raw = writer.added_since(self._spark, before)
            self._raw_version = writer.version
            return replace(intake, batches=[], read=by_lane(self._raw))

    def fold(self, intake: Intake) -> Folded:
        """Decode, tell first occurrences from repeats and conflicts, look what is missing, and fold every view.

        Raises:
            ArithmeticOverflow: a sum left the range of its type.
            Superseded: another cycle is at work.
            EngineError: Spark failed.
        """
        with in_our_words("folding"), ExitStack() as kept:
            return self._fold(intake, lambda rows: kept.enter_context(_persisted(rows)))

    def _fold(self, intake: Intake, keep: Callable[[DataFrame], DataFrame]) -> Folded:
        ledger_writer = self._writer(LEDGER)
        rows = ledger_writer.rows().collect()
        is_known = self._is_known("first_id", "first_arrival")
        remembered = rows.filter(is_known)
        ids = Ledger(remembered.select(INTERVAL_SCHEMA.names())).frame
        records = keep(decoded(self._raw, self._sources, self._default_source, ids, self._reaching()))
        excluded = records.where("excluded").select("trade.*") if self._reaching() else None
        told = keep(told_apart(records))
        repeated = told.where("NOT counts").drop("counts")
        trades, fresh = self._add(TRADES, told.where("counts").drop("counts"))
        published = self.parent.tables.get(TRADES.name)
        known_trades = self._is_known("trade_id", "arrival_time")
        conflicts = keep(find_conflicts(repeated, fresh, self._lake, published, known_trades))
        conflicting = letters_of(conflicts, self._raw, self._default_source)
        letters, rejected = self._add(
            DEAD_LETTERS, records.where("letter IS NOT NULL").select("letter.*").unionByName(conflicting)
        )
        added = ledger_rows(fresh)
        add_intervals(ledger_writer, rows, added, is_known)
        newest = newest_trades(fresh)
        arrivals = newest_arrivals_us(self.parent.arrivals, newest)
        ledger = Ledger(pl.concat([remembered, added]).select(INTERVAL_SCHEMA.names()))
        unusable = [letter_ids(each) for each in (rejected, excluded) if each is not None]
        missing = self._look_for_gaps(pl.concat([rows, added]), ledger, pl.concat(unusable), arrivals)
        tables = {
            RAW.name: self._raw_version,
            LEDGER.name: ledger_writer.version,
            TRADES.name: trades,
            DEAD_LETTERS.name: letters,
            **missing.tables,
        }
        for edition in carried(self._editions):
            tables[edition.table] = self._add_partials(edition, fresh, missing.holes_before, keep)
        accounts = _accounts(
            intake,
            folded=by_lane(fresh),
            repeated=by_lane(repeated),
            conflicts=by_lane(conflicts),
            rejected=by_lane(rejected),
            excluded={} if excluded is None else by_lane(excluded),
        )
        return Folded(tables, accounts, witness(self.parent.witnesses, newest), arrivals, missing_by_lane(missing.gaps))

    def _add(self, spec: TableSpec, rows: DataFrame) -> tuple[int, DataFrame]:
        """Add rows to a table, if there are any: its version, and the rows as they were written."""
        writer = self._spark_writer(spec)
        before = writer.version
        if not rows.isEmpty():
            writer.append_rows(rows)
        return writer.version, writer.added_since(self._spark, before)

    def _add_partials(
        self, edition: Edition, trades: DataFrame, holes: OpenHoles, keep: Callable[[DataFrame], DataFrame]
    ) -> int:
        view, writer = edition.view, self._spark_writer(edition.spec)
        marks = watermarks_us(self.parent.witnesses)
        add_partials(view, writer, keep(revised(view, fold(view, trades), marks, holes)))
        return writer.version

    def _spark_writer(self, spec: TableSpec) -> SparkTableWriter:
        writer = SparkTableWriter(self._lake, spec)
        writer.bring_back(self.parent.tables.get(spec.name))
        return writer


@contextmanager
def _persisted(rows: DataFrame) -> Iterator[DataFrame]:
    """Keep rows that are looked at several times, in the executors' memory and on their disks."""
    rows.persist()
    try:
        yield rows
    finally:
        rows.unpersist()


def _accounts(
    intake: Intake,
    *,
    folded: Mapping[str, int],
    repeated: Mapping[str, int],
    conflicts: Mapping[str, int],
    rejected: Mapping[str, int],
    excluded: Mapping[str, int],
) -> dict[str, Account]:
    """What became of each record, per lane; conflicts are among the repeats, and dead letters."""
    return {
        lane: Account(
            read=intake.read.get(lane, 0) + intake.lost.get(lane, 0),
            folded=folded.get(lane, 0),
            duplicates=repeated.get(lane, 0) - conflicts.get(lane, 0),
            dead_letters=rejected.get(lane, 0),
            lost=intake.lost.get(lane, 0),
            excluded=excluded.get(lane, 0),
        )
        for lane in {*intake.read, *intake.lost, *folded, *repeated, *rejected, *excluded}
    }
