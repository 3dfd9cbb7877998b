"""The speed side of an answer: a mirror of the speed worker's fold on one base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic

import polars as pl
import pyarrow as pa
from pyarrow import flight

from twofold.account import Account, accounts_from_json
from twofold.definition import read
from twofold.errors import BaseGone, SpeedAway
from twofold.fold import merge
from twofold.lane import ALL_LANES, Share, lags
from twofold.ledger import Market
from twofold.speed_state import CHANGES, BaseGoneNotice, ChangesRequest, SpeedHeader, unpack
from twofold.view import View

Shared = list[Market] | None
"""Venues and symbols; None where a worker has all lanes to itself."""

FRAMES = 8
"""Frames of changes that a mirror keeps as they came; at more it merges the newest of them."""

_CALL_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class SpeedSide:
    """What the speed worker had at some positions. Immutable: taking in a change makes a new one.

    Attributes:
        header: Where it stood.
        frames: Partials by view.
        accounts: By lane, from the cut on.
        heard_at_s: When it was heard, on the monotonic clock.
        news: The parts that came with the last change, by name (`twofold.speed_state`).
        views: What the partials are of, by name.
    """

    header: SpeedHeader
    frames: Mapping[str, tuple[pl.DataFrame, ...]] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    heard_at_s: float = 0.0
    news: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    views: Mapping[str, View] = field(default_factory=dict)

    def partials(self, view: str) -> pl.DataFrame:
        """All partials of a view; several of one group are normal."""
        return pl.concat(self.frames[view])

    def count(self, view: str) -> int:
        """How many partials of a view there are."""
        return sum(frame.height for frame in self.frames[view])

    @property
    def lag_records(self) -> int:
        """Records that were in the log, when the worker last looked, and are not in these positions."""
        return sum(lags(self.header.ends, self.header.positions).values())


class SpeedClient:
    """Asks the speed worker."""

    def __init__(self, address: str, share: Share = ALL_LANES) -> None:
        self._address = address
        self._share = share
        self._client: flight.FlightClient | None = None

    def follow(self, sequence: int, known: SpeedSide | None, wait_ms: int, shared: Shared = None) -> SpeedSide:
        """The newest state of a base, made of `known` and what changed since; waits for a change.

        Args:
            sequence: the publication that gives the base.
            known: a state of that base, or of another.
            wait_ms: how long to wait.
            shared: the markets that are shared with other workers, if there are others; those that `known` is of.

        Raises:
            BaseGone: the worker does not hold that base.
            SpeedAway: the worker does not answer.
            ViewUnreadable: it folds a view that is not known here.
        """
        # A state that was catching up came without partials, so that there is nothing to add changes to.
        has_partials = known is not None and known.header.state != "catching_up"
        since = known if known is not None and has_partials and known.header.sequence == sequence else None
        request = ChangesRequest(
            sequence=sequence,
            incarnation=since.header.incarnation if since else "",
            after=since.header.version if since else 0,
            wait_ms=wait_ms,
            shared=shared,
        )
        header, changes = self._ask(request)
        news = {name: changes.pop(name) for name in header.parts}
        if since is None or header.whole:
            views: Mapping[str, View] = {name: read(text, its) for name, (its, text) in header.definitions.items()}
            frames: dict[str, tuple[pl.DataFrame, ...]] = {name: (frame,) for name, frame in changes.items()}
        else:
            views, before = since.views, since.frames
            frames = {name: _grown(views[name], before.get(name, ()), frame) for name, frame in changes.items()}
        return SpeedSide(header, frames, accounts_from_json(header.accounts), monotonic(), news, views)

    def head(self, sequence: int) -> SpeedHeader:
        """Where a base's fold stands now.

        Raises:
            BaseGone: the worker does not hold that base.
            SpeedAway: the worker does not answer.
        """
        return self._ask(ChangesRequest(sequence=sequence, head=True))[0]

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, request: ChangesRequest) -> tuple[SpeedHeader, dict[str, pl.DataFrame]]:
        header, changes = unpack(self._call(request))
        if Share(header.worker, header.workers) != self._share:
            raise SpeedAway(
                f"The speed worker at {self._address} is number {header.worker} of {header.workers}, and not "
                f"{self._share.worker} of {self._share.workers}. Give all speed workers and serving the same "
                "TWOFOLD_SPEED_ADDRESS, and each worker its own number by `twofold speed --worker`."
            )
        return header, changes

    def _call(self, request: ChangesRequest) -> list[bytes]:
        try:
            client = self._client = self._client or flight.connect(f"grpc://{self._address}")
            options = flight.FlightCallOptions(timeout=_CALL_TIMEOUT_S + request.wait_ms / 1000)
            action = flight.Action(CHANGES, request.model_dump_json().encode())
            return [result.body.to_pybytes() for result in client.do_action(action, options)]
        except (pa.ArrowException, OSError) as error:
            if notice := getattr(error, "extra_info", b""):
                gone = BaseGoneNotice.model_validate_json(notice)
                raise BaseGone(gone.base_gone, gone.held) from None
            self.close()
            raise SpeedAway(
                f"The speed worker does not answer at {self._address}. Start it with `twofold speed`, or look at its "
                "log."
            ) from error


def _grown(view: View, frames: tuple[pl.DataFrame, ...], change: pl.DataFrame) -> tuple[pl.DataFrame, ...]:
    """Partials of a view, with those of a change."""
    if change.is_empty():
        return frames
    if len(frames) < FRAMES:
        return (*frames, change)
    # An older frame is merged with the newer ones once these have come to its size, so that a row is merged a few
    # times, however long the base is and however many rows there are.
    kept, rows = len(frames), change.height
    while kept and (kept > FRAMES // 2 or frames[kept - 1].height <= rows):
        kept -= 1
        rows += frames[kept].height
    return (*frames[:kept], merge(view, pl.concat([*frames[kept:], change])))
