"""The decoder's meaning in words, and the hash that stands for it in publications and receipts."""

from __future__ import annotations

from hashlib import sha256

from twofold.decoding import binance, canonical, exact, framing, origin, plausible, trade_key

RULES = "".join(part.RULES for part in (framing, origin, canonical, trade_key, binance, exact, plausible))
"""All that decides whether a record becomes a trade, and which. Who changes what the code does changes this text."""


def hash_of(rules: str) -> str:
    """Hash a text of rules: SHA-256 in hexadecimal."""
    return sha256(rules.encode()).hexdigest()


DECODER_HASH = hash_of(RULES)
"""Two decoders of one hash make the same trades of the same records."""
