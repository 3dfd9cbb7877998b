"""Exact numbers: price, size and their product as decimals, or a reason why not. Nothing is rounded."""

from __future__ import annotations

import re
from decimal import Decimal

import polars as pl

from twofold.decoding.dead_letter import Reason, Refusal, shorten
from twofold.decoding.trade import TRADE_SCHEMA

PLACES = 8
INTEGER_DIGITS = 10
NOTIONAL_LIMIT = Decimal(10) ** 12
"""Notional from here up is refused: Decimal(38, 16) holds a sum of ten billion that are just below it."""

PLAIN = rf"^[0-9]{{1,{INTEGER_DIGITS}}}(\.[0-9]{{1,{PLACES}}})?$"
"""How a price or a size is written. Polars' own cast takes more than that, and rounds."""

RULES = f"""\
Price and size are text that matches {PLAIN}, above zero, or the same as an unquoted number which is equal to the
shortest decimal that its float64 is written as. Notional is price times size, exactly, and below {NOTIONAL_LIMIT}.
"""

_DIGITS = re.compile(r"([0-9]+)(?:\.([0-9]+))?")


def is_bent(text: str) -> bool:
    """Whether a JSON number, read as a float64 and written again, is another number than the text says.

    A number with an exponent is not plain in any case, and is not judged here.
    """
    return _DIGITS.fullmatch(text.removeprefix("-")) is not None and Decimal(repr(float(text))) != Decimal(text)


def to_decimals(texts: pl.Series) -> pl.Series:
    """Cast texts to the type of price and size; what `PLAIN` does not match is worth nothing here, or null."""
    return texts.cast(TRADE_SCHEMA["price"], strict=False)


def notional_of(price: pl.Series, size: pl.Series) -> pl.Series:
    """Multiply prices with sizes: at most 20 digits before the point and 16 after it, so that nothing is lost."""
    return price.cast(TRADE_SCHEMA["notional"]) * size


def is_exact(text: str, decimal: str) -> pl.Expr:
    """The rows whose column `text` is written plainly and whose column `decimal`, made from it, is above zero."""
    return pl.col(text).str.contains(PLAIN) & (pl.col(decimal) > 0)


def number_refusal(name: str, text: str) -> Refusal:
    """Say why a text that is not exact is refused."""
    shown = f"The {name} {shorten(text)}"
    unsigned = _DIGITS.fullmatch(text.removeprefix("-"))
    if unsigned is None:
        return Refusal(Reason.NOT_PLAIN, f"{shown} is not a number in plain decimal digits, such as 61837.63.")
    whole, places = unsigned.group(1), unsigned.group(2) or ""
    if text.startswith("-"):
        return Refusal(Reason.NOT_POSITIVE, f"{shown} is negative.")
    if len(whole) > INTEGER_DIGITS:
        detail = f"{shown} has {len(whole)} digits before the point; at most {INTEGER_DIGITS} fit."
        return Refusal(Reason.TOO_MANY_DIGITS, detail)
    if len(places) > PLACES:
        detail = f"{shown} has {len(places)} decimal places; at most {PLACES} fit, and nothing is rounded."
        return Refusal(Reason.TOO_MANY_PLACES, detail)
    return Refusal(Reason.NOT_POSITIVE, f"{shown} is zero.")


def notional_refusal(price: str, size: str, notional: Decimal) -> Refusal:
    """Say why a notional is refused."""
    detail = f"The price {price} times the size {size} is {notional:f}; it must be below {NOTIONAL_LIMIT:,}."
    return Refusal(Reason.NOTIONAL_TOO_LARGE, detail)
