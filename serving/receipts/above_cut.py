"""The speed side of an old answer, made again: the records from the cut to the positions, decoded and folded anew.

They come from `raw` where the batch side has taken them in since, and from the event log otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import monotonic

import polars as pl

from serving.query import Query
from serving.receipts.taken_in import TakenIn, is_below
from serving.receipts.token import Made
from serving.speed_side import SpeedSide
from twofold.decoding import DECODER_HASH, decode
from twofold.errors import EventLogUnreachable, MeaningDiffers, RecordsGone, TopicMissing, TopicReplaced
from twofold.fold import fold
from twofold.lane import at_least
from twofold.ledger import INTERVAL_SCHEMA, MARKET, Ledger
from twofold.publication import Publication
from twofold.records import RECORD_SCHEMA, OpenReader, RecordBatch, batches_of, records_frame
from twofold.source import Source, sources_hash
from twofold.speed_state import SpeedHeader
from twofold.tables import LEDGER, RAW, TRADES

STALL_S = 10.0
"""Seconds without progress after which the event log is taken not to give what it says it has."""

_POLL_MS = 250
_POLL_RECORDS = 50_000
_SHOWN = 5
_ID = [*MARKET, "trade_id"]
_PLACE = ["lane", "offset"]


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
        taken_in: the lake as it is.
        declared: how records are read.
    """

    def __init__(
        self,
        query: Query,
        made: Made,
        publication: Publication,
        reached: Publication,
        taken_in: TakenIn,
        declared: Declared,
    ) -> None:
        self._query = query
        self._made = made
        self._publication = publication
        self._reached = reached
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
        return SpeedSide(header, {view.name: (fold([view], self._fresh())[view.name],)})

    def _fresh(self) -> pl.DataFrame:
        """The trades that count, of the markets that the question is about."""
        records = self._records()
        if records.is_empty():
            return TRADES.schema.to_frame()
        self._check_meaning()
        trades = decode(batches_of(records), self._declared.sources, self._declared.default_source).trades
        for name, wanted in (("venue", self._query.venue), ("symbol", self._query.symbol)):
            if wanted is not None:
                trades = trades.filter(pl.col(name) == wanted)
        first = Ledger().sort_out(trades).fresh
        return pl.concat([self._taken_in_since(first), self._not_taken_in(first)])

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
        gone = self._lost_since(kept)
        if not at_least(newest.cut, positions):
            still, lost = self._from_log()
            kept = pl.concat([kept, still])
            gone += lost
        excused = [(lane, range(first, end)) for lane, first, end in self._made.lost]
        missing = [
            (lane, offset) for lane, offset in gone if not any(lane == its and offset in run for its, run in excused)
        ]
        if missing:
            raise RecordsGone(
                f"The answer was made of records that are gone: {_shown(missing)}. Retention took them before the "
                "batch side had taken them in. What lies below a publication's cut can be made again for good."
            )
        for lane, run in excused:
            kept = kept.filter(~_within(lane, run))
        return kept

    def _lost_since(self, kept: pl.DataFrame) -> list[tuple[str, int]]:
        """The offsets that the batch side could not take in, of those that the answer is about.

        Accounts say how many each lane lost. Offsets that are not in `raw` may also have been transaction markers.
        Where a lane had both, which is which cannot be told, and all are taken for lost.
        """
        then, now, positions = self._publication, self._reached, self._made.positions
        found = []
        for lane, end in positions.items():
            lost_before = then.accounts[lane].lost if lane in then.accounts else 0
            if lane in now.accounts and now.accounts[lane].lost > lost_before:
                there = set(kept.filter(pl.col("lane") == lane)["offset"])
                run = range(then.cut.get(lane, 0), min(end, now.cut.get(lane, 0)))
                found += [(lane, offset) for offset in run if offset not in there]
        return found

    def _from_log(self) -> tuple[pl.DataFrame, list[tuple[str, int]]]:
        """The records from the newest cut to the positions, and the offsets there that retention has taken."""
        positions, cut = self._made.positions, self._taken_in.newest.cut
        start = {lane: cut.get(lane, 0) for lane in positions}
        try:
            reader = self._declared.open_reader(start)
        except (TopicMissing, TopicReplaced) as error:
            raise RecordsGone(f"What lay above the cut cannot be read any more. {error}") from error
        batches: list[RecordBatch] = []
        progressed_at_s = monotonic()
        try:
            while not at_least(before := reader.positions, positions):
                batches += reader.poll(_POLL_MS, _POLL_RECORDS)
                if reader.positions != before:
                    progressed_at_s = monotonic()
                elif monotonic() - progressed_at_s > STALL_S:
                    raise EventLogUnreachable(
                        f"No records came for {STALL_S:.0f} s, though the receipt is of {dict(positions)} and reading "
                        f"stands at {before}. Look at the broker, and ask again."
                    )
            lost = reader.lost
        finally:
            reader.close()
        gone = [
            (gap.lane, offset)
            for gap in lost
            for offset in range(gap.first_offset, min(gap.next_offset, positions.get(gap.lane, 0)))
        ]
        return records_frame(batches).filter(is_below(positions)), gone


def _within(lane: str, offsets: range) -> pl.Expr:
    return (pl.col("lane") == lane) & pl.col("offset").is_between(offsets.start, offsets.stop, closed="left")


def _shown(places: Iterable[tuple[str, int]]) -> str:
    """Offsets by lane, as ranges."""
    ranges: list[tuple[str, int, int]] = []
    for lane, offset in sorted(places):
        if ranges and ranges[-1][0] == lane and ranges[-1][2] == offset:
            ranges[-1] = (lane, ranges[-1][1], offset + 1)
        else:
            ranges.append((lane, offset, offset + 1))
    named = [f"{lane} from {first} to {end - 1}" for lane, first, end in ranges[:_SHOWN]]
    return ", ".join(named) + (f" and {len(ranges) - _SHOWN} more ranges" if len(ranges) > _SHOWN else "")
