"""The making of an end of day: from a publication, a day and positions to figures."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from batch_layer.end_of_day.day_bars import DAY_US, DayBars
from batch_layer.end_of_day.figures import Figure, Origin, table_of
from batch_layer.end_of_day.positions import Position
from batch_layer.end_of_day.risk import (
    CONFIDENCES,
    LEAST_RETURNS,
    historical_losses,
    seed_of,
    simulated_losses,
    tail_risk,
)
from batch_layer.end_of_day.stress import SHOCKS, profit
from batch_layer.end_of_day.volatility import DAYS_A_YEAR, realised
from twofold.clock import to_epoch_us
from twofold.errors import GivenUp, NothingTraded, UnknownName
from twofold.gaps import GAP_SCHEMA, OpenHoles
from twofold.lake import Lake
from twofold.ledger import Market
from twofold.publication import Publication, Publications
from twofold.tables import GAPS
from twofold.view import View
from twofold.views.bars import bars
from twofold.watermark import watermarks_us

PART = timedelta(minutes=5)
"""The length of the parts of a day that volatility is estimated from."""

LOOKBACK_DAYS = 250
"""Days of returns that risk is estimated from at most."""

_BAR_UNITS = {name: described.unit for name, described in bars.described.items()}


class Asked(NamedTuple):
    """What an end of day is made for.

    Attributes:
        day: In UTC.
        symbols: Those that are looked at; None for all that were traded. What is held is always looked at.
        positions: What is held.
        lookback_days: How many days of returns risk is estimated from at most.
    """

    day: date
    symbols: tuple[str, ...] | None = None
    positions: tuple[Position, ...] = ()
    lookback_days: int = LOOKBACK_DAYS

    @property
    def run(self) -> str:
        """A hash of all of it but the day."""
        held = [[*market, str(quantity.normalize())] for market, quantity in self.positions]
        symbols = None if self.symbols is None else sorted(set(self.symbols))
        return hashlib.sha256(orjson.dumps([symbols, held, self.lookback_days])).hexdigest()[:16]


@dataclass(frozen=True)
class EndOfDay:
    """The figures of a day, and what plots need beside them.

    Attributes:
        origin: What they were made of.
        table: The figures (`END_OF_DAY`).
        parts: Bars of the parts of the day.
        losses: What the positions would have lost, by method; empty where there is too little history.
    """

    origin: Origin
    table: pl.DataFrame
    parts: pl.DataFrame
    losses: dict[str, npt.NDArray[np.float64]]


def make_end_of_day(lake: Lake, asked: Asked, sequence: int | None = None) -> EndOfDay:
    """Make the figures of a day from one publication; the same ones each time.

    Args:
        lake: where it is.
        asked: for what.
        sequence: of the publication; None for the newest.

    Raises:
        UnknownName: there is no such publication, or no trade on that day of what is held.
        NothingTraded: there is no trade on that day at all.
        GivenUp: nothing can be made of that publication any more, or its table versions are not kept any more.
        DeclarationError: the publication's bars lack what days are made of.
        ArithmeticOverflow: an amount does not fit its type.
        LakeUnreachable: the lake cannot be read.
    """
    publications = Publications(lake)
    publication = publications.newest() if sequence is None else publications.at(sequence)
    if publication.sequence and publication.sequence <= publications.newest().released:
        raise GivenUp(
            f"The table versions of publication {publication.sequence} are not kept any more (TWOFOLD_RETENTION_S), so "
            "that no day is made of it. Make it of a later publication."
        )
    found = DayBars(lake, publication, _looked_at(asked))
    whole = found.of(asked.day, timedelta(days=1))
    if whole.is_empty():
        raise NothingTraded(publication.sequence, asked.day, {*found.days[:1], *found.days[-1:]})
    markets = list(whole.select("venue", "symbol").iter_rows())
    for market, _ in asked.positions:
        if market not in markets:
            raise UnknownName(f"trade on {asked.day} of", " ".join(market), [" ".join(each) for each in markets])
    parts = found.of(asked.day, PART)
    losses = _losses(found, publication, asked, whole) if asked.positions else {}
    figures = [*_bar_figures(whole), *_volatilities(parts)]
    figures += _risk_figures(_values(asked.positions, whole), losses) if asked.positions else []
    origin = Origin(publication, asked.day, asked.run)
    finality = _finality(lake, found.view, publication, asked.day, markets)
    return EndOfDay(origin, table_of(figures, origin, finality), parts, losses)


def _looked_at(asked: Asked) -> Collection[str] | None:
    return None if asked.symbols is None else {*asked.symbols, *(symbol for (_, symbol), _ in asked.positions)}


def _bar_figures(whole: pl.DataFrame) -> Iterator[Figure]:
    for row in whole.iter_rows(named=True):
        for name, unit in _BAR_UNITS.items():
            yield Figure(name, unit, row[name], (row["venue"], row["symbol"]))


def _volatilities(parts: pl.DataFrame) -> Iterator[Figure]:
    for (venue, symbol), of_one in parts.group_by("venue", "symbol", maintain_order=True):
        found = realised(of_one)
        for name, value in vars(found).items():
            market = (str(venue), str(symbol))
            yield Figure(f"volatility {name.replace('_', '-')}", "of the day's log return", value, market)
            yearly = value * math.sqrt(DAYS_A_YEAR)
            yield Figure(f"volatility {name.replace('_', '-')}, yearly", "of a year's log return", yearly, market)


def _values(positions: Sequence[Position], whole: pl.DataFrame) -> dict[Market, Decimal]:
    """What each position is worth at the close; exact, since both factors have eight places."""
    closes = {(venue, symbol): close for venue, symbol, close in whole.select("venue", "symbol", "close").iter_rows()}
    with localcontext(prec=60):
        return {market: quantity * closes[market] for market, quantity in positions}


def _risk_figures(values: dict[Market, Decimal], losses: dict[str, npt.NDArray[np.float64]]) -> Iterator[Figure]:
    unit = "quote currency"
    for market, value in values.items():
        yield Figure("value", unit, value, market)
    yield Figure("value", unit, profit(values.values(), Decimal(1)))
    for method in ("historical", "Monte Carlo"):
        for confidence in CONFIDENCES:
            risk = tail_risk(losses[method], confidence) if losses else None
            level = f"{method} {confidence:.0%}"
            yield Figure(f"value at risk, {level}", unit, risk and risk.value_at_risk)
            yield Figure(f"expected shortfall, {level}", unit, risk and risk.expected_shortfall)
    for name, shock in SHOCKS.items():
        yield Figure(f"stress: {name}", unit, profit(values.values(), shock))


def _losses(
    found: DayBars, publication: Publication, asked: Asked, whole: pl.DataFrame
) -> dict[str, npt.NDArray[np.float64]]:
    """Losses of what is held, by method; none where too few days have returns of all of it."""
    values = _values(asked.positions, whole)
    returns = _returns(found.closes(asked.day, asked.lookback_days + 1), list(values))
    if len(returns) < LEAST_RETURNS:
        return {}
    money = np.array([float(value) for value in values.values()])
    simulated = simulated_losses(money, returns, seed_of(publication, asked.day))
    return {"historical": historical_losses(money, returns), "Monte Carlo": simulated}


def _returns(closes: pl.DataFrame, markets: Sequence[Market]) -> npt.NDArray[np.float64]:
    """Daily log returns, a row for each day that all of the markets have one of, in the order of the days."""
    by_market = {market: _log_closes(closes, market) for market in markets}
    first = by_market[markets[0]]
    days = [day for day in sorted(first) if all(_has_return(known, day) for known in by_market.values())]
    before = timedelta(days=1)
    return np.array([[by_market[market][day] - by_market[market][day - before] for market in markets] for day in days])


def _log_closes(closes: pl.DataFrame, market: Market) -> dict[date, float]:
    rows = closes.filter((pl.col("venue") == market[0]) & (pl.col("symbol") == market[1])).select("day", "close")
    return {day: math.log(close) for day, close in rows.iter_rows()}


def _has_return(known: dict[date, float], day: date) -> bool:
    return day in known and day - timedelta(days=1) in known


def _finality(
    lake: Lake, view: View, publication: Publication, day: date, markets: Sequence[Market]
) -> dict[Market, str]:
    start_us = to_epoch_us(datetime(day.year, day.month, day.day, tzinfo=UTC))
    end_us = start_us + DAY_US
    marks_us = watermarks_us(publication.witnesses)
    version = publication.tables.get(GAPS.name)
    files = [] if version is None else lake.files(GAPS.name, version)
    holes = OpenHoles(lake.read_files(GAPS.name, files, GAP_SCHEMA.names()) if files else GAP_SCHEMA.to_frame())

    def is_closed(market: Market) -> bool:
        is_over = marks_us.get(market[0], start_us) >= end_us + view.lateness_us
        return is_over and not holes.may_fall_into(market, start_us, end_us)

    return {market: "closed" if is_closed(market) else "provisional" for market in markets}
