"""The keys that receipts are signed with: a file, one key a line."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from tempfile import mkstemp

from twofold.errors import SettingsError

LEAST_LETTERS = 32
_NEW_BYTES = 32


def load_keys(file: Path) -> list[str]:
    """The keys of a file, the one that signs first; empty lines and lines that begin with `#` are passed over.

    Without the file it is made, with one new key, for its owner alone. Several processes may do so at once: all of them
    then have the key of the one that was first.

    Raises:
        SettingsError: the file cannot be read or made, or what it holds is too short to be a key.
    """
    try:
        if not file.exists():
            _make(file)
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The keys of receipts cannot be read from {file} ({type(error).__name__}). Make it readable for whoever "
            "runs serving, or name another file by TWOFOLD_RECEIPT_KEYS."
        ) from None
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys or min(map(len, keys)) < LEAST_LETTERS:
        raise SettingsError(
            f"{file} must hold at least one key, each a line of {LEAST_LETTERS} letters or more. Remove the file to "
            "have one made; receipts that older keys signed are then not known any more."
        )
    return keys


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = mkstemp(dir=file.parent, prefix=f".{file.name}-")  # readable for its owner alone
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as made:
            made.write(f"{secrets.token_urlsafe(_NEW_BYTES)}\n")
            made.flush()
            os.fsync(made.fileno())
        try:
            os.link(name, file)  # unlike a renaming, this never takes the place of another's
        except FileExistsError:
            return
    finally:
        Path(name).unlink()
