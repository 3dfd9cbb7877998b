"""Mends: what the doctor can do about what it found, each with what that means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batch_layer.doctor.aside import move_aside
from batch_layer.doctor.examination import Examination
from batch_layer.doctor.published import Published
from batch_layer.doctor.rebuild import Definitions, Rebuild, plan_rebuild
from twofold.clock import Clock
from twofold.errors import LakeUnreachable
from twofold.lake import Lake
from twofold.publication import GENESIS, PUBLICATIONS


@dataclass(frozen=True, slots=True)
class MoveAside:
    """Files of logs to be moved aside, in this order.

    Attributes:
        sentence: What is moved, and what that means.
        paths: The files.
        may_lose: Whether records may be lost by it that the lake still has, and Kafka has not.
    """

    sentence: str
    paths: tuple[Path, ...]
    may_lose: bool = False

    def carry_out(self, lake: Lake, clock: Clock) -> str:
        """Do it, and say what was done.

        Raises:
            LakeUnreachable: a file cannot be moved; those before it have been.
        """
        try:
            folder = move_aside(Path(lake.root), self.paths, clock())
        except OSError as error:
            raise LakeUnreachable(f"Not every file could be moved aside: {error}. Look at the rights there.") from error
        return f"Moved {len(self.paths)} files to {folder}."


Mend = MoveAside | Rebuild


def mends(found: Examination, definitions: Definitions) -> list[Mend]:
    """What can be done, in order; each as if those before it were not done, so examine again after one was.

    Nothing that a whole publication is made of is ever moved.
    """
    return [*_without_checkpoints(found), *_public_again(found, definitions), *_without_tails(found)]


def _without_checkpoints(found: Examination) -> Iterator[Mend]:
    for name, log in found.logs.items():
        versions = [version for version in sorted(log.broken_checkpoints, reverse=True) if log.opens(version)]
        paths = [log.checkpoint_path(version) for version in versions]
        if log.hint_is_broken or log.hinted in versions:
            paths.insert(0, log.hint)
        if paths:
            names = ", ".join(path.name for path in paths)
            yield MoveAside(
                f"Move aside {names} of table {name}. The commits hold all that it stands for; nothing is lost.",
                tuple(paths),
            )


def _public_again(found: Examination, definitions: Definitions) -> Iterator[Mend]:
    """Make the newest publication one that is whole: made again from `raw` where that can be done, or an older one."""
    is_whole = _newest_is_whole(found)
    if is_whole and not found.tables_disagree:
        return
    rebuild = plan_rebuild(found, definitions)
    if rebuild is not None:
        yield rebuild
    target = None if is_whole else _last_whole(found)
    if target is not None:
        paths = found.logs[PUBLICATIONS.name].files_beyond(target.version)
        yield MoveAside(_about_going_back(found, target), tuple(paths), may_lose=_lost(found, target) != {})


def _newest_is_whole(found: Examination) -> bool:
    log = found.logs[PUBLICATIONS.name]
    newest_row = found.published[-1].version if found.published else 0
    is_read = log.newest_openable == log.head and all(
        file.added < newest_row for file in found.broken[PUBLICATIONS.name]
    )
    return is_read and found.has_whole(found.newest)


def _last_whole(found: Examination) -> Published | None:
    """The last publication that can be read whole; the state before the first, if that can be gone back to."""
    whole = [each for each in found.published if found.has_whole(each.publication)]
    if whole:
        return whole[-1]
    can_begin_anew = all(log.head < 0 or log.opens(0) for log in found.logs.values())  # one that is gone is made anew
    return Published(0, GENESIS) if can_begin_anew else None


def _about_going_back(found: Examination, target: Published) -> str:
    cut = target.publication.cut
    to = f"publication {target.publication.sequence}" if cut else "the state before the first publication"
    where = ", ".join(f"{lane} at {offset}" for lane, offset in sorted(cut.items())) or "the beginning of every lane"
    return (
        f"Go back to {to}, the last that can be read whole, and move aside what was published after it. The cut goes "
        f"back to {where}; the next cycles take the records from there on in again. {_about_kafka(found, target)} "
        "Answers of the publications that go cannot be made again. Restart the speed worker and serving if they run: "
        "they stand on what goes."
    )


def _about_kafka(found: Examination, target: Published) -> str:
    lost = _lost(found, target)
    if lost is None:
        return "Kafka did not answer: whether it still has them all is not known, and what it has not is lost."
    if not lost:
        return "Kafka still has them all."
    ranges = ", ".join(f"{lane} {first} to {after - 1}" for lane, (first, after) in lost.items())
    return f"Kafka has no longer all of them, and these offsets will be lost: {ranges}."


def _lost(found: Examination, target: Published) -> dict[str, tuple[int, int]] | None:
    """What Kafka has no longer of the records beyond a publication's cut; None where it did not answer."""
    if found.extent is None:
        return None
    return found.extent.lacks(target.publication.cut, found.newest.cut)


def _without_tails(found: Examination) -> Iterator[Mend]:
    for name, log in found.logs.items():
        first, last = log.newest_openable + 1, log.head
        if first <= last and name != PUBLICATIONS.name and not _is_named(found, name, first):
            versions = f"version {first}" if first == last else f"versions {first} to {last}"
            yield MoveAside(
                f"Move aside {versions} of table {name}. No publication names what goes, and the next cycle makes "
                "anew what is needed of it.",
                tuple(log.files_beyond(log.newest_openable)),
            )


def _is_named(found: Examination, table: str, from_version: int) -> bool:
    return any(each.publication.tables.get(table, -1) >= from_version for each in found.published)
