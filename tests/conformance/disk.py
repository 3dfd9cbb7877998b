"""The lake's disk: a small one in memory where the kit may mount, which can be filled up and be given room again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SIZE_BYTES = 64 * 1024**2
_PAGE_BYTES = 4_096
_OWN_MOUNTS = "CONFORMANCE_OWN_MOUNTS"


def with_own_mounts() -> None:
    """Go on as a process whose mounts nobody else sees and that go with it; where that is not permitted, as it is."""
    unshare = shutil.which("unshare")
    if unshare is None or _OWN_MOUNTS in os.environ:
        return
    command = [unshare, "--mount", "--propagation", "private"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
        os.environ[_OWN_MOUNTS] = "1"
        os.execv(unshare, [*command, sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # this process, once more


class Disk:
    """A folder on a disk of its own, if there may be one.

    Attributes:
        is_own: whether it is; otherwise it is a folder like any other.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.is_own = _OWN_MOUNTS in os.environ and _mount(folder)
        self._ballast = folder / ".ballast"

    def fill(self, room_bytes: int) -> None:
        """Leave only so much room, in whole pages."""
        found = os.statvfs(self.folder)
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(_PAGE_BYTES, found.f_bavail * found.f_frsize - room_bytes))

    def empty(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def close(self, kept: Path | None) -> None:
        """Let go of it; what is on it is copied to `kept`, if that is wanted."""
        if not self.is_own:
            return
        self.empty()
        if kept is not None:
            shutil.copytree(self.folder, kept)
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


def _mount(folder: Path) -> bool:
    options = f"size={SIZE_BYTES}"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    return made.returncode == 0
