"""The parameters of questions, described: what each is, its unit and an example."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from serving.presentation import MEDIA_TYPES, Layout
from serving.query import FINALITIES, INTERVAL, KNOWN_AFTER, MAX_LAST, MAX_LIMIT, BaseChoice
from serving.walks import CURSOR

_NAMES = "one name, or several separated by commas; `*` stands for any characters. All without it."
_TIME = "RFC 3339 with an offset (`+` written as `%2B`), or milliseconds since 1970 in UTC"

Venue = Annotated[str | None, Query(description=f"Only these venues: {_NAMES}", examples=["binance"])]
Symbol = Annotated[
    str | None, Query(description=f"Only these symbols: {_NAMES}", examples=["BTCUSDT", "BTCUSDT,ETHUSDT", "*USDT"])
]
Interval = Annotated[
    str | None,
    Query(
        description="Length of the windows: a whole multiple of the view's grain, in s, m, h or d. They count from "
        "1970 in UTC. The grain without it.",
        examples=["1m", "5m", "1h"],
        json_schema_extra={"pattern": f"^{INTERVAL}$"},
    ),
]
Start = Annotated[
    str | None,
    Query(
        description=f"Only windows that start then or later: {_TIME}.",
        examples=["2024-08-09T00:00:00Z", "1723161600000"],
    ),
]
End = Annotated[
    str | None,
    Query(description=f"Only windows that start before then, likewise: {_TIME}.", examples=["2024-08-10T00:00:00Z"]),
]
Last = Annotated[
    int | None,
    Query(
        description="Of those, only the newest: this many windows per symbol and venue.",
        examples=[100],
        json_schema_extra={"minimum": 1, "maximum": MAX_LAST},
    ),
]
Columns = Annotated[
    str | None,
    Query(
        description="Only these columns, separated by commas; keys, window_start and finality are always there. They "
        "come in the view's order. All without it. /v1/views describes them.",
        examples=["close,volume"],
    ),
]
Finality = Annotated[
    str | None,
    Query(
        description=f"Only rows of this finality: {', '.join(FINALITIES)}, or several separated by commas. `last` "
        "counts what is left.",
        examples=["closed,revised"],
        json_schema_extra={"pattern": f"^({'|'.join(FINALITIES)})(,({'|'.join(FINALITIES)}))*$"},
    ),
]
Limit = Annotated[
    int | None,
    Query(
        description="At most this many rows on a page, by keys and window start. `next` in the answer leads on. "
        f"Without it all rows come on one page, if they are at most {MAX_LIMIT}.",
        examples=[1000],
        json_schema_extra={"minimum": 1, "maximum": MAX_LIMIT},
    ),
]
CursorText = Annotated[
    str | None,
    Query(
        description="`next` of the page before, with the same parameters. All pages are made of the publication and "
        "positions of the first one.",
        json_schema_extra={"pattern": f"^{CURSOR}$"},
    ),
]
Base = Annotated[
    BaseChoice | None,
    Query(
        description="`live`: with what the speed worker has folded. `published`: the batch side alone. Without it "
        "`live`, or `published` while a batch cycle is held, since what is live has its records."
    ),
]
AsOf = Annotated[
    str | None,
    Query(
        description="What was known then: only trades that had arrived by this time, by the log's time or their "
        f"collector's. {_TIME}. It is made of trades, which takes longer; with base=published no event log is read.",
        examples=["2024-08-09T10:05:02Z"],
    ),
]
KnownAfter = Annotated[
    str | None,
    Query(
        description="Of each window what was known so long after its end: only trades that had arrived by then, "
        "likewise. With as_of too, both hold.",
        examples=["2s"],
        json_schema_extra={"pattern": f"^{KNOWN_AFTER}$"},
    ),
]
FormatName = Annotated[
    str | None,
    Query(
        alias="format",
        description="How the answer is written; it goes before the header Accept. JSON without either.",
        examples=["csv"],
        json_schema_extra={"enum": list(MEDIA_TYPES)},
    ),
]
LayoutName = Annotated[
    Layout | None,
    Query(
        description="How JSON is laid out: `rows`, an object for each row, or `columns`, an array for each column.",
        examples=["columns"],
    ),
]
