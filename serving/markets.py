"""The markets that a question may be about."""

from __future__ import annotations

from collections.abc import Iterable

from serving.names import names


def check_known(markets: Iterable[tuple[str, str]], venue: str | None, symbol: str | None) -> None:
    """See that the venues and symbols, where they are asked for, are among some (venue, symbol).

    Args:
        markets: those that are known.
        venue: names in canonical form (`serving.names`), or None.
        symbol: likewise.

    Raises:
        UnknownName: one is not; the message names some that are.
    """
    known = set(markets)
    for place, (kind, asked) in enumerate((("venue", venue), ("symbol", symbol))):
        if asked is not None:
            names(asked).check(kind, {market[place] for market in known})
