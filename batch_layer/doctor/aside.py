"""Moving aside: what stands in the way goes to a folder of the lake of its own, and is never deleted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

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
        target = folder / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        for changed in (*_folders(target.parent, root), path.parent):
            _sync(changed)
    return folder


def _folders(folder: Path, root: Path) -> list[Path]:
    return [each for each in (folder, *folder.parents) if each == root or root in each.parents]


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
