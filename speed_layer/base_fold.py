"""The live fold on one base. Its state is a function of the base and the positions (law 4)."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

import polars as pl

from speed_layer.base import Base
from speed_layer.copies import Copies
from speed_layer.correction import Correction, find_correction
from speed_layer.partial_log import PartialLog
from twofold.account import Account, add_accounts, count_by_lane
from twofold.decoding import decode
from twofold.definition import written
from twofold.exclusion import part
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
    copies: Copies = field(default_factory=Copies)


class BaseFold:
    """Folds micro-batches on top of a base. One thread applies; any number read `snapshot`."""

    def __init__(
        self, base: Base, views: Mapping[str, View], sources: Mapping[str, Source], default_source: str
    ) -> None:
        self.base = base
        self.incarnation = uuid4().hex
        self.snapshot = Snapshot(1, dict(base.cut), {}, None, {name: PartialLog(view) for name, view in views.items()})
        self.definitions = {name: (view.hash, written(view)) for name, view in views.items()}
        self._views = views
        self._sources = sources
        self._default_source = default_source
        self._ledger = base.ledger.copy()
        self._changed = threading.Condition()

    @property
    def merge_bytes(self) -> int:
        """How much more memory it takes, for a while, when the longest of its logs is merged."""
        return max((log.size_bytes for log in self.snapshot.logs.values()), default=0)

    def apply(self, batches: Sequence[RecordBatch], positions: Positions, lost: Sequence[Lost]) -> None:
        """Fold records and move on to `positions`; `lost` is what retention took before them."""
        now = self.snapshot
        version = now.version + 1
        decoded = decode(batches, self._sources, self._default_source)
        parted = part(decoded.trades, self.base.exclusions)
        told_apart = self._ledger.sort_out(parted.counted)
        self._ledger.add(told_apart.added)
        counted = told_apart.fresh
        if told_apart.repeated.height:
            now = replace(now, copies=now.copies.packed())
            correction = find_correction(now.copies, self.base.ledger, told_apart.repeated)
            if correction is not None:
                now = self._corrected(now, correction)
                counted = pl.concat([counted, correction.otherwise])
        partials = fold(self._views.values(), counted)
        read, taken = read_by_lane(batches), lost_by_lane(lost)
        accounts = count_by_lane(read, told_apart.fresh, told_apart.repeated, decoded.rejected, taken, parted.excluded)
        newest_us = counted["event_time"].to_physical().max()  # by a query it would cost more
        newest = [time for time in (now.newest_event_us, newest_us) if isinstance(time, int)]
        self._show(
            Snapshot(
                version=version,
                positions=dict(positions),
                accounts=add_accounts(now.accounts, accounts),
                newest_event_us=max(newest, default=None),
                logs={name: log.add(version, partials[name]) for name, log in now.logs.items()},
                lost=(*now.lost, *lost),
                copies=now.copies.add(version, told_apart),
            )
        )

    def _corrected(self, now: Snapshot, correction: Correction) -> Snapshot:
        """The state with lesser copies taken, and without what they beat; what they say is still to be folded."""
        version = now.version + 1
        copies = now.copies.without(correction.beaten)
        beats = correction.beaten.height > 0
        return replace(
            now,
            accounts=correction.accounts(now.accounts),
            newest_event_us=copies.newest_event_us() if beats else now.newest_event_us,
            logs=correction.logs(now.logs, copies, self._views, version),
            copies=copies.add(version, correction.taken),
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
