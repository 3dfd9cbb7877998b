"""Commit files and checkpoints of a Delta log, read as they stand: whole, or broken and why.

The format is that of the Delta transaction log: a commit is one JSON action a line, a checkpoint a Parquet file of
actions. Delta readers are not asked, since they pass over an empty commit without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

EMPTY = "is empty"
"""Why a commit without any content is broken."""

_ACTIONS = {"add", "remove", "metaData", "protocol", "commitInfo", "txn", "cdc", "domainMetadata"}
_FIRST = f"{0:020d}.json"
_ADDED_COUNTS = {"WRITE": "num_added_files", "RESTORE": "numRestoredFile"}
_REMOVED_COUNTS = {"WRITE": "num_removed_files", "RESTORE": "numRemovedFile"}


@dataclass
class Actions:
    """What a commit or a checkpoint says.

    Attributes:
        added: Data file, relative to the table's folder, to its size in bytes.
        removed: Data files that are part of the table no longer.
        metadata: The `metaData` action, if there is one.
        protocol: The `protocol` action, if there is one.
        operation: What the writer says that it did, such as `WRITE` or `RESTORE`.
    """

    added: dict[str, int] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    metadata: dict[str, Any] | None = None
    protocol: dict[str, Any] | None = None
    operation: str = ""


class BrokenFile(ValueError):
    """A commit or a checkpoint is not whole; the message says in what way, as the end of a sentence."""


def read_commit(path: Path) -> Actions:
    """Read a commit file.

    Raises:
        BrokenFile: it is empty, cut off, or holds something else.
    """
    text = path.read_bytes()
    if not text.strip():
        raise BrokenFile(EMPTY)
    try:
        lines = [orjson.loads(line) for line in text.splitlines() if line.strip()]
    except orjson.JSONDecodeError:
        raise BrokenFile("is cut off or is no JSON") from None
    if not all(isinstance(line, dict) and line.keys() <= _ACTIONS for line in lines):
        raise BrokenFile("holds something else than the actions of a commit")
    actions = _collected(lines)
    if path.name == _FIRST and (actions.metadata is None or actions.protocol is None):
        raise BrokenFile("does not say what table it is of")
    for told, found in _told_counts(lines, actions):
        if told != found:
            raise BrokenFile(f"is cut off: it is to name {told} files and names {found}")
    return actions


def read_checkpoint(path: Path) -> Actions:
    """Read a checkpoint, which is all that a table is made of at a version.

    Raises:
        BrokenFile: it cannot be read, or is none.
    """
    try:
        columns = [name for name in pq.read_schema(path).names if name in {"add", "metaData", "protocol"}]
        rows = pq.read_table(path, columns=columns).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise BrokenFile(f"cannot be read ({error})") from None
    actions = _collected({name: value for name, value in row.items() if value is not None} for row in rows)
    if actions.metadata is None or actions.protocol is None:
        raise BrokenFile("does not say what table it is of")
    return actions


def _collected(lines: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Actions:
    actions = Actions()
    for line in lines:
        for kind, body in line.items():
            match kind:
                case "add":
                    actions.added[unquote(body["path"])] = body["size"]
                case "remove":
                    actions.removed.add(unquote(body["path"]))
                case "metaData":
                    actions.metadata = body
                case "protocol":
                    actions.protocol = body
                case "commitInfo":
                    actions.operation = body.get("operation", "")
    return actions


def _told_counts(lines: list[dict[str, Any]], actions: Actions) -> Iterator[tuple[int, int]]:
    """How many files were added and removed as delta-rs counted them, each with how many the commit names."""
    info: dict[str, Any] = next((line["commitInfo"] for line in lines if "commitInfo" in line), {})
    counted = info.get("operationMetrics") or {}
    if str(info.get("engineInfo", "")).startswith("delta-rs") and actions.operation in _ADDED_COUNTS:
        for names, found in ((_ADDED_COUNTS, actions.added), (_REMOVED_COUNTS, actions.removed)):
            yield counted.get(names[actions.operation], len(found)), len(found)
