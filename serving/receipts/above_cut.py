"""The speed side of an old answer, made again: the records from the cut to the positions, decoded and folded anew.

They come from `raw` where the batch side has taken them in since, and from the event log otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

import polars as pl

from serving.known import had_arrived
from serving.names import names
from serving.query import Query
from serving.receipts.token import Made
from serving.speed_side import SpeedSide
from twofold.decoding import DECODER_HASH, decode
from twofold.errors import (
    ClusterDiffers,
    EventLogUnreachable,
    LogTruncated,
    MeaningDiffers,
    RecordsGone,
    TopicMissing,
    TopicReplaced,
)
from twofold.exclusion import part, reaching
from twofold.fold import fold
from twofold.horizon import horizons_us, is_remembered
from twofold.lane import Positions, at_least
from twofold.ledger import INTERVAL_SCHEMA, MARKET, Ledger
from twofold.publication import Publication
from twofold.records import RECORD_SCHEMA, Lost, OpenReader, RecordBatch, RecordReader, batches_of, records_frame
from twofold.resuming import resume
from twofold.source import Source, sources_hash
from twofold.speed_state import SpeedHeader
from twofold.tables import LEDGER, RAW, TRADES
from twofold.taken_in import TakenIn, files_within, is_below

STALL_S = 10.0
"""Seconds without progress after which the event log is taken not to give what it says it has."""

_POLL_MS = 250
_POLL_RECORDS = 50_000
_SHOWN = 5
_ID = [*MARKET, "trade_id"]


@dataclass(frozen=True)
class Declared:
    """What records are decoded by, and where they are read."""

    open_reader: OpenReader
    sources: Mapping[str, Source]
    default_source: str


class AboveCut:
    """Makes the speed side of one answer again.

    Args:
        query: what was asked.
        made: what its receipt says that it was made of.
        publication: what it was answered from.
        reached: the first publication whose cut is past the positions, or else the newest.
        lost: what retention took from under all cycles.
        taken_in: the lake as it is.
        declared: how records are read.
    """

    def __init__(
        self,
        query: Query,
        made: Made,
        publication: Publication,
        reached: Publication,
        lost: Sequence[Lost],
        taken_in: TakenIn,
        declared: Declared,
    ) -> None:
        self._query = query
        self._made = made
        self._publication = publication
        self._reached = reached
        self._lost = lost
        self._taken_in = taken_in
        self._declared = declared

    def made_again(self) -> SpeedSide:
        """The speed side, as far as the answer is about it.

        Raises:
            MeaningDiffers: records were decoded otherwise than they are here.
            RecordsGone: some are neither in the lake nor in the event log.
            EventLogUnreachable: no broker answers.
        """
        view, made = self._query.view, self._made
        counted = self._fresh().filter(had_arrived(self._query))
        header = SpeedHeader(
            sequence=made.sequence,
            incarnation="",
            version=0,
            whole=True,
            state="live",
            positions=made.positions,
            ends={},
            accounts="{}",
            newest_event_us=None,
            lost=made.lost,
            sources_hash=made.sources_hash or "",
            views=[view.name],
            held=[],
        )
        return SpeedSide(header, {view.name: (fold([view], counted)[view.name],)})

    def _fresh(self) -> pl.DataFrame:
        """The trades that count, of the markets that the question is about."""
        records = self._records()
        if records.is_empty():
            return TRADES.schema.to_frame()
        self._check_meaning()
        decoded = decode(batches_of(records), self._declared.sources, self._declared.default_source)
        trades = part(decoded.trades, reaching(self._publication.exclusions, self._publication.cut)).counted
        for name, wanted in (("venue", self._query.venue), ("symbol", self._query.symbol)):
            if wanted is not None:
                trades = trades.filter(names(wanted).rows(trades, name))
        first = Ledger().sort_out(trades).fresh
        numbered, keyed = (first.filter(of_kind) for of_kind in (pl.col("trade_id") >= 0, pl.col("trade_id") < 0))
        numbered_then = [self._taken_in_since(numbered), self._not_taken_in(numbered), self._excluded_since(numbered)]
        then = pl.concat(numbered_then).unique(_ID, keep="any")
        return pl.concat([then, self._not_known_then(keyed)])

    def _taken_in_since(self, trades: pl.DataFrame) -> pl.DataFrame:
        """Those whose id was new to the lake after the cut, by whichever of its copies."""
        since = self._taken_in.between(TRADES, self._publication, self._reached, _ID)
        return trades.join(since, on=_ID, how="semi")

    def _not_taken_in(self, trades: pl.DataFrame) -> pl.DataFrame:
        """Those whose id is new to the lake still."""
        newest = self._taken_in.newest
        version = newest.tables.get(LEDGER.name)
        if at_least(newest.cut, self._made.positions):
            return trades.clear()
        if version is None:
            return trades
        markets = trades.select(MARKET).unique().lazy()
        seen = self._taken_in.lake.scan(LEDGER.name, version).join(markets, on=MARKET, how="semi")
        return Ledger(seen.select(INTERVAL_SCHEMA.names()).collect()).sort_out(trades).fresh

    def _excluded_since(self, trades: pl.DataFrame) -> pl.DataFrame:
        """Those that have been excluded since, so that no cycle took them in, and whose id was new to the lake then."""
        before = set(self._publication.exclusions)
        since = [each for each in self._taken_in.newest.exclusions if each not in before]
        excluded = part(trades, since).excluded
        bounds = self._taken_in.bounds(TRADES)
        if excluded.is_empty() or bounds is None:
            return excluded
        ids = excluded["trade_id"]
        files = files_within(bounds, "trade_id", ids.min(), ids.max() + 1)["file"].to_list()  # type: ignore[arg-type,operator]  # there are some
        if not files:
            return excluded
        has_id = pl.col("trade_id").is_in(ids.implode())
        known = self._taken_in.lake.read_files(TRADES.name, files, _ID, has_id & is_below(self._publication.cut))
        return excluded.join(known, on=_ID, how="anti")

    def _not_known_then(self, trades: pl.DataFrame) -> pl.DataFrame:
        """Those with a key that the publication's ledger did not remember, whatever is remembered by now."""
        arrivals, bounds = self._publication.arrivals, self._taken_in.bounds(TRADES)
        if trades.is_empty() or bounds is None:
            return trades
        horizons = horizons_us(self._declared.sources)
        since_us = min((arrivals[venue] - horizons[venue] for venue in horizons.keys() & arrivals.keys()), default=None)
        files = files_within(bounds, "arrival_time", since_us, None)["file"].to_list()
        if not files:
            return trades
        known = is_remembered("trade_id", "arrival_time", arrivals, horizons) & is_below(self._publication.cut)
        has_key = pl.col("trade_id").is_in(trades["trade_id"].implode())
        then = self._taken_in.lake.read_files(TRADES.name, files, _ID, known & has_key)
        return trades.join(then, on=_ID, how="anti")

    def _check_meaning(self) -> None:
        here = sources_hash(self._declared.sources, self._declared.default_source)
        if not DECODER_HASH.startswith(self._made.decoder_hash):
            raise MeaningDiffers(
                f"What lay above the cut was decoded by decoder {self._made.decoder_hash}, and this process has "
                f"decoder {DECODER_HASH[:16]}. Make the answer again with the version of Twofold that gave it."
            )
        if self._made.sources_hash != here:
            raise MeaningDiffers(
                f"What lay above the cut was decoded with other declarations of sources ({self._made.sources_hash}) "
                f"than this process has ({here}). Set TWOFOLD_SOURCES and TWOFOLD_DEFAULT_SOURCE as they were."
            )

    def _records(self) -> pl.DataFrame:
        """The records between the cut and the positions (`RECORD_SCHEMA`), less those that were lost then already."""
        positions, newest = self._made.positions, self._taken_in.newest
        if at_least(self._publication.cut, positions):
            return RECORD_SCHEMA.to_frame()
        kept = self._taken_in.between(RAW, self._publication, self._reached, RECORD_SCHEMA.names(), is_below(positions))
        gone = self._lost_to_batch()
        if not at_least(newest.cut, positions):
            still, lost = self._from_log()
            kept = pl.concat([kept, still])
            gone += lost
        self._check_none_is_gone(gone)
        for lane, first, end in self._made.lost:
            kept = kept.filter((pl.col("lane") != lane) | ~pl.col("offset").is_between(first, end, closed="left"))
        return kept

    def _check_none_is_gone(self, gone: Iterable[Lost]) -> None:
        """See that all of what is lost by now was lost to the answer then."""
        cut, positions = self._publication.cut, self._made.positions
        missing: list[Lost] = []
        for gap in gone:
            begin = max(gap.first_offset, cut.get(gap.lane, 0))
            end = min(gap.next_offset, positions.get(gap.lane, 0))
            missing += _less(Lost(gap.lane, begin, end), self._made.lost)
        if missing:
            raise RecordsGone(
                f"The answer was made of records that are gone: {_shown(missing)}. Retention took them, or "
                "the log ended, before the batch side had taken them in. What lies below a publication's cut can be "
                "made again for good."
            )

    def _lost_to_batch(self) -> list[Lost]:
        """What retention took from under the cycles that took in what the answer is about."""
        cut, positions = self._publication.cut, self._made.positions
        return [
            gap
            for gap in self._lost
            if gap.next_offset > cut.get(gap.lane, 0) and gap.first_offset < positions.get(gap.lane, 0)
        ]

    def _from_log(self) -> tuple[pl.DataFrame, list[Lost]]:
        """The records from the newest cut to the positions, and what is gone from there on."""
        newest, positions = self._taken_in.newest, self._made.positions
        still_open = newest.still_open(positions)
        gone = [Lost(lane, newest.cut.get(lane, 0), end) for lane, end in positions.items() if lane not in still_open]
        if at_least(newest.cut, still_open):
            return RECORD_SCHEMA.to_frame(), gone
        start = {lane: newest.cut.get(lane, 0) for lane in still_open}
        try:
            reader = resume(self._declared.open_reader, start, newest.log)
            try:
                batches = _read_to(reader, still_open)
                gone += reader.lost
            finally:
                reader.close()
        except (ClusterDiffers, LogTruncated, TopicMissing, TopicReplaced) as error:
            raise RecordsGone(f"What lay above the cut cannot be read any more. {error}") from error
        return records_frame(batches).filter(is_below(positions)), gone


def _read_to(reader: RecordReader, positions: Positions) -> list[RecordBatch]:
    batches: list[RecordBatch] = []
    progressed_at_s = monotonic()
    while not at_least(before := reader.positions, positions):
        batches += reader.poll(_POLL_MS, _POLL_RECORDS)
        if reader.positions != before:
            progressed_at_s = monotonic()
        elif monotonic() - progressed_at_s > STALL_S:
            raise EventLogUnreachable(
                f"No records came for {STALL_S:.0f} s, though the receipt is of {dict(positions)} and reading "
                f"stands at {before}. Look at the broker, and ask again."
            )
    return batches


def _less(gap: Lost, others: Iterable[tuple[str, int, int]]) -> list[Lost]:
    """The parts of a range that are not in others."""
    left, at = [], gap.first_offset
    for lane, first, end in sorted(others):
        if lane == gap.lane and end > at:
            if first > at:
                left.append(Lost(lane, at, min(first, gap.next_offset)))
            at = max(at, end)
    left.append(Lost(gap.lane, at, gap.next_offset))
    return [part for part in left if part.first_offset < part.next_offset]


def _shown(gaps: Sequence[Lost]) -> str:
    named = [f"{gap.lane} from {gap.first_offset} to {gap.next_offset - 1}" for gap in gaps[:_SHOWN]]
    return ", ".join(named) + (f" and {len(gaps) - _SHOWN} more ranges" if len(gaps) > _SHOWN else "")
