"""Trade keys: ids that are text, and the numbers that stand for them wherever trades are told apart."""

from __future__ import annotations

from hashlib import blake2b

LONGEST_KEY = 128

RULES = f"""\
The trade id of an opaque source is text of 1 to {LONGEST_KEY} characters, its key. Its number is the 8 bytes of
BLAKE2b-64 of the key in UTF-8, read as a signed big-endian number, with the sign bit set; so it is below 0.
"""

_SIGN = 1 << 63


def number_of(key: str) -> int:
    """The number that stands for a key, from -2^63 to -1.

    The same for the same key, everywhere and for ever: 63 bits of BLAKE2b (RFC 7693). Other ids are never below 0, so
    that a number says by itself that it is made of a key.
    """
    digest = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")
    return (digest | _SIGN) - 2 * _SIGN
