"""The seam: which publication and which speed state are answered from, switched together and never back.

Two threads keep it: one follows the publications, one the speed worker. An answer takes one pair and is made of that.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from serving.batch_side import BatchSide, load_batch_side
from serving.query import BaseChoice
from serving.speed_side import SpeedSide
from twofold.account import Account, add_accounts
from twofold.errors import BaseGone, LakeError, LakeUnreachable, SpeedAway, TwofoldError
from twofold.hold import Hold, Holds
from twofold.lake import Lake
from twofold.lane import Positions, at_least
from twofold.publication import PUBLICATIONS, Publications
from twofold.view import View

SpeedMode = Literal["live", "catching_up", "paused", "away", "unused"]
"""What the speed side does for answers; `unused` where the batch side alone was asked for."""

_LOOK_S = 0.25
_WAIT_MS = 250
_AWAY_S = 0.1

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pair:
    """A publication and the speed state on its base, and how the speed worker is doing.

    Without a speed state it is the batch side alone. In mode `away` a speed state is the last that was heard. `held` is
    the number of the hold that is open as its publication has it, or 0: then rows that are live have held records.
    """

    batch: BatchSide
    speed: SpeedSide | None = None
    mode: SpeedMode = "away"
    held: int = 0

    @property
    def positions(self) -> Positions:
        """Up to where records are in the answer, per lane."""
        return self.speed.header.positions if self.speed else self.batch.publication.cut

    def serves(self, view: View) -> bool:
        """Whether a view is served as it stands there: it may have been changed since a question to it was read."""
        served = self.batch.views.get(view.name)
        return served is view or (
            served is not None and (served.hash, [*served.columns]) == (view.hash, [*view.columns])
        )

    @property
    def accounts(self) -> dict[str, Account]:
        """What became of every record below the positions, for each lane that there is."""
        accounts = add_accounts(self.batch.publication.accounts, self.speed.accounts if self.speed else {})
        return {lane: accounts.get(lane, Account()) for lane in {*self.positions, *accounts}}


class Speed(Protocol):
    """Something that knows the state of the speed layer: one worker, or several as if they were one."""

    def follow(self, sequence: int, known: SpeedSide | None, wait_ms: int) -> SpeedSide:
        """The newest state of a base; waits for a change from `known`. Raises `BaseGone` and `SpeedAway`."""

    def close(self) -> None:
        """Close the connections."""


class Seam:
    """Keeps the pair that answers are made of."""

    def __init__(self, lake: Lake, speed: Speed, views: Mapping[str, View]) -> None:
        self.current: Pair | None = None
        self.newest: BatchSide | None = None
        self.lake_error: LakeError | None = None
        self.mode: SpeedMode = "away"
        self._lake = lake
        self._publications = Publications(lake)
        self._holds = Holds(lake)
        self._seen_holds: Sequence[Hold] = ()
        self._held: Mapping[int, int] = {}
        self._speed = speed
        self._views = views
        self._preparing: list[Callable[[Pair], None]] = []
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(step, pause_s), name=step.__name__, daemon=True)
            for step, pause_s in ((self.look_at_lake, _LOOK_S), (self.look_at_speed, 0.0))
        ]

    @property
    def lake(self) -> Lake:
        """The lake that is followed."""
        return self._lake

    def pair(self, base: BaseChoice) -> Pair:
        """The pair to answer from now: the live one, or the newest publication by itself.

        Raises:
            LakeUnreachable: the lake cannot be read, or has not been read yet.
            SpeedAway: the speed worker has not been heard yet; a serving process before this one may have heard it.
        """
        if self.lake_error is not None:
            raise LakeUnreachable(f"The lake cannot be read, so no answer can be vouched for. {self.lake_error}")
        if self.newest is None:
            raise LakeUnreachable("Serving is still loading the newest publication. Ask again in a second.")
        if base == "published":
            return Pair(self.newest, mode="unused", held=self._held_on(self.newest))
        if self.current is None:
            raise SpeedAway(
                "Serving has just started and waits for the speed worker, which may have come further than what is "
                "published. Ask again in a second, or ask for the published side alone by base=published."
            )
        now = self.current
        held = self._held_on(now.batch)
        return now if (now.mode, now.held) == (self.mode, held) else replace(now, mode=self.mode, held=held)

    @property
    def default_base(self) -> BaseChoice:
        """What is answered from where nothing is said: the last publication alone while a cycle is held."""
        return "published" if self.newest is not None and self._held_on(self.newest) else "live"

    @property
    def holds(self) -> Sequence[Hold]:
        """Every hold that there ever was, as last looked at, by number."""
        return self._seen_holds

    def views(self, base: BaseChoice) -> Mapping[str, View]:
        """The views that are served: by the pair that answers come from now, and till there is one as declared."""
        batch = self.newest if base == "published" or self.current is None else self.current.batch
        return self._views if batch is None else batch.views

    def before_each(self, prepare: Callable[[Pair], None]) -> None:
        """Have something done with each pair of both sides before answers come from it."""
        self._preparing.append(prepare)

    def start(self) -> None:
        """Start following."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop following."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=10)
        self._speed.close()

    def look_at_lake(self) -> None:
        """Load the newest publication if there is news."""
        try:
            if self.newest is not None and not self._lake.exists(PUBLICATIONS.name):
                # Looking for news through an open table takes a folder that is gone for one without news.
                raise LakeUnreachable(f"There is no lake at {self._lake.root} any more. Look whether it is mounted.")
            publication = self._publications.newest()
            if self.newest is None or publication.sequence != self.newest.publication.sequence:
                self.newest = load_batch_side(self._lake, self._views, publication, self.newest)
            self._look_at_holds()
            self.lake_error = None
        except LakeError as error:
            self.lake_error = error

    def _look_at_holds(self) -> None:
        """See what is held of the event log, as the publications have it that are answered from."""
        self._seen_holds = self._holds.all()
        sides = [self.newest, self.current.batch if self.current else None]
        publications = {side.publication.sequence: side.publication for side in sides if side is not None}
        self._held = {
            sequence: hold.number
            for sequence, publication in publications.items()
            for hold in self._holds.open_on(publication)
            if hold.is_of_log
        }

    def _held_on(self, batch: BatchSide) -> int:
        return self._held.get(batch.publication.sequence, 0)

    def look_at_speed(self) -> None:
        """Follow the speed state on the current base, and move to the newest base when both can move together."""
        newest, current = self.newest, self.current
        if newest is None:
            self._stopping.wait(_LOOK_S / 10)
            return
        try:
            if current is None or current.batch.publication.sequence != newest.publication.sequence:
                self._try_to_move(newest, current)
            else:
                self._follow(newest, current)
        except SpeedAway:
            self.mode = "away"
            self._move_to_batch_alone(newest, current)
            self._stopping.wait(_AWAY_S)

    def _try_to_move(self, newest: BatchSide, current: Pair | None) -> None:
        try:
            speed = self._speed.follow(newest.publication.sequence, None, 0)
        except BaseGone:
            speed = None
        caught_up = speed is not None and speed.header.state != "catching_up"
        if speed is not None and caught_up and _may_follow(newest, speed, current):
            self._move_to(Pair(newest, speed, speed.header.state))
        elif current is not None and current.speed is not None:
            self._follow(newest, current)
        else:
            self.mode = "catching_up"
            self._move_to_batch_alone(newest, current)
            self._stopping.wait(_LOOK_S / 10)

    def _follow(self, newest: BatchSide, current: Pair) -> None:
        sequence = current.batch.publication.sequence
        try:
            speed = self._speed.follow(sequence, current.speed, _WAIT_MS)
        except BaseGone:
            self.mode = "catching_up"
            self._move_to_batch_alone(newest, current)
            self._stopping.wait(_LOOK_S / 10)
            return
        if speed.header.state != "catching_up" and at_least(speed.header.positions, current.positions):
            self._move_to(Pair(current.batch, speed, speed.header.state))
        else:
            self.mode = "catching_up"
            self._stopping.wait(_LOOK_S / 10)

    def _move_to(self, pair: Pair) -> None:
        pair = replace(pair, held=self._held_on(pair.batch))
        for prepare in self._preparing:
            prepare(pair)
        self.current, self.mode = pair, pair.mode

    def _move_to_batch_alone(self, newest: BatchSide, current: Pair | None) -> None:
        """Without a speed state, answer from the batch side alone as soon as that takes nothing back.

        Before a speed state was heard nobody can tell: the process before this one may have answered from one.
        """
        is_news = current is not None and newest.publication.sequence > current.batch.publication.sequence
        if current is not None and is_news and _takes_nothing_back(newest, newest.publication.cut, current):
            self.current = Pair(newest)

    def _repeat(self, step: object, pause_s: float) -> None:
        while not self._stopping.is_set():
            try:
                step()  # type: ignore[operator]  # one of the two methods above
            except TwofoldError as error:
                log.warning("%s", error)
                self._stopping.wait(_LOOK_S)
            except Exception:
                log.exception("Following failed; trying again")
                self._stopping.wait(_LOOK_S)
            self._stopping.wait(pause_s)


def _may_follow(batch: BatchSide, speed: SpeedSide, current: Pair | None) -> bool:
    """Whether the pair of these two can take the place of another: of one meaning, and taking nothing back.

    Their views are those of one publication. Only before the first of all is each side's what it was told itself.
    """
    is_one = all(name in batch.views and batch.views[name].hash == view.hash for name, view in speed.views.items())
    return is_one and _takes_nothing_back(batch, speed.header.positions, current)


def _takes_nothing_back(batch: BatchSide, positions: Positions, current: Pair | None) -> bool:
    """Whether these positions have all that is answered now, but for what lies beyond the cut of a closed lane."""
    return current is None or at_least(positions, batch.publication.still_open(current.positions))
