"""A lock on a folder: held by one process, and let go by the system however that process ends."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO


def lock_folder(folder: Path) -> IO[bytes] | None:
    """Lock a folder by a file in it. Returns the file, which holds the lock until closed, or None: it is held."""
    file = (folder / "lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
