"""A serving API that needs keys, for tests: the file of them, and the policy over it."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from serving.access.keys import KeyFile
from serving.access.known import KnownKeys
from serving.access.policy import Policy
from serving.access.session import Sessions

SIGNED_WITH = "what sessions are signed with in tests, long enough"


def key_file(folder: Path) -> KeyFile:
    return KeyFile(folder / "api-keys.json")


def keyed(folder: Path, **more: Any) -> Policy:  # noqa: ANN401  # as the policy has them
    """A policy that needs keys of a file in a folder, and looks at it each time."""
    looks = count()
    known = KnownKeys(key_file(folder), must=True, now_s=lambda: float(next(looks)))
    return Policy(keys=known, sessions=Sessions([SIGNED_WITH]), **more)


def bearing(key: str) -> dict[str, str]:
    """The header that sends a key."""
    return {"Authorization": f"Bearer {key}"}
