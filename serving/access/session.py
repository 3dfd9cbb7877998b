"""Sessions of browsers: a cookie in place of a key, since streams that a page opens can set no header.

The cookie is the key's id, signed and with the time. It is of no use to other pages (SameSite) and cannot be read by
scripts (HttpOnly); it ends after half a day, and at once with its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie

from itsdangerous import BadData, URLSafeTimedSerializer

COOKIE = "twofold_session"
LASTS_S = 12 * 60 * 60


class Sessions:
    """Makes the cookies' values and reads them.

    Args:
        secrets: the first signs, and all of them verify.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._serializer = URLSafeTimedSerializer(
            list(reversed(secrets)),  # itsdangerous signs with the last one
            salt="twofold session",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def begin(self, key_id: str) -> str:
        """The value of the cookie of a key."""
        return self._serializer.dumps(key_id)

    def key_id(self, cookies: str) -> str:
        """The id of the key that a header Cookie is of; empty where it is of none, or its time is over."""
        try:
            jar: SimpleCookie = SimpleCookie(cookies)
            told = self._serializer.loads(jar[COOKIE].value, max_age=LASTS_S)
        except (BadData, CookieError, KeyError):
            return ""
        return told if isinstance(told, str) else ""
