"""API keys: a file of their hashes, and how they are made, rotated and revoked.

A key is `tf_<id>_<secret>`, the secret 256 random bits. Only its SHA-256 is kept: nothing that random can be guessed
from a quick hash, and a slow one would be paid with each request.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkstemp

import msgspec

from serving.access.scopes import Scope
from twofold.clock import Clock, utc_now
from twofold.errors import SettingsError, UnknownName

_ID_BYTES, _SECRET_BYTES = 4, 32
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class ApiKey(msgspec.Struct, frozen=True):
    """A key as it is kept, which nobody can use.

    Attributes:
        id: Stands in the key itself, so that it is found at once.
        name: Whose it is; a key and the one that it was rotated from share it.
        sha256: Of the whole key, in hexadecimal.
        scopes: What it allows.
        created_at: When it was made, UTC.
        expires_at: From when on it is not taken any more; None: for good.
    """

    id: str
    name: str
    sha256: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or now < self.expires_at

    def fits(self, text: str) -> bool:
        """Whether a text is this key, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(_sha256(text), self.sha256)


def id_of(text: str) -> str:
    """The id in a key; empty where the text is none."""
    parts = text.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "tf" else ""  # noqa: PLR2004  # prefix, id, secret


class KeyFile:
    """The file of the keys, which its owner alone may change. Several processes may change it at once.

    Args:
        file: its place; a file beside it, named `.lock` at the end, keeps turns.
        clock: tells the time.
    """

    def __init__(self, file: Path, clock: Clock = utc_now) -> None:
        self.file = file
        self._clock = clock

    def read(self) -> list[ApiKey]:
        """All keys, expired ones too; none without the file.

        Raises:
            SettingsError: it cannot be read, is no file of keys, or others may change it.
        """
        try:
            with self.file.open("rb") as opened:
                mode, text = os.fstat(opened.fileno()).st_mode, opened.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SettingsError(
                f"The API keys cannot be read from {self.file} ({type(error).__name__}). Make it readable for whoever "
                "runs serving, or name another file by TWOFOLD_API_KEYS."
            ) from None
        if mode & _WRITABLE_BY_OTHERS:
            raise SettingsError(
                f"Others than its owner may write {self.file}, and so make keys for themselves. Take that right away: "
                f"`chmod go-w {self.file}`; and look at its keys: `twofold keys list`."
            )
        try:
            return msgspec.json.decode(text, type=list[ApiKey])
        except msgspec.MsgspecError:
            raise SettingsError(
                f"{self.file} holds no list of API keys. Bring it back from a copy; or move it away and make new keys "
                "by `twofold keys create`."
            ) from None

    def create(self, name: str, scopes: Sequence[Scope]) -> str:
        """Make a key and give it, which nobody can do again.

        Raises:
            SettingsError: there is a key of that name, or the file cannot be read or written.
        """
        with self._changing() as keys:
            if any(key.name == name for key in keys):
                raise SettingsError(
                    f"There is a key {name!r} already. Give the new one another name, or replace that one: "
                    f"`twofold keys rotate {name}`."
                )
            return self._add(keys, name, scopes)

    def rotate(self, name: str, overlap: timedelta) -> str:
        """Make a key in place of another of the same name and scopes, which stays valid for the overlap.

        Raises:
            UnknownName: there is none of that name.
            SettingsError: the file cannot be read or written.
        """
        with self._changing() as keys:
            old = [key for key in keys if key.name == name]
            _check_known(name, old, keys)
            ends_at = self._clock() + overlap
            keys[:] = [_ending(key, ends_at) if key in old else key for key in keys]
            return self._add(keys, name, old[-1].scopes)

    def revoke(self, name: str) -> int:
        """Take away all keys of a name; gives how many they were.

        Raises:
            UnknownName: there is none of that name.
            SettingsError: the file cannot be read or written.
        """
        with self._changing() as keys:
            found = [key for key in keys if key.name == name]
            _check_known(name, found, keys)
            keys[:] = [key for key in keys if key.name != name]
            return len(found)

    def _add(self, keys: list[ApiKey], name: str, scopes: Sequence[Scope]) -> str:
        taken = {key.id for key in keys}
        key_id = next(each for each in iter(lambda: secrets.token_hex(_ID_BYTES), "") if each not in taken)
        text = f"tf_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        keys.append(ApiKey(key_id, name, _sha256(text), list(scopes), self._clock()))
        return text

    @contextmanager
    def _changing(self) -> Iterator[list[ApiKey]]:
        """The keys that have not expired, for change; written when that went well."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.with_name(f"{self.file.name}.lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                keys = [key for key in self.read() if key.is_valid(self._clock())]
                yield keys
                self._write(keys)
        except OSError as error:
            raise SettingsError(
                f"The API keys in {self.file} cannot be changed ({type(error).__name__}). Do it as whoever owns the "
                "file, or name another by TWOFOLD_API_KEYS."
            ) from None

    def _write(self, keys: list[ApiKey]) -> None:
        handle, made = mkstemp(dir=self.file.parent, prefix=f".{self.file.name}-")  # readable for its owner alone
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(msgspec.json.format(msgspec.json.encode(keys)))
                opened.flush()
                os.fsync(opened.fileno())
            Path(made).replace(self.file)
        except BaseException:
            Path(made).unlink()
            raise


def _check_known(name: str, found: Sequence[ApiKey], keys: Sequence[ApiKey]) -> None:
    if not found:
        raise UnknownName("key", name, {key.name for key in keys})


def _ending(key: ApiKey, ends_at: datetime) -> ApiKey:
    """The key, valid until then at most."""
    until = ends_at if key.expires_at is None else min(ends_at, key.expires_at)
    return msgspec.structs.replace(key, expires_at=until)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
