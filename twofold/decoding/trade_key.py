"""Trade keys: ids that are text, and the numbers that stand for them wherever trades are told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from xxhash import xxh3_64_intdigest

LONGEST_KEY = 128

RULES = f"""\
The trade id of an opaque source is text of 1 to {LONGEST_KEY} characters, its key. Its number is XXH3-64 of the key in
UTF-8, seed 0, as a signed number of 64 bits with the sign bit set; so it is below 0.
"""

_SIGN = 1 << 63


def numbers_of(keys: Sequence[str]) -> pl.Series:
    """The numbers that stand for keys (Int64), from -2^63 to -1.

    The same for the same key, everywhere and for ever: 63 bits of XXH3 (github.com/Cyan4973/xxHash). Other ids are
    never below 0, so that a number says by itself that it is made of a key.
    """
    hashes = np.array([xxh3_64_intdigest(key.encode()) for key in keys], dtype=np.uint64)
    return pl.Series("trade_id", (hashes | np.uint64(_SIGN)).view(np.int64), dtype=pl.Int64)


def number_of(key: str) -> int:
    """The number that stands for one key: the same as `numbers_of` gives."""
    return (xxh3_64_intdigest(key.encode()) | _SIGN) - 2 * _SIGN
