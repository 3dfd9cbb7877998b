"""The live fold on one base. Its state is a function of the base and the positions (law 4)."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from speed_layer.base import Base
from speed_layer.partial_log import PartialLog
from twofold.account import Account, add_accounts, count_by_lane
from twofold.decoding import decode
from twofold.fold import fold
from twofold.lane import Positions
from twofold.records import Lost, RecordBatch, lost_by_lane, read_by_lane
from twofold.source import Source
from twofold.view import View


@dataclass(frozen=True)
class Snapshot:
    """The state of a fold at one instant: immutable, so that it can be read while folding goes on."""

    version: int
    positions: Positions
    accounts: Mapping[str, Account]
    newest_event_us: int | None
    logs: Mapping[str, PartialLog]
    lost: tuple[Lost, ...] = ()


class BaseFold:
    """Folds micro-batches on top of a base. One thread applies; any number read `snapshot`."""

    def __init__(
        self, base: Base, views: Mapping[str, View], sources: Mapping[str, Source], default_source: str
    ) -> None:
        self.base = base
        self.incarnation = uuid4().hex
        self.snapshot = Snapshot(1, dict(base.cut), {}, None, {name: PartialLog(view) for name, view in views.items()})
        self._views = views
        self._sources = sources
        self._default_source = default_source
        self._ledger = base.ledger.copy()
        self._changed = threading.Condition()

    def apply(self, batches: Sequence[RecordBatch], positions: Positions, lost: Sequence[Lost]) -> None:
        """Fold records and move on to `positions`; `lost` is what retention took before them."""
        now = self.snapshot
        version = now.version + 1
        decoded = decode(batches, self._sources, self._default_source)
        told_apart = self._ledger.sort_out(decoded.trades)
        self._ledger.add(told_apart.added)
        partials = fold(self._views.values(), told_apart.fresh)
        read, taken = read_by_lane(batches), lost_by_lane(lost)
        accounts = count_by_lane(read, told_apart.fresh, told_apart.repeated, decoded.rejected, taken)
        newest_us = told_apart.fresh["event_time"].to_physical().max()  # by a query it would cost more
        newest = [time for time in (now.newest_event_us, newest_us) if isinstance(time, int)]
        self._show(
            Snapshot(
                version=version,
                positions=dict(positions),
                accounts=add_accounts(now.accounts, accounts),
                newest_event_us=max(newest, default=None),
                logs={name: log.add(version, partials[name]) for name, log in now.logs.items()},
                lost=(*now.lost, *lost),
            )
        )

    def move_to(self, positions: Positions) -> None:
        """Move over offsets that hold no records, such as transaction markers."""
        self._show(replace(self.snapshot, version=self.snapshot.version + 1, positions=dict(positions)))

    def wait_for_change(self, version: int, timeout_s: float) -> Snapshot:
        """The snapshot once it is newer than `version`, or as it is when the time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self.snapshot.version > version, timeout_s)
            return self.snapshot

    def _show(self, snapshot: Snapshot) -> None:
        with self._changed:
            self.snapshot = snapshot
            self._changed.notify_all()
