"""The markets that a question may be about."""

from __future__ import annotations

from collections.abc import Iterable

from twofold.errors import UnknownName

_SHOWN_NAMES = 50


def check_known(markets: Iterable[tuple[str, str]], venue: str | None, symbol: str | None) -> None:
    """See that a venue and a symbol, where they are asked for, are among some (venue, symbol).

    Raises:
        UnknownName: one is not; the message names some that are.
    """
    known = set(markets)
    for place, (kind, name) in enumerate((("venue", venue), ("symbol", symbol))):
        names = sorted({market[place] for market in known})
        if name is not None and name not in names:
            raise UnknownName(kind, name, names[:_SHOWN_NAMES])
