"""Moving aside: what stands in the way goes to a folder of the lake of its own, and is never deleted.

Where a commit stood, a commit that does nothing is put in its place, so that its version is never used again: another
content under the version, or the publication's number, that a reader has seen would be taken for what it has.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import orjson

from twofold.durability import folders_to, sync

FOLDER = ".doctor"
"""Where in the lake's root everything is that was moved aside: by time (UTC), then as it stood in the lake."""


def move_aside(root: Path, paths: Sequence[Path], now: datetime) -> Path:
    """Move files aside, in the order given, and return the folder that they are in now.

    The first move is on the disk before the next is made, so that whatever ends this leaves no hole behind.

    Raises:
        OSError: a file cannot be moved.
    """
    folder = root / FOLDER / f"{now:%Y%m%dT%H%M%S.%fZ}"
    for path in paths:
        target = _place(path, root, folder)
        path.rename(target)
        sync([*folders_to([target], root), path.parent])
    return folder


def put_in_place(root: Path, commits: Sequence[Path], now: datetime) -> Path:
    """Put a commit that does nothing in the place of others, and return the folder that these are in now.

    Raises:
        OSError: a file cannot be moved or written.
    """
    folder = root / FOLDER / f"{now:%Y%m%dT%H%M%S.%fZ}"
    nothing = {
        "commitInfo": {"timestamp": round(now.timestamp() * 1000), "operation": "WRITE", "engineInfo": "twofold"}
    }
    for commit in commits:
        if commit.exists():
            target = _place(commit, root, folder)
            os.link(commit, target)
            sync(folders_to([target], root))
        unfinished = commit.with_suffix(".unfinished")
        unfinished.write_bytes(orjson.dumps(nothing) + b"\n")
        sync([unfinished])
        unfinished.rename(commit)
        sync([commit.parent])
    return folder


def _place(path: Path, root: Path, folder: Path) -> Path:
    target = folder / path.relative_to(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
