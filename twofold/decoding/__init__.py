"""Decoding: from records of the event log to typed trades and dead letters, exactly or not at all."""

from twofold.decoding.dead_letter import DEAD_LETTER_SCHEMA, Reason
from twofold.decoding.decoder import Decoded, decode
from twofold.decoding.rules import DECODER_HASH
from twofold.decoding.trade import TRADE_SCHEMA

__all__ = ["DEAD_LETTER_SCHEMA", "DECODER_HASH", "TRADE_SCHEMA", "Decoded", "Reason", "decode"]
