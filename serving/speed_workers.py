"""Several speed workers, each with a share of the lanes, as if they were one.

Their states are put together: positions, accounts and ends side by side, partials one after the other. A trade that two
of them have taken counts once, since no answer is made while ids of theirs overlap: such a market becomes shared, the
workers hand over its copies and no partials, and it is folded here (`serving.shared_markets`). Whatever their versions
are, that is exact at their positions; it needs no agreement among the workers, nor among serving processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import polars as pl

from serving.shared_markets import Settled, intervals, markets_of_both, settle
from serving.speed_replicas import SpeedReplicas
from serving.speed_side import SpeedClient, SpeedSide
from twofold.account import Account, accounts_to_json, add_accounts
from twofold.decoding import TRADE_SCHEMA
from twofold.errors import BaseGone, SpeedAway, SpeedError
from twofold.lane import Share
from twofold.ledger import INTERVAL_SCHEMA, Ledger, Market
from twofold.speed_state import COPIES, IDS, SpeedHeader, WorkerState
from twofold.view import View

_BASES = 3
_ANSWER_TIMEOUT_S = 10.0


@dataclass
class _Mirror:
    """What is known of one worker on one base."""

    side: SpeedSide | None = None
    ids: Ledger = field(default_factory=Ledger)
    copies: pl.DataFrame = field(default_factory=TRADE_SCHEMA.to_frame)
    asked: Future[SpeedSide] | None = None
    failure: SpeedError | None = None

    def take(self, side: SpeedSide) -> pl.DataFrame:
        """Take in a newer state; gives the ids that came with it (`INTERVAL_SCHEMA`)."""
        if side.header.whole:
            self.ids, self.copies = Ledger(), TRADE_SCHEMA.to_frame()
        self.side = side
        new = side.news.get(IDS, INTERVAL_SCHEMA.to_frame())
        self.ids.add(intervals(new))
        if (copies := side.news.get(COPIES)) is not None and copies.height:
            self.copies = pl.concat([self.copies, copies])
        return new


class _Base:
    """What is known of all workers on one base, and which markets they share."""

    def __init__(self, sequence: int, workers: Sequence[SpeedReplicas], executor: Executor) -> None:
        self._sequence = sequence
        self._workers = workers
        self._executor = executor
        self._shared: set[Market] = set()
        self._overlapping: set[Market] = set()
        self._mirrors = [_Mirror() for _ in workers]
        self._settled: tuple[list[pl.DataFrame], Settled] = ([], Settled({}, {}))

    @property
    def sides(self) -> list[SpeedSide]:
        """The state of each worker that has been heard."""
        return [mirror.side for mirror in self._mirrors if mirror.side]

    @property
    def views(self) -> Mapping[str, View]:
        """What the partials are of, by name: a function of the base."""
        return self.sides[0].views

    def follow(self, wait_ms: int) -> None:
        """Take in what is new, until no ids overlap that are not of shared markets."""
        self._hear(wait_ms)
        while self._overlapping - self._shared:
            self._shared |= self._overlapping
            self._mirrors = [_Mirror() for _ in self._workers]
            self._hear(wait_ms)

    def settled(self) -> Settled:
        """What becomes of the copies of shared markets."""
        copies = [mirror.copies for mirror in self._mirrors]
        before, settled = self._settled
        if self._shared and (len(before) < len(copies) or any(a is not b for a, b in zip(before, copies, strict=True))):
            settled = settle(copies, self.views)
            self._settled = copies, settled
        return settled

    def _hear(self, wait_ms: int) -> None:
        """Ask the workers, and take in what is answered. One that failed has failed until it answers."""
        for mirror, worker in zip(self._mirrors, self._workers, strict=True):
            if mirror.asked is None:
                arguments = (self._sequence, mirror.side, wait_ms, sorted(self._shared))
                mirror.asked = self._executor.submit(worker.follow, *arguments)
        one_is_enough = wait_ms > 0 and all(mirror.side for mirror in self._mirrors)
        asked = [mirror.asked for mirror in self._mirrors if mirror.asked]
        wait(asked, _ANSWER_TIMEOUT_S, FIRST_COMPLETED if one_is_enough else ALL_COMPLETED)
        for mirror in self._mirrors:
            if mirror.asked and mirror.asked.done():
                self._take(mirror, mirror.asked)
                mirror.asked = None
        failures = [mirror.failure for mirror in self._mirrors if mirror.failure]
        for failure in sorted(failures, key=lambda failure: isinstance(failure, BaseGone)):
            raise failure.with_traceback(None)
        if any(mirror.side is None for mirror in self._mirrors):
            raise SpeedAway("A speed worker does not answer. Look at the logs of the speed workers.")

    def _take(self, mirror: _Mirror, answered: Future[SpeedSide]) -> None:
        """Take in an answer, and look whether others have some of the ids that are new in it."""
        try:
            new = mirror.take(answered.result())
        except (BaseGone, SpeedAway) as failure:
            mirror.failure = failure
            return
        mirror.failure = None
        for other in self._mirrors:
            if other is not mirror:
                self._overlapping |= markets_of_both(new, other.ids)


class SpeedWorkers:
    """Asks all workers, and gives what they know as one state."""

    def __init__(self, workers: Sequence[SpeedReplicas], executor: Executor | None = None) -> None:
        self._workers = workers
        self._executor = executor or ThreadPoolExecutor(_BASES * len(workers), "speed-workers")
        self._bases: dict[int, _Base] = {}

    def follow(self, sequence: int, known: SpeedSide | None, wait_ms: int) -> SpeedSide:  # noqa: ARG002  # held here
        """The newest state of a base, of all workers together; waits for a change of one.

        Raises:
            BaseGone: a worker does not hold that base.
            SpeedAway: a worker does not answer.
        """
        base = self._bases.pop(sequence, None) or self._begun(sequence)
        self._bases = dict([*list(self._bases.items())[1 - _BASES :], (sequence, base)])
        base.follow(wait_ms)
        sides = base.sides
        heard_at_s = min(side.heard_at_s for side in sides)
        if any(side.header.state == "catching_up" for side in sides):
            return SpeedSide(_together(sides, {}), heard_at_s=heard_at_s)
        settled = base.settled()
        accounts = dict(settled.moves)
        for side in sides:
            accounts = add_accounts(accounts, side.accounts)
        frames = {name: tuple(frame for side in sides for frame in side.frames[name]) for name in base.views}
        frames |= {name: (*frames[name], partials) for name, partials in settled.partials.items()}
        return SpeedSide(_together(sides, accounts), frames, accounts, heard_at_s, views=base.views)

    def close(self) -> None:
        """Close the connections."""
        for worker in self._workers:
            worker.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _begun(self, sequence: int) -> _Base:
        return _Base(sequence, self._workers, self._executor)


def _together(sides: Sequence[SpeedSide], accounts: Mapping[str, Account]) -> SpeedHeader:
    """One header for several; its newest event may be of a copy that lost to one of another worker."""
    headers = [side.header for side in sides]
    newest = [header.newest_event_us for header in headers if header.newest_event_us is not None]
    states: list[WorkerState] = ["catching_up", "paused", "live"]
    return headers[0].model_copy(
        update={
            "incarnation": " ".join(header.incarnation for header in headers),
            "version": sum(header.version for header in headers),
            "state": next(state for state in states if any(header.state == state for header in headers)),
            "positions": {lane: offset for header in headers for lane, offset in header.positions.items()},
            "ends": {lane: offset for header in headers for lane, offset in header.ends.items()},
            "accounts": accounts_to_json(accounts),
            "newest_event_us": max(newest, default=None),
            "lost": [gap for header in headers for gap in header.lost],
            "sources_hash": ", ".join(sorted({header.sources_hash for header in headers})),
            "stalled": sorted(lane for header in headers for lane in header.stalled),
        }
    )


def speed_of(addresses: Sequence[Sequence[str]]) -> SpeedClient | SpeedReplicas | SpeedWorkers:
    """What asks the speed workers at these addresses: for each worker, by its number, those of its replicas."""
    if [len(replicas) for replicas in addresses] == [1]:
        return SpeedClient(addresses[0][0])
    workers = [
        SpeedReplicas([SpeedClient(address, Share(number, len(addresses))) for address in replicas])
        for number, replicas in enumerate(addresses)
    ]
    return workers[0] if len(workers) == 1 else SpeedWorkers(workers)
