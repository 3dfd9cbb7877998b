"""Figures of batch side, live side and serving itself, read when they are asked for from what serving keeps anyway."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from serving.batch_side import BatchSide
from serving.metrics.dead_letters import DeadLetterReasons
from serving.push.hub import Hub
from serving.receipts.verification import Verification
from serving.seam import Pair, Seam
from serving.state import State
from twofold.errors import LakeError
from twofold.gaps import LOST, OPEN, UNUSABLE
from twofold.lane import lags
from twofold.ledger import MARKET
from twofold.metrics import Family, Metric, Samples, by_lane, fates, read_records
from twofold.watermark import watermarks_us

ACTIVE = timedelta(minutes=5)
"""How far behind its venue's newest window the newest window of an active market begins at most."""

MODES = ("live", "catching_up", "paused", "away")
OUTCOMES = ("same", "different", "not_made")
STATES = (OPEN, UNUSABLE, LOST)

LAKE_UP = Metric("twofold_lake_up", "1 where the newest publication can be read, else 0")
SEQUENCE = Metric("twofold_publication_sequence", "Number of the newest publication; 0 before the first")
PUBLISHED = Metric(
    "twofold_publication_timestamp_seconds",
    "When the newest publication was made, Unix time: the age of the cut; 0 before the first",
)
HELD = Metric("twofold_held_cycles", "Batch cycles that failed their checks and wait for a person")
MODE = Metric("twofold_speed_mode", "1 for what the speed side does for answers now, 0 for the other modes", ("mode",))
HEARD = Metric("twofold_speed_heard_timestamp_seconds", "When serving last heard from the speed worker, Unix time")
NEWEST_EVENT = Metric(
    "twofold_newest_event_timestamp_seconds", "Event time of the newest trade that answers may have, Unix time"
)
NEWEST_WINDOW = Metric(
    "twofold_newest_window_timestamp_seconds", "Start of the newest window that a venue has, Unix time", ("venue",)
)
NEWEST_ARRIVAL = Metric(
    "twofold_newest_arrival_timestamp_seconds",
    "Greatest arrival time of a venue's trades in the newest publication, Unix time",
    ("venue",),
)
WATERMARK = Metric(
    "twofold_watermark_timestamp_seconds",
    "Watermark of a venue in the newest publication, Unix time: windows that end before it close",
    ("venue",),
)
MARKETS = Metric("twofold_markets", "Symbols that a venue has", ("venue",))
ACTIVE_MARKETS = Metric(
    "twofold_active_markets",
    "Those of them whose newest window begins within five minutes of their venue's newest",
    ("venue",),
)
POSITION = Metric("twofold_lane_position", "Next offset of a lane that is not in answers", ("lane",))
CUT = Metric("twofold_lane_cut", "Next offset of a lane that is not in the newest publication", ("lane",))
LAG = Metric(
    "twofold_lane_lag_records", "Records of a lane that were in the log, when last heard, and not in answers", ("lane",)
)
STALLED = Metric("twofold_lane_stalled", "1 where the log has more of a lane and nothing comes of it", ("lane",))
READ = Metric("twofold_lane_read_records", "Records of a lane that were read, batch and live together", ("lane",))
RECORDS = Metric("twofold_lane_records", "What became of them: over the fates, they add up", ("lane", "fate"))
DEAD_LETTERS = Metric("twofold_dead_letters", "Dead letters in the newest publication, by reason", ("reason",))
GAPS = Metric("twofold_gaps", "Gaps in the ids of contiguous sources, by venue and state", ("venue", "state"))
MISSING_IDS = Metric("twofold_missing_ids", "Ids in those gaps", ("venue", "state"))
READERS = Metric("twofold_stream_readers", "Readers of streams")
QUESTIONS = Metric("twofold_stream_questions", "Questions that are followed for them")
VERIFIED = Metric(
    "twofold_verified_answers_total",
    "Answers that were made again from their receipts, by what came of it",
    ("outcome",),
    "counter",
)
WAITING = Metric("twofold_verification_waiting", "Answers that wait to be made again")

METRICS = (
    *(LAKE_UP, SEQUENCE, PUBLISHED, HELD, MODE, HEARD),
    *(NEWEST_EVENT, NEWEST_WINDOW, NEWEST_ARRIVAL, WATERMARK, MARKETS, ACTIVE_MARKETS),
    *(POSITION, CUT, LAG, STALLED, READ, RECORDS, DEAD_LETTERS, GAPS, MISSING_IDS),
    *(READERS, QUESTIONS, VERIFIED, WAITING),
)


class ServingCollector:
    """Collects the metrics of `METRICS`. What is not known has no figure, but is named all the same."""

    def __init__(self, seam: Seam, hub: Hub, verification: Verification) -> None:
        self._seam = seam
        self._hub = hub
        self._verification = verification
        self._reasons = DeadLetterReasons(seam.lake)

    def collect(self) -> Iterator[Family]:
        """All figures, of one moment as far as they belong together."""
        newest, current = self._seam.newest, self._seam.current
        pair = Pair(newest) if current is None and newest is not None else current
        yield LAKE_UP.told({(): float(newest is not None and self._seam.lake_error is None)})
        yield MODE.told({(mode,): float(mode == self._seam.mode) for mode in MODES})
        yield from self._of_publication(newest)
        yield from _of_lanes(pair)
        yield from _of_freshness(pair)
        yield READERS.told({(): self._hub.readers})
        yield QUESTIONS.told({(): self._hub.questions})
        counts = self._verification.shown()
        yield VERIFIED.told({(outcome,): counts[outcome] for outcome in OUTCOMES})
        yield WAITING.told({(): counts["waiting"]})

    def _of_publication(self, newest: BatchSide | None) -> Iterator[Family]:
        made = newest.publication if newest else None
        yield SEQUENCE.told({(): made.sequence} if made else {})
        yield PUBLISHED.told({(): made.published_at.timestamp()} if made else {})
        waiting = [] if made is None else [hold for hold in self._seam.holds if hold.is_open(made)]
        yield HELD.told({(): len(waiting)} if made else {})
        yield CUT.told(by_lane(made.cut) if made else {})
        yield NEWEST_ARRIVAL.told(_by_venue(made.arrivals) if made else {})
        yield WATERMARK.told(_by_venue(watermarks_us(made.witnesses)) if made else {})
        try:
            reasons = self._reasons.at(made) if made else {}
        except LakeError:  # which `twofold_lake_up` says
            reasons = {}
        yield DEAD_LETTERS.told({(reason,): count for reason, count in reasons.items()})
        yield from _of_gaps(newest)


def _by_venue(times_us: Mapping[str, int]) -> Samples:
    return {(venue,): time_us / 1e6 for venue, time_us in times_us.items()}


def _of_gaps(batch: BatchSide | None) -> Iterator[Family]:
    gaps: dict[tuple[str, ...], float] = {}
    if batch is not None:
        gaps = {(venue, state): 0 for venue in batch.publication.witnesses for state in STATES}
    ids = dict(gaps)
    if batch is not None:
        of = batch.gaps.group_by("venue", "state")
        for venue, state, count, missing in of.agg(
            pl.len(), (pl.col("last_id") - pl.col("first_id") + 1).sum().alias("ids")
        ).iter_rows():
            gaps[venue, state], ids[venue, state] = count, missing
    yield GAPS.told(gaps)
    yield MISSING_IDS.told(ids)


def _of_lanes(pair: Pair | None) -> Iterator[Family]:
    speed = pair.speed if pair else None
    accounts = pair.accounts if pair else {}
    yield POSITION.told(by_lane(pair.positions) if pair else {})
    yield LAG.told(by_lane(lags(speed.header.ends, speed.header.positions)) if speed else {})
    yield STALLED.told({(lane,): float(lane in speed.header.stalled) for lane in speed.header.ends} if speed else {})
    yield READ.told(read_records(accounts))
    yield RECORDS.told(fates(accounts))


def _of_freshness(pair: Pair | None) -> Iterator[Family]:
    state = State.of(pair) if pair else None
    heard_at_s = state.heard_at_s if state else None
    newest_us = state.newest_event_us if state else None
    yield HEARD.told({} if heard_at_s is None else {(): time.time() - (time.monotonic() - heard_at_s)})
    yield NEWEST_EVENT.told({} if newest_us is None else {(): newest_us / 1e6})
    venues = _venues(pair) if pair else []
    yield NEWEST_WINDOW.told({(venue,): newest.timestamp() for venue, newest, _, _ in venues})
    yield MARKETS.told({(venue,): markets for venue, _, markets, _ in venues})
    yield ACTIVE_MARKETS.told({(venue,): active for venue, _, _, active in venues})


def _venues(pair: Pair) -> list[tuple[Any, ...]]:
    """Of each venue its newest window's start, how many markets it has, and how many of them are active."""
    view, published = next(iter(pair.batch.partials.items()))
    columns = [*MARKET, "window_start"]
    sides = [published.newest_windows, *([pair.speed.partials(view)[columns]] if pair.speed else [])]
    newest = pl.concat(sides).group_by(MARKET).agg(pl.col("window_start").max())
    start = pl.col("window_start")
    told = [start.max().alias("newest"), pl.len(), (start >= start.max() - ACTIVE).sum().alias("active")]
    return newest.group_by("venue").agg(told).rows()
