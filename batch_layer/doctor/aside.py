"""Moving aside: what stands in the way goes to a folder of the lake of its own, and is never deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

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
        target = folder / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        sync([*folders_to([target], root), path.parent])
    return folder
