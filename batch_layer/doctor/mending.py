"""Mends: what the doctor can do about what it found, each with what that means.

What is published is never unpublished: to go back is to publish what an older publication said under the next number,
so that whoever follows the publications follows this one too, and no number stands for two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from batch_layer.doctor.aside import move_aside, put_in_place
from batch_layer.doctor.examination import Examination
from batch_layer.doctor.published import Published
from batch_layer.doctor.rebuild import Definitions, Rebuild, plan_rebuild
from batch_layer.doctor.table_log import TableLog
from twofold.clock import Clock
from twofold.errors import LakeUnreachable
from twofold.lake import Lake
from twofold.lane import Lane
from twofold.publication import GENESIS, PUBLICATIONS, Publication, publish


@dataclass(frozen=True, slots=True)
class MoveAside:
    """Files of logs to be moved aside, in this order.

    Attributes:
        sentence: What is moved, and what that means.
        paths: The files.
        commits: Commits, one that does nothing is put in the place of each.
        publication: What is published then, if anything.
        may_lose: Whether something may be lost by it that can still be had: records, or answers made again.
    """

    sentence: str
    paths: tuple[Path, ...] = ()
    commits: tuple[Path, ...] = ()
    publication: Publication | None = None
    may_lose: bool = False

    def carry_out(self, lake: Lake, clock: Clock) -> str:
        """Do it, and say what was done.

        Raises:
            LakeUnreachable: a file cannot be moved; those before it have been.
            Superseded: a publication came in between.
        """
        done = []
        try:
            if self.paths:
                done.append(f"Moved {len(self.paths)} files to {move_aside(Path(lake.root), self.paths, clock())}.")
            if self.commits:
                done.append(
                    f"Replaced {len(self.commits)} commits, and kept them in "
                    f"{put_in_place(Path(lake.root), self.commits, clock())}."
                )
        except OSError as error:
            raise LakeUnreachable(f"Not every file could be moved aside: {error}. Look at the rights there.") from error
        if self.publication is not None:
            publish(lake, replace(self.publication, published_at=clock(), lost=()))
            done.append(f"Published {self.publication.sequence}.")
        return " ".join(done)


Mend = MoveAside | Rebuild


def mends(found: Examination, definitions: Definitions) -> list[Mend]:
    """What can be done, in order; each as if those before it were not done, so examine again after one was.

    Nothing that a whole publication is made of is ever moved.
    """
    return [
        *_without_checkpoints(found),
        *_public_again(found, definitions),
        *_without_tails(found),
        *_without_broken_publications(found),
        *_with_the_log_there_is(found),
    ]


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
        yield _going_back(found, target)


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


def _going_back(found: Examination, target: Published) -> MoveAside:
    log = found.logs[PUBLICATIONS.name]
    commits, beside = _out_of_the_way(log, [file.added for file in found.broken[PUBLICATIONS.name]])
    last = range(target.publication.sequence + 1, log.head + 1)
    given_up = sorted({*found.newest.given_up, *target.publication.given_up, *last})
    publication = replace(
        target.publication,
        sequence=_next_sequence(found),
        given_up=tuple(given_up),
        released=found.newest.released,
    )
    sentence = _about_going_back(found, target)
    return MoveAside(sentence, beside, commits, publication, may_lose=_lost(found, target) != {})


def _next_sequence(found: Examination) -> int:
    return max(found.logs[PUBLICATIONS.name].head, 0) + 1


def _out_of_the_way(log: TableLog, unreadable: Iterable[int] = ()) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The commits after which the table cannot be opened, or of these versions, and what stands beside them."""
    torn = {version for version in log.broken_commits if version > log.newest_openable}
    versions = sorted({*torn, *unreadable}, reverse=True)
    beside = log.built_on(versions[-1]) if versions else []
    return tuple(log.commit_path(version) for version in versions), tuple(beside)


def _about_going_back(found: Examination, target: Published) -> str:
    cut = target.publication.cut
    to = f"publication {target.publication.sequence}" if cut else "the state before the first publication"
    where = ", ".join(f"{lane} at {offset}" for lane, offset in sorted(cut.items())) or "the beginning of every lane"
    return (
        f"Go back to {to}, the last that can be read whole: publish what it said as {_next_sequence(found)}, and give "
        f"up what was published after it. The cut goes back to {where}; the next cycles take the records from there on "
        f"in again. {_about_kafka(found, target)}"
        f"{_about_imports(found, target)} Answers of the publications that are given up cannot be made again."
    )


def _about_kafka(found: Examination, target: Published) -> str:
    lost = _lost(found, target)
    if lost is None:
        return "Kafka did not answer: whether it still has them all is not known, and what it has not is lost."
    if not lost:
        return "Kafka still has them all."
    ranges = ", ".join(f"{lane} {first} to {after - 1}" for lane, (first, after) in lost.items())
    return f"Kafka has no longer all of them, and these offsets will be lost: {ranges}."


def _about_imports(found: Examination, target: Published) -> str:
    cut = target.publication.cut
    back = [
        lane for lane, offset in found.newest.cut.items() if Lane.parse(lane).is_import and cut.get(lane, 0) < offset
    ]
    if not back:
        return ""
    return (
        f" What was imported after it goes too ({', '.join(sorted(back))}): `twofold backfill` with the same files "
        "takes it in again."
    )


def _lost(found: Examination, target: Published) -> dict[str, tuple[int, int]] | None:
    """What Kafka has no longer of the records beyond a publication's cut; None where it did not answer."""
    if found.extent is None:
        return None
    return found.extent.lacks(target.publication.cut, found.newest.cut)


def _without_tails(found: Examination) -> Iterator[Mend]:
    for name, log in found.logs.items():
        commits, beside = _out_of_the_way(log)
        if (
            commits
            and log.newest_openable >= 0
            and name != PUBLICATIONS.name
            and not _is_named(found, name, log.newest_openable + 1)
        ):
            versions = _ranges(int(path.stem) for path in commits)
            yield MoveAside(
                f"Put commits that do nothing in the place of those of table {name}, version {versions}, and keep "
                "these aside. No publication names them, and the next cycle makes anew what is needed of it.",
                beside,
                commits,
            )


def _without_broken_publications(found: Examination) -> Iterator[Mend]:
    broken = [each.publication for each in found.published[:-1] if not found.has_whole(each.publication)]
    if not broken or not _newest_is_whole(found):
        return
    numbers = _ranges(each.sequence for each in broken)
    tables = {name for each in broken for name in each.tables if not found.is_whole(each, name)}
    yield MoveAside(
        f"Give up publications {numbers}, of whose tables {', '.join(sorted(tables))} cannot be read as they were. "
        "What is public stays as it is; answers whose receipts name them can no longer be made again, not even if the "
        "files come back.",
        publication=replace(
            found.newest,
            sequence=_next_sequence(found),
            given_up=tuple(sorted({*found.newest.given_up, *(each.sequence for each in broken)})),
        ),
        may_lose=True,
    )


def _with_the_log_there_is(found: Examination) -> Iterator[Mend]:
    ended = found.extent.ended(found.newest) if found.extent else {}
    if found.extent is None or not ended or not _newest_is_whole(found):
        return
    there = found.extent.taken_up(found.newest)
    old = ", ".join(f"{lane} at {offset}" for lane, offset in sorted(ended.items()))
    new = {lane: offset for lane, offset in there.cut.items() if lane not in found.newest.cut}
    begin = ", ".join(f"{lane} at {offset}" for lane, offset in sorted(new.items()))
    yield MoveAside(
        f"Go on with the event log that there is: close {old}, and begin {begin or 'no lane'}. What was taken in "
        "stays. What was not taken in of the closed lanes, from there on, is given up, however much it is; answers "
        "that had read it live lose it.",
        publication=replace(there, sequence=_next_sequence(found)),
        may_lose=True,
    )


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers as text, those that follow each other as one."""
    told = []
    for _, run in groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0]):
        first, *others = [number for _, number in run]
        told.append(f"{first} to {others[-1]}" if others else str(first))
    return ", ".join(told)


def _is_named(found: Examination, table: str, from_version: int) -> bool:
    return any(each.publication.tables.get(table, -1) >= from_version for each in found.published)
