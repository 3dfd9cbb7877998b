"""Plots of an end of day. They are made of the figures alone, and the same figures give the same plots."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from batch_layer.end_of_day.making import PART, EndOfDay
from batch_layer.end_of_day.risk import CONFIDENCES
from batch_layer.end_of_day.stress import SHOCKS

MARKETS = 12
"""Markets whose prices are plotted: those with the greatest notional."""

_WIDTH, _HEIGHT = 9.0, 3.2
_BINS = 60


def plots(made: EndOfDay) -> Iterator[tuple[str, Figure]]:
    """Each plot with its title: prices and volumes of the largest markets, losses, stress."""
    for venue, symbol in _largest(made.table):
        yield f"{symbol} on {venue}", _prices(made.parts, venue, symbol)
    for method, losses in made.losses.items():
        figure, axes = _empty(f"{method} losses over one day, quote currency", "days or scenarios")
        axes.hist(losses, bins=_BINS, color="tab:blue")
        for confidence in CONFIDENCES:
            name = f"value at risk, {method} {confidence:.0%}"
            axes.axvline(float(_of_all(made.table, name, "statistic")), color="tab:red", linewidth=1)
        yield f"Losses, {method}; red: value at risk at {' and '.join(f'{each:.0%}' for each in CONFIDENCES)}", figure
    if not made.table.filter(pl.col("figure") == "value").is_empty():
        figure, axes = _empty("", "profit, quote currency")
        profits = [float(_of_all(made.table, f"stress: {name}", "amount")) for name in SHOCKS]
        axes.bar([name.removeprefix("all prices ") for name in SHOCKS], profits, color="tab:blue")
        yield "Stress: all prices move at once", figure


def _largest(table: pl.DataFrame) -> list[tuple[str, str]]:
    notionals = table.filter(pl.col("figure") == "notional").sort("amount", descending=True, maintain_order=True)
    return list(notionals.select("venue", "symbol").head(MARKETS).iter_rows())


def _of_all(table: pl.DataFrame, figure: str, column: str) -> float:
    """A figure of all positions together."""
    found = table.filter((pl.col("figure") == figure) & (pl.col("symbol") == ""))
    return float(found[column].item())


def _prices(parts: pl.DataFrame, venue: str, symbol: str) -> Figure:
    rows = parts.filter((pl.col("venue") == venue) & (pl.col("symbol") == symbol))
    times, close, volume = rows["window_start"].to_list(), rows["close"].cast(float), rows["volume"].cast(float)
    figure, axes = _empty("UTC", "close")
    axes.plot(times, close.to_list(), color="tab:blue", marker="." if rows.height == 1 else "")
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    beside = axes.twinx()
    beside.bar(times, volume.to_list(), width=PART / timedelta(days=1), align="edge", color="tab:gray", alpha=0.4)
    beside.set_ylabel("volume")
    return figure


def _empty(across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return figure, axes
