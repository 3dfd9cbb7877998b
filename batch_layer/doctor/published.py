"""The publications, read row by row from the table's files, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq

from batch_layer.doctor.finding import GIVE_UP, GO_BACK, Finding
from batch_layer.doctor.table_log import DataFile, TableLog
from twofold.lane import at_least
from twofold.publication import PUBLICATIONS, Publication

_COPY = "Bring the publications table back from a copy."


@dataclass(frozen=True)
class Published:
    """A publication, and the version of the publications table that added it."""

    version: int
    publication: Publication


def read_publications(log: TableLog) -> tuple[list[Published], list[tuple[DataFile, str]]]:
    """The publications of the newest version that can be opened, by sequence, and the files that cannot be read."""
    found, broken = [], []
    for file in log.files:
        if not file.is_part_of(log.newest_openable):
            continue
        try:
            rows = pq.read_table(log.folder / file.path).to_pylist()
            found += [Published(file.added, Publication.from_row(row)) for row in rows]
        except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
            broken.append((file, f"cannot be read ({str(error).splitlines()[0]})"))
    return sorted(found, key=lambda each: (each.publication.sequence, each.version)), broken


def still_promised(rows: Sequence[Published]) -> list[Published]:
    """The publications whose tables must be there: neither given up nor released."""
    if not rows:
        return []
    gone = _gone(rows[-1].publication)
    return [each for each in rows if each.publication.sequence not in gone]


def look_at_publications(
    published: Sequence[Published], broken: Sequence[tuple[DataFile, str]], logs: Mapping[str, TableLog]
) -> Iterator[Finding]:
    """Find what is wrong with publications, and between each and the next."""
    newest_row = published[-1].version if published else 0
    log = logs[PUBLICATIONS.name]
    added = {file.added for file in log.files}
    explained = {version for version in range(log.head + 1) if version not in added}
    explained |= _gone(published[-1].publication) if published else set()
    for file, why in broken:
        place, mend = f"{PUBLICATIONS.name}, version {file.added}", GO_BACK if file.added > newest_row else _COPY
        yield Finding("publication", place, f"its row {why}: what it made public is not known.", mend)
    all_of_them = [each.publication for each in published]
    if all_of_them and not explained.issuperset(range(1, all_of_them[0].sequence)):
        yield _about(all_of_them[0], "the publications before it are missing.", _COPY)
    for before, after in pairwise(all_of_them):
        if after.sequence == before.sequence:
            yield _about(after, "it stands there more than once: two writers published at once.", _COPY)
        elif not explained.issuperset(range(before.sequence + 1, after.sequence)):
            yield _about(after, f"the one before it is {before.sequence}: those in between are missing.", _COPY)
        if not at_least(after.cut, before.cut):
            behind = sorted(lane for lane, offset in before.cut.items() if after.cut.get(lane, 0) < offset)
            yield _about(after, f"its cut goes back in {', '.join(behind)}: records are counted twice.", None)
    for publication in all_of_them:
        yield from _look_at_one(publication, logs, is_newest=publication is all_of_them[-1])


def _gone(newest: Publication) -> set[int]:
    return {*newest.given_up, *range(1, newest.released + 1)}


def _look_at_one(publication: Publication, logs: Mapping[str, TableLog], *, is_newest: bool) -> Iterator[Finding]:
    for lane, account in sorted(publication.accounts.items()):
        if not account.balanced:
            yield _about(publication, f"the account of {lane} does not add up: {account}.", None)
    for table, version in sorted(publication.tables.items()):
        if table not in logs or not logs[table].opens(version):
            mend = GO_BACK if is_newest else GIVE_UP
            yield _about(publication, f"version {version} of table {table} cannot be opened.", mend)


def _about(publication: Publication, sentence: str, mend: str | None) -> Finding:
    return Finding("publication", f"publication {publication.sequence}", sentence, mend)
