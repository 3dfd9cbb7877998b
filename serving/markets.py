"""The markets that there are, and those that a question may be about."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from serving.names import names
from serving.seam import Pair
from twofold.errors import AmbiguousSymbol, UnknownName
from twofold.ledger import MARKET, Market
from twofold.view import View

_SHOWN = 50


def known_markets(view: View, pair: Pair) -> set[Market]:
    """Venue and symbol of every market that either side of a pair has."""
    markets = set(pair.batch.partials[view.name].markets)
    return markets | set(pair.speed.partials(view.name).select(MARKET).unique().rows()) if pair.speed else markets


def the_market(symbol: str, venue: str | None, markets: Iterable[Market]) -> Market:
    """The one market among some that has a symbol, at a venue if one is named.

    Raises:
        UnknownName: there is none; the message names some that are.
        AmbiguousSymbol: several venues have the symbol, and none was named; the message names them.
    """
    known = set(markets)
    at = sorted(its_venue for its_venue, its_symbol in known if its_symbol == symbol and venue in (None, its_venue))
    if not at:
        here = {its_symbol for its_venue, its_symbol in known if venue in (None, its_venue)}
        if venue is not None and not here:
            raise UnknownName("venue", venue[:_SHOWN], {its_venue for its_venue, _ in known})
        kind = "symbol" if venue is None else f"symbol at venue {venue!r}"
        raise UnknownName(kind, symbol[:_SHOWN], sorted(here)[:_SHOWN])
    if len(at) > 1:
        raise AmbiguousSymbol(symbol, at)
    return at[0], symbol


def windows_us(view: View, market: Market, pair: Pair) -> tuple[int, int]:
    """Where the first and the newest window of a market start, at the view's grain, UTC microseconds."""
    partials, starts = pair.batch.partials[view.name], []
    if market in partials.markets:
        begin, count = partials.markets[market]
        starts += [partials.frame["window_start"].to_physical()[place] for place in (begin, begin + count - 1)]
    if pair.speed:
        is_its = (pl.col("venue") == market[0]) & (pl.col("symbol") == market[1])
        starts += pair.speed.partials(view.name).filter(is_its)["window_start"].to_physical().to_list()
    return min(starts), max(starts)


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
