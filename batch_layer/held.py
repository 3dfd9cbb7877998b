"""What is held: the cycle that failed its checks, told as an error, and its records, taken up again from `raw`."""

from __future__ import annotations

from datetime import datetime

from batch_layer.intake import Intake
from batch_layer.quality.gate import Checked
from twofold.errors import CycleHeld, LakeUnreachable
from twofold.hold import Hold, keep_hold
from twofold.lake import Lake
from twofold.publication import Publication
from twofold.records import RECORD_SCHEMA, batches_of, lost_by_lane, read_by_lane
from twofold.tables import RAW
from twofold.taken_in import is_below


def hold_back(
    lake: Lake, parent: Publication, intake: Intake, raw_version: int, checked: Checked, now: datetime
) -> CycleHeld:
    """Keep what was found of a cycle, and where its records are; gives the error that says so.

    Args:
        lake: where it is kept.
        parent: what the cycle went on from.
        intake: its records.
        raw_version: the version of `raw` that has them.
        checked: what was found.
        now: the time, UTC.

    Raises:
        Superseded: another cycle was held at the same time.
    """
    moved = intake.moved(parent.cut)
    hold = Hold(
        number=0,
        held_at=now,
        parent=parent.sequence,
        begins={lane: parent.cut.get(lane, 0) for lane in moved},
        cut={lane: intake.cut[lane] for lane in moved},
        records=intake.records,
        raw_version=raw_version,
        lost=tuple(intake.gone),
        log=intake.log,
        quality=checked.quality,
        failing=checked.failing,
    )
    return held_error(keep_hold(lake, hold), is_new=True)


def held_error(hold: Hold, *, is_new: bool) -> CycleHeld:
    """Say that a cycle is held, why, and what to do."""
    found = "; ".join(f"{each.check} of {each.table}: {each.detail}" for each in hold.quality.failed)
    begun = "The cycle failed its checks" if is_new else "A cycle that failed its checks waits"
    return CycleHeld(
        f"{begun}, and is held as number {hold.number} ({hold.records} records; {found}). Nothing of it is public, and "
        f"publication {hold.parent} stays what is answered from. Look at it with `twofold held show {hold.number}`; "
        f"then `twofold held release {hold.number}`, or `twofold held exclude {hold.number}`.",
        hold.number,
        is_new=is_new,
    )


def held_intake(lake: Lake, parent: Publication, hold: Hold) -> Intake:
    """The records of a hold, as the cycle had them that was held.

    Raises:
        LakeUnreachable: they cannot be read, or are not all there.
    """
    published = parent.tables.get(RAW.name)
    before = set() if published is None else set(lake.files(RAW.name, published))
    files = sorted(set(lake.files(RAW.name, hold.raw_version)) - before)
    is_held = is_below(hold.cut) & ~is_below(hold.begins)
    names = RECORD_SCHEMA.names()
    rows = lake.read_files(RAW.name, files, names, is_held) if files else RECORD_SCHEMA.to_frame()
    if rows.height != hold.records:
        raise LakeUnreachable(
            f"Hold {hold.number} is of {hold.records} records, and version {hold.raw_version} of `raw` has "
            f"{rows.height} of them. Nothing was published. Look at the lake with `twofold doctor`."
        )
    batches = batches_of(rows)
    return Intake(
        batches,
        {**parent.cut, **hold.cut},
        read_by_lane(batches),
        lost_by_lane(hold.lost),
        list(hold.lost),
        log=hold.log if hold.is_of_log else parent.log,
    )
