"""The keys that serving knows: those of their file, read again soon after it was changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from serving.access.keys import ApiKey, KeyFile, id_of
from twofold.clock import Clock, utc_now
from twofold.errors import SettingsError

LOOK_EVERY_S = 1.0
"""How long a key that was revoked may still be taken, in seconds."""

_Stamp = tuple[int, int, int] | None
"""Of a state of a file: inode, size and time of change; None where there is none."""

log = logging.getLogger(__name__)


class KnownKeys:
    """The keys that are taken at this moment. Where their file becomes unreadable none are, and the log says why.

    Args:
        file: where they are kept.
        must: whether keys are needed even where there is no file. Once there was one they stay needed.
        clock: tells the time.
        now_s: a clock in seconds that never goes back.

    Raises:
        SettingsError: the file cannot be read at the start.
    """

    def __init__(
        self, file: KeyFile, *, must: bool, clock: Clock = utc_now, now_s: Callable[[], float] = monotonic
    ) -> None:
        self._file = file
        self._clock = clock
        self._now_s = now_s
        self._stamp = self._look()
        self._keys = {key.id: key for key in file.read()}
        self._looked_s = now_s()
        self._needed = must or self._stamp is not None

    @property
    def needed(self) -> bool:
        """Whether one needs a key."""
        self._follow()
        return self._needed

    @property
    def any_valid(self) -> bool:
        """Whether there is a key that is taken."""
        return any(key.is_valid(self._clock()) for key in self._keys.values())

    def find(self, text: str) -> ApiKey | None:
        """The key that a text is; None if it is none that is taken."""
        key = self.of_id(id_of(text))
        return key if key is not None and key.fits(text) else None

    def of_id(self, key_id: str) -> ApiKey | None:
        """The key of an id; None if it is not taken any more."""
        self._follow()
        key = self._keys.get(key_id)
        return key if key is not None and key.is_valid(self._clock()) else None

    def _follow(self) -> None:
        if self._now_s() - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = self._now_s()
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp, self._needed = stamp, self._needed or stamp is not None
        try:
            self._keys = {key.id: key for key in self._file.read()}
        except SettingsError as error:
            self._keys = {}
            log.error("No key is taken any more. %s", error)  # noqa: TRY400  # the message says all

    def _look(self) -> _Stamp:
        try:
            told = self._file.file.stat()
        except OSError:
            return None
        return told.st_ino, told.st_size, told.st_mtime_ns
