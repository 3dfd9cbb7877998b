"""Positions: how much is held of each market, as a file says it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from twofold.errors import PositionsUnreadable
from twofold.ledger import Market

COLUMNS = ("venue", "symbol", "quantity")

_QUANTITY = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,8})?")


class Position(NamedTuple):
    """So many units of a market's base currency; negative if they are owed."""

    market: Market
    quantity: Decimal


def read_positions(path: Path) -> tuple[Position, ...]:
    """Read positions from CSV with a head: `venue`, `symbol`, `quantity` (10 digits, 8 places at most), by market.

    All of them must be quoted in one currency, since their values are added up.

    Raises:
        PositionsUnreadable: it cannot be read, or a line is no position; the message names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            found = list(_positions(path, file))
    except (OSError, UnicodeDecodeError) as error:
        raise PositionsUnreadable(f"The positions in {path} cannot be read: {error}.") from error
    if not found:
        raise PositionsUnreadable(
            f"{path} holds no position. Below the head, write a line for each market that is held."
        )
    return tuple(sorted(found))


def _positions(path: Path, lines: Iterator[str]) -> Iterator[Position]:
    reader = csv.DictReader(lines, strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise PositionsUnreadable(f"The first line of {path} must be `{','.join(COLUMNS)}`.")
    seen: set[Market] = set()
    try:
        for row in reader:
            market, quantity = (row["venue"], row["symbol"]), row["quantity"]
            if not all(market) or None in row or not _QUANTITY.fullmatch(quantity or ""):
                _refuse(path, reader.line_num, "it is no `venue,symbol,quantity` with a number such as -1.25")
            if market in seen:
                _refuse(path, reader.line_num, f"{' '.join(market)} stands there twice; add the two up")
            seen.add(market)
            yield Position(market, Decimal(quantity))
    except csv.Error as error:
        _refuse(path, reader.line_num, f"it is no CSV: {error}")


def _refuse(path: Path, line: int, why: str) -> None:
    raise PositionsUnreadable(f"Line {line} of {path} cannot be used: {why}.")
