"""The twin: a whole Twofold in one process, to which things happen; after each it is compared with what is expected."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import orjson
import pytest
from compaction import compacting
from laws.commit_points import Held, Moment, watched
from laws.market import TOPIC, Market, Sending, steady_trades
from laws.parts import everything_merged_soon
from twin.expected import Expected, without
from twin.parts import SOURCE, SOURCES, VIEWS, Cycles, Team, clocked, kept_in_raw, killed, new_seam
from vouched import given_of, vouching

from batch_layer.dead_letters import DeadLetters
from batch_layer.resending import plan_resending
from serving.answer import Answer, answer
from serving.query import Query
from serving.receipts.remaking import MadeAgain
from serving.seam import Pair
from twofold.clock import from_epoch_us
from twofold.errors import RecordsGone, SpeedAway, Superseded
from twofold.lake import Lake
from twofold.lane import Positions, at_least
from twofold.publication import Publications
from twofold.records import Lost
from twofold.tables import RAW

Of = tuple[str, str]
"""A source and a symbol."""

MARKETS: Sequence[Of] = (
    ("simulator", "BTCUSDT"),
    ("simulator", "ETHUSDT"),
    ("binance-spot", "BTCUSDT"),
    ("keyed", "BTCUSDT"),
)
"""What is traded; each has a lane of its own choice, which moves when lanes are added."""

INTERVALS_S = (60, 60, 300)
"""What answers are asked for, in turn."""

RAM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - folders in it have names of their own
"""Where lakes are kept: in memory where there is such a folder, since nothing here is about the disk."""

MOST_LANES = 5
REMADE = 3
"""Answers of a sequence that are made again at most, about."""

ALL = 2**62


BEGUN: Sequence[Sending] = steady_trades(12)
"""What has been sent when a sequence begins."""


def begun_market() -> Market:
    """The market as every sequence finds it."""
    market = Market()
    market.send(BEGUN)
    return market


def begin(folder: Path) -> None:
    """Make the lake that every sequence finds: one publication, of all that has been sent."""
    Cycles(Lake(str(folder)), begun_market().log).run(1_000)


class Twin:
    """One Twofold. Each action is something that happens to it; an `AssertionError` says that a law is broken."""

    def __init__(self, lake_begun: Path) -> None:
        self._ended = ExitStack()
        folder = Path(self._ended.enter_context(TemporaryDirectory(dir=RAM))) / "lake"
        shutil.copytree(lake_begun, folder)
        self._market = begun_market()
        for context in (everything_merged_soon(), watched(), clocked(self._market)):
            self._ended.enter_context(context)
        self._lake = Lake(str(folder))
        self._publications = Publications(self._lake)
        self._expected = Expected(self._market)
        self._sent: list[Sending] = list(BEGUN)
        self._ids = dict.fromkeys(MARKETS, 100)
        self._cycles = Cycles(self._lake, self._market.log)
        self._held: Held | None = None
        self._team = Team(self._lake, self._market.log, 1)
        self._seam = new_seam(self._lake, self._team)
        self._answered: Pair | None = None
        self._published: Pair | None = None
        self._paces = {0: ALL, 1: ALL}
        self._serving_lags = False
        self._asked = 0
        self._kept: list[tuple[MadeAgain, int, Positions, Sequence[Lost]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End what is still at work."""
        if self._held is not None:
            self._held.crash()
        self._ended.close()

    # What producers do

    def produce(self, of: Of, sent: Sequence[Sending], *, backwards: bool) -> None:
        """Send new trades of a market, by rising or falling ids, and what else comes."""
        new = [self._of(of, sending) for sending in sent]
        ids = [sending.trade_id for sending in new]
        self._send(replace(one, trade_id=i) for one, i in zip(new, reversed(ids) if backwards else ids, strict=True))

    def burst(self, of: Of, count: int) -> None:
        """Send many trades of a market at once."""
        self._send(self._of(of, Sending(lane=0, gap_ms=5)) for _ in range(count))

    def send_again(self, places: Sequence[int], lanes_on: int) -> None:
        """Send trades again, in the lane that they had or in another."""
        again = [self._sent[-1 - place % len(self._sent)] for place in places]
        self._send(replace(one, lane=one.lane + lanes_on, gap_ms=0) for one in again)

    def send_otherwise(
        self, place: int, lanes_on: int, collected_late_ms: int, sending: Sending, differs_in: str
    ) -> None:
        """Send a trade that has been sent with another body, which may have been collected before it."""
        one = self._sent[-1 - place % len(self._sent)]
        also = {"lane": one.lane + lanes_on, "collected_late_ms": collected_late_ms, "otherwise": differs_in}
        like = {name: getattr(one, name) for name in ("source", "symbol", "trade_id")}
        self._send([replace(sending, gap_ms=0, not_a_trade=None, marker=False, **like, **also)])

    def retry_dead_letters(self) -> None:
        """Send those dead letters again that can be used by now: the clocks that ran ahead have been overtaken."""
        publication = self._publications.newest()
        letters = DeadLetters(self._lake, publication).of()
        log = self._market.log
        plan = plan_resending(self._lake, publication, letters, log.open_reader, SOURCES, SOURCE, self._now)
        for number, message in enumerate(plan.messages()):
            lane, headers = log.lanes[number % len(log.lanes)], tuple(message.headers)
            log.append(lane, message.value, timestamp_ms=self._market.now_ms, key=message.key, headers=headers)
        self._expected.note_records()

    # What happens to the log

    def add_lane(self) -> None:
        """Add a partition: some symbols move to another lane."""
        if len(self._market.log.lanes) < MOST_LANES:
            self._market.log.add_lane(f"{TOPIC}/{len(self._market.log.lanes)}")

    def retention(self, place: int, beyond_cut: int) -> None:
        """Let retention take a lane's records up to the cut, or somewhat less or more."""
        log, cut = self._market.log, self._expected.cut
        ends = log.end_offsets()
        lanes = [lane for lane in log.lanes if ends[lane] > cut.get(lane, 0)] or log.lanes
        lane = lanes[place % len(lanes)]
        log.trim(lane, max(0, min(cut.get(lane, 0) + beyond_cut, ends[lane])))

    def retention_after_kill(self, beyond_cut: int) -> None:
        """Kill a cycle when it has kept its records in `raw`, and let retention take them from every lane's log."""
        self.killed_cycle("after", RAW.name)
        for place in range(len(self._market.log.lanes)):
            self.retention(place, beyond_cut)

    def time_passes(self, seconds: int) -> None:
        """Let nothing happen for a while."""
        self._market.now_ms += seconds * 1000

    # What happens to the batch side

    def cycle(self, max_records: int, *, compacts: bool) -> None:
        """Run a batch cycle, which may compact the view's table."""
        before = self._expected.sequence
        with ExitStack() as stack:
            if compacts:
                stack.enter_context(compacting())
            self._cycles.run(max_records)
        self._see_publication()
        assert self._expected.sequence == before + 1

    def killed_cycle(self, moment: Moment, table: str) -> None:
        """Run a batch cycle, and kill it before or after its commit to a table."""
        with killed(moment, table):
            self._cycles.run(1_000)
        self._see_publication()

    def two_cycles(self, max_records: int, points: int) -> None:
        """Begin a batch cycle that halts after so many commit points; what comes now, comes at the same time.

        If one has halted already, that goes on by so many.
        """
        if self._held is None:
            self._held = Held(lambda: self._cycles.run(max_records))
        for _ in range(points):
            self._held.step()
        if self._held.ended:
            failure = self._held.failure
            assert failure is None or isinstance(failure, Superseded), failure
            self._held = None
        self._see_publication()

    # What happens to the speed worker and to serving

    def speed_workers(self, count: int) -> None:
        """Share the lanes among so many speed workers from now on, all of them cold, and start serving anew."""
        self._team = Team(self._lake, self._market.log, count)
        self.restart_serving()

    def speed_pace(self, number: int, pace: int) -> None:
        """Let a speed worker read on by small micro-batches, by large ones, or not at all."""
        self._paces[number] = pace

    def kill_speed(self, number: int, *, is_back: bool) -> None:
        """Kill a speed worker; at once there is a new one, cold, or there is none."""
        self._team[number].kill()
        if is_back:
            self._team[number].start()

    def memory(self, number: int, *, is_full: bool) -> None:
        """Let a speed worker come to its memory bound, or get room again."""
        self._team[number].memory(is_full=is_full)

    def serving_lags(self, *, lags: bool) -> None:
        """Let serving be too slow to follow, from now on, or quick again."""
        self._serving_lags = lags

    def restart_serving(self) -> None:
        """Start serving anew; it answers once it has heard from the speed worker."""
        self._seam = new_seam(self._lake, self._team)

    def everything_catches_up(self) -> None:
        """With every part there and let work, an answer has all that was sent."""
        for member in self._team.members:
            if not member.is_up:
                member.start()
            member.memory(is_full=False)
        self._paces, self._serving_lags = {0: ALL, 1: ALL}, False
        for _ in range(4):
            if self._has_caught_up():
                break
            self._market.now_ms += 1_000
            self.life_goes_on()
        assert self._has_caught_up()

    def life_goes_on(self) -> None:
        """The speed worker reads, serving looks and is asked, unless they lag or are gone."""
        for number, member in enumerate(self._team.members):
            if pace := self._paces[number]:
                member.read_on([[(place, pace) for place in range(MOST_LANES)]])
        if not self._serving_lags:
            self._seam.look_at_lake()
            for _ in range(2):
                self._seam.look_at_speed()
                self._ask()

    def _ask(self) -> None:
        """Rows, finality and accounts are what is expected; and no answer takes back what one before it gave."""
        self._published = self._check(self._seam.pair("published"), self._published)
        try:
            pair = self._seam.pair("live")
        except SpeedAway:
            return
        self._answered = self._check(pair, self._answered)

    def make_answers_again(self) -> None:
        """Of the answers that were given some are made again from their receipts, with nothing else kept of them."""
        remaker = vouching(Lake(self._lake.root), self._market.log.open_reader, views=VIEWS, sources=SOURCES).remaker
        shutil.rmtree(Path(self._lake.root, "views"), ignore_errors=True)
        for given, sequence, positions, lost in self._kept[:: len(self._kept) // REMADE + 1]:
            token = orjson.loads(given.receipt)["token"]
            if self._expected.lost_since(sequence, positions, lost):
                with pytest.raises(RecordsGone):
                    remaker.make_again(token)
            else:
                assert remaker.make_again(token) == given

    def _keep(self, given: Answer, lost: Sequence[Lost]) -> None:
        kept = given_of(vouching(self._lake), given)
        self._kept.append((kept, given.state.publication.sequence, given.state.positions, lost))

    def _has_caught_up(self) -> bool:
        """Whether the answer is of the newest publication and of all that is in the log."""
        pair = self._answered
        return (
            pair is not None
            and pair.mode == "live"
            and pair.batch.publication.sequence == self._expected.sequence
            and at_least(pair.positions, self._market.log.end_offsets())
        )

    def _of(self, of: Of, sending: Sending) -> Sending:
        """The next trade of a market, in the market's own lane."""
        source, symbol = of
        self._ids[of] += 1
        lane = (MARKETS.index(of) + 1) * 7 % len(self._market.log.lanes)
        return replace(sending, source=source, symbol=symbol, trade_id=self._ids[of], lane=lane)

    def _send(self, sendings: Iterable[Sending]) -> None:
        sent = list(sendings)
        self._market.send(sent)
        self._sent += [sending for sending in sent if sending.not_a_trade is None and not sending.marker]
        self._expected.note_records()

    def _now(self) -> datetime:
        return from_epoch_us(self._market.now_ms * 1000)

    def _see_publication(self) -> None:
        """If a cycle has published, it went on from the newest publication, and takes nothing back."""
        newest = self._publications.newest()
        if newest.sequence == self._expected.sequence:
            return
        attempt = self._cycles.attempts[newest.published_at]
        assert attempt.reader is not None
        assert attempt.parent == self._expected.sequence == newest.sequence - 1
        assert newest.cut == attempt.reader.positions
        assert at_least(newest.cut, self._expected.cut)
        parent = self._publications.at(attempt.parent)
        lost = without(attempt.reader.lost, kept_in_raw(self._lake, newest, parent))
        self._expected.note_publication(newest.cut, lost)
        self._expected.check_published(newest.sequence, newest.accounts)

    def _check(self, pair: Pair, before: Pair | None) -> Pair:
        """An answer that is made of the same as the one before it is the same, and not looked at again."""
        publication, speed = pair.batch.publication, pair.speed
        if before is not None:
            assert publication.sequence >= before.batch.publication.sequence
            assert at_least(pair.positions, before.positions)
            if before.batch is pair.batch and _state(before) == _state(pair):
                return pair
        self._asked += 1
        lost = self._team.lost(speed.header.incarnation, speed.header.positions) if speed else []
        oracle, cuts = self._expected.oracle(publication.sequence, lost), self._expected.cuts(publication.sequence)
        for view in VIEWS.values():
            interval_s = INTERVALS_S[self._asked % len(INTERVALS_S)]
            given = answer(Query(view, interval_s * 1_000_000), pair)
            self._keep(given, lost)
            receipt = given.receipt()
            positions: Positions = receipt["positions"]
            assert receipt["sequence"] == publication.sequence
            assert given.json_rows() == oracle.rows(view.name, interval_s, positions, cuts)
        self._expected.check_answered(
            publication.sequence, pair.positions, lost, publication.accounts, speed.accounts if speed else {}
        )
        return pair


def _state(pair: Pair) -> tuple[str, int] | None:
    """Which state of the speed worker an answer is made of."""
    return None if pair.speed is None else (pair.speed.header.incarnation, pair.speed.header.version)
