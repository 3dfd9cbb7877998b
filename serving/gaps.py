"""The gaps of the newest publication, as they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from serving.batch_side import BatchSide
from serving.markets import check_known
from serving.names import canonical_names, names
from twofold.ledger import MARKET


def gap_rows(batch: BatchSide, venue: str | None = None, symbol: str | None = None) -> list[dict[str, Any]]:
    """Gaps as JSON data, by market and first id: times as RFC 3339 in UTC, null where no trade tells them.

    Raises:
        UnknownName: a venue or symbol is not known to the publication; the message names some that are.
        QueryError: too many are named.
    """
    asked = {
        parameter: text if text is None else canonical_names(parameter, text)
        for parameter, text in (("venue", venue), ("symbol", symbol))
    }
    if asked["venue"] is not None or asked["symbol"] is not None:
        folded = {market for partials in batch.partials.values() for market in partials.markets}
        check_known(folded | set(batch.gaps.select(MARKET).unique().rows()), asked["venue"], asked["symbol"])
    rows = batch.gaps
    for column, wanted in asked.items():
        if wanted is not None:
            rows = rows.filter(names(wanted).rows(rows, column))
    return [
        {
            "venue": row["venue"],
            "symbol": row["symbol"],
            "first_id": row["first_id"],
            "last_id": row["last_id"],
            "ids": row["last_id"] - row["first_id"] + 1,
            "state": row["state"],
            "first_event": _rfc3339(row["first_event"]),
            "last_event": _rfc3339(row["last_event"]),
            "since": _rfc3339(row["since"]),
        }
        for row in rows.iter_rows(named=True)
    ]


def _rfc3339(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")
