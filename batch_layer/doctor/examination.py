"""The examination: every check over one lake, and what it was found to be made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batch_layer.doctor.contents import look_at_contents
from batch_layer.doctor.event_log import LogExtent, extent_of, look_at_event_log
from batch_layer.doctor.finding import Finding
from batch_layer.doctor.published import Published, look_at_publications, read_publications, still_promised
from batch_layer.doctor.table_log import DataFile, TableLog
from batch_layer.doctor.tables import about_files, broken_files, look_at_log, look_at_properties
from twofold.errors import EventLogError, LakeError, LakeUnreachable, NoLake, TopicMissing
from twofold.lake import Lake
from twofold.publication import GENESIS, PUBLICATIONS, Publication
from twofold.records import OpenReader
from twofold.source import Source


@dataclass
class Examination:
    """What was found.

    Attributes:
        findings: What is wrong; nothing where the lake is sound.
        unchecked: What could not be looked at, and why.
        logs: The log of every table.
        rows: The publications that can be read, by sequence.
        published: Those of them that have been neither given up nor released.
        broken: The data files of published versions that cannot be read, by table.
        extent: What the event log holds; None where it did not answer.
    """

    findings: list[Finding] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    logs: dict[str, TableLog] = field(default_factory=dict)
    rows: list[Published] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    broken: dict[str, list[DataFile]] = field(default_factory=dict)
    extent: LogExtent | None = None

    @property
    def newest(self) -> Publication:
        """The newest publication that can be read; `GENESIS` where there is none."""
        return self.published[-1].publication if self.published else GENESIS

    def is_whole(self, publication: Publication, table: str) -> bool:
        """Whether a table can be read at the version that a publication names."""
        version = publication.tables[table]
        return (
            table in self.logs
            and self.logs[table].opens(version)
            and not any(file.is_part_of(version) for file in self.broken.get(table, ()))
        )

    def has_whole(self, publication: Publication) -> bool:
        """Whether every table that a publication names can be read."""
        return all(self.is_whole(publication, table) for table in publication.tables)

    @property
    def tables_disagree(self) -> bool:
        """Whether the tables of the newest publication can be read, but do not agree with each other."""
        return any(finding.check == "content" for finding in self.findings)


def examine(lake: Lake, open_reader: OpenReader, sources: Mapping[str, Source]) -> Examination:
    """Look at everything. Cycles may be at work meanwhile: what they have not published is no fault.

    Raises:
        NoLake: there is no lake at the root.
        LakeUnreachable: a file of it may not be read.
        LakeError: the lake is on an object store, whose files the doctor cannot look at.
    """
    if not lake.is_local:
        raise LakeError(f"The doctor looks at files, and {lake.root} is no folder. Examine a copy in a folder.")
    found = Examination()
    try:
        unreadable = _read_logs(found, Path(lake.root))
        _look_at_tables(found)
    except OSError as error:
        raise LakeUnreachable(f"A file of the lake cannot be read: {error}. Look at the rights there.") from error
    found.findings += look_at_publications(found.published, unreadable, found.logs)
    _compare_contents(found, lake, sources)
    _compare_with_event_log(found, open_reader)
    return found


def _read_logs(found: Examination, root: Path) -> list[tuple[DataFile, str]]:
    """Read publications first, so that the tables have what they name; returns those of their files that are broken."""
    publications = TableLog(root / PUBLICATIONS.name, append_only=True)
    tables = _tables(root)
    if publications.head < 0 and not tables:
        raise NoLake(f"There is no lake at {root}. Set TWOFOLD_LAKE to where it is; `twofold cycle` founds a new one.")
    found.rows, unreadable = read_publications(publications)
    found.published = still_promised(found.rows)
    found.logs = {name: TableLog(root / name) for name in sorted({*tables, *found.newest.tables})}
    found.logs[PUBLICATIONS.name] = publications
    found.broken[PUBLICATIONS.name] = [file for file, _ in unreadable]
    return unreadable


def _tables(root: Path) -> set[str]:
    logs = [*root.glob("*/_delta_log"), *root.glob("*/*/_delta_log")]
    return {log.parent.relative_to(root).as_posix() for log in logs if log.relative_to(root).parts[0][0] != "."}


def _look_at_tables(found: Examination) -> None:
    for name, log in found.logs.items():
        named: dict[int, list[int]] = defaultdict(list)
        for each in found.published:
            version = each.version if name == PUBLICATIONS.name else each.publication.tables.get(name)
            if version is not None:
                named[version].append(each.publication.sequence)
        found.findings += look_at_log(name, log, {version: min(numbers) for version, numbers in named.items()})
        found.findings += look_at_properties(name, log)
        if name != PUBLICATIONS.name:  # its rows have been read, each by itself
            broken = broken_files(log, sorted(named))
            found.broken[name] = [file for file, _ in broken]
            found.findings += about_files(name, broken, named, found.newest.sequence)


def _compare_contents(found: Examination, lake: Lake, sources: Mapping[str, Source]) -> None:
    newest = found.newest
    # Readers fail in their own ways on what is broken, some of which end the process: they are kept away from it.
    broken = [table for table in newest.tables if not found.is_whole(newest, table) or found.logs[table].is_broken]
    if broken:
        found.unchecked.append(
            f"Whether the tables of publication {newest.sequence} agree with each other, since {', '.join(broken)} "
            "cannot be read."
        )
        return
    found.findings += look_at_contents(lake, newest, sources)


def _compare_with_event_log(found: Examination, open_reader: OpenReader) -> None:
    try:
        found.extent = extent_of(open_reader, found.newest)
    except TopicMissing as error:
        if found.newest.log.open_lanes(found.newest.cut):
            mend = "Read the topic that the cut is of; or make it anew, and run `twofold doctor --mend` again."
            found.findings.append(Finding("event log", "topic", f"it is gone. {error}", mend))
    except EventLogError as error:
        found.unchecked.append(f"Whether the event log is what the cut is of: {error}")
    else:
        found.findings += look_at_event_log(found.newest, found.extent)
