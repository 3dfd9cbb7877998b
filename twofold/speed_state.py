"""What the speed worker tells serving about one base, and the form it takes on the wire (Arrow Flight actions).

An answer to `changes` is a header as JSON, then one Arrow IPC stream per view and per part, in the order that the
header names.

Where several workers share the lanes, each counts a trade that comes in lanes of two of them. Serving finds out by the
part `IDS`, and takes such markets out of the workers' hands: for the markets that a request calls `shared`, it gets the
copies (`COPIES`) in place of partials, and folds them itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

CHANGES = "changes"
"""The action that asks for what changed in a base since a version; it waits for something to change."""

IDS = "ids"
"""A part: the ids of trades that were taken, as intervals (`twofold.ledger.INTERVAL_SCHEMA`)."""

COPIES = "copies"
"""A part: the copies of trades that were taken in shared markets (`twofold.decoding.TRADE_SCHEMA`)."""

WorkerState = Literal["live", "catching_up", "paused"]


class ChangesRequest(BaseModel):
    """What serving asks of the speed worker.

    Attributes:
        sequence: The publication whose base is meant.
        incarnation: The fold that `after` belongs to; another one is answered whole.
        after: The version that serving has.
        wait_ms: How long to wait for a newer version.
        head: Whether the header is enough.
        shared: Venues and symbols whose copies are wanted, not partials. None: of no market, nor ids.
    """

    model_config = ConfigDict(frozen=True)

    sequence: int
    incarnation: str = ""
    after: int = 0
    wait_ms: int = 0
    head: bool = False
    shared: list[tuple[str, str]] | None = None


class SpeedHeader(BaseModel):
    """Where one base's fold stands.

    Attributes:
        sequence: The publication whose base it is.
        incarnation: Which fold; a restarted one has another.
        version: Rises with each change.
        whole: Whether the partials are all there are, or what came after the version asked for.
        state: `catching_up` until the fold has reached the end that the log had when it started; before that no
            partials are sent.
        positions: Next offset per lane.
        ends: The log's end per lane, when last looked at.
        accounts: Law 5, per lane, from the cut on, as `twofold.account` writes it.
        newest_event_us: The newest event time folded, UTC microseconds; None without trades.
        lost: What retention took above the cut before it was read: lane, first offset, and the offset after the last.
        sources_hash: Of what is declared of the sources (`twofold.source`).
        definitions: Of each view, by name, its hash and its definition (`twofold.definition`); only with a whole state.
        views: Names of the views whose partials follow.
        parts: Names of what follows them.
        worker: The worker's number, from 0 on.
        workers: How many workers share the lanes.
        held: The sequences of all bases that the worker can answer for.
        stalled: Lanes that make no progress, though the log has more of them.
    """

    model_config = ConfigDict(frozen=True)

    sequence: int
    incarnation: str
    version: int
    whole: bool
    state: WorkerState
    positions: dict[str, int]
    ends: dict[str, int]
    accounts: str
    newest_event_us: int | None
    lost: list[tuple[str, int, int]] = []
    sources_hash: str = ""
    definitions: dict[str, tuple[str, str]] = {}
    views: list[str]
    parts: list[str] = []
    worker: int = 0
    workers: int = 1
    held: list[int]
    stalled: list[str] = []


class BaseGoneNotice(BaseModel):
    """What the worker sends instead, as the extra information of a Flight error, when it does not hold the base."""

    base_gone: int
    held: list[int]


def pack(header: SpeedHeader, partials: Mapping[str, pl.DataFrame]) -> list[bytes]:
    """Write an answer, one buffer after the other."""
    buffers = [header.model_dump_json().encode()]
    for name in (*header.views, *header.parts):
        stream = BytesIO()
        # Writing locks the frame's handle, at times waiting for Python's lock. Another thread that holds that one and
        # looks at the same handle, for its size, would wait for ever. A clone has its own handle and the same data.
        partials[name].clone().write_ipc_stream(stream)
        buffers.append(stream.getvalue())
    return buffers


def unpack(buffers: list[bytes]) -> tuple[SpeedHeader, dict[str, pl.DataFrame]]:
    """Read an answer as `pack` wrote it."""
    header = SpeedHeader.model_validate_json(buffers[0])
    frames = [pl.read_ipc_stream(BytesIO(buffer)) for buffer in buffers[1:]]
    return header, dict(zip((*header.views, *header.parts), frames, strict=True))
