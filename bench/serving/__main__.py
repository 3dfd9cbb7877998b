"""`make bench-serving`: what an answer costs, in processor time per request through the ASGI application.

No sockets, so that only the work of answering is counted. Each answer is measured beside the same rows from a plain
FastAPI route that returns dicts, beside its raw bytes from a bare ASGI application, and a month as Arrow beside Polars
reading the same rows from Parquet. All take turns, round by round; of each the median of the rounds is shown.

Then the same question over sockets, of a whole system, idle and while trades are ingested: `live.py`.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as `twofold serve` runs

import argparse
import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from secrets import token_hex
from statistics import median
from time import process_time
from typing import Any

import polars as pl
from live import measure_live
from plain import plain_route, raw_bytes
from rich.console import Console
from rich.table import Table

from serving.app import make_app
from serving.batch_side import BatchSide
from serving.receipts.above_cut import Declared
from serving.receipts.remaking import Remaker
from serving.receipts.token import TokenSigner
from serving.receipts.verification import Verification
from serving.receipts.vouching import Receipts
from serving.seam import Pair, Seam
from serving.sorted_partials import SortedPartials
from serving.speed_side import SpeedClient, SpeedSide
from twofold.event_log.opening import log_opener
from twofold.fold import fold
from twofold.lake import Lake
from twofold.publication import GENESIS
from twofold.settings import Settings
from twofold.source import SHIPPED_SOURCES
from twofold.speed_state import SpeedHeader
from twofold.views import VIEWS

MINUTES = 31 * 24 * 60
START = datetime(2024, 8, 1, tzinfo=UTC)
VENUE, LANE = "binance", "bench/0"
QUESTION = "symbol=BTCUSDT&last=100"
MONTH = "symbol=BTCUSDT"

Ask = Callable[[], Awaitable[int]]


class StillSeam(Seam):
    """A seam whose pair is what it is set to."""

    def __init__(self, pair: Pair) -> None:  # no worker is needed, and no lake is looked at
        super().__init__(Lake("unused"), SpeedClient("127.0.0.1:1"), VIEWS)
        self.current = pair

    def pair(self, _: str) -> Pair:
        """The pair."""
        return self.current

    def move(self) -> None:
        """Another state of the speed worker, as there is one after every micro-batch."""
        if self.current.speed is not None:
            self.current = replace(self.current, speed=replace(self.current.speed))


def trades(minutes: range) -> pl.DataFrame:
    """A trade for every minute of two symbols, as the decoder gives them."""
    count = len(minutes)
    prices = pl.Series([Decimal(6_000_000 + minute % 1_000) / 100 for minute in minutes], dtype=pl.Decimal(18, 8))
    sizes = pl.Series([Decimal(1 + minute % 700) / 1000 for minute in minutes], dtype=pl.Decimal(18, 8))
    times = pl.Series([int(START.timestamp() * 1e6) + minute * 60_000_000 for minute in minutes], dtype=pl.Int64)
    one = pl.DataFrame(
        {
            "venue": pl.Series([VENUE], dtype=pl.String).new_from_index(0, count),
            "trade_id": pl.Series(list(minutes), dtype=pl.Int64),
            "price": prices,
            "size": sizes,
            "notional": (prices.cast(pl.Decimal(38, 16)) * sizes).cast(pl.Decimal(38, 16)),
            "side": pl.Series(["buy"], dtype=pl.String).new_from_index(0, count),
            "event_time": times.cast(pl.Datetime("us", "UTC")),
        }
    )
    return pl.concat([one.with_columns(symbol=pl.lit(symbol)) for symbol in ("BTCUSDT", "ETHUSDT")])


def a_month() -> Pair:
    """A month of minutes that are published, and a minute that is live."""
    published, live = (
        fold(VIEWS.values(), trades(range(MINUTES))),
        fold(VIEWS.values(), trades(range(MINUTES, MINUTES + 1))),
    )
    end_us = int(START.timestamp() * 1e6) + MINUTES * 60_000_000
    publication = replace(GENESIS, sequence=1, cut={LANE: 1}, witnesses={VENUE: [end_us] * 3})
    batch = BatchSide(publication, {name: SortedPartials.of(VIEWS[name], frame) for name, frame in published.items()})
    header = SpeedHeader.model_construct(sequence=1, positions={LANE: 2}, ends={LANE: 2}, newest_event_us=end_us)
    return Pair(batch, SpeedSide(header, {name: (frame,) for name, frame in live.items()}), "live")


def receipts() -> Receipts:
    """Receipts are signed; none is made again, so that neither lake nor event log is needed."""
    signer = TokenSigner([token_hex()])
    remaker = Remaker(Lake("unused"), Declared(log_opener(Settings()), SHIPPED_SOURCES, "simulator"), VIEWS, signer)
    return Receipts(signer, remaker, Verification(0.0, list))


async def ask(app: Any, path: str, question: str, accept: str = "application/json") -> bytes:  # noqa: ANN401  # ASGI
    """The body that an application answers with."""
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:  # a client that has said all and stays
        await asyncio.get_running_loop().create_future()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": question.encode(),
        "root_path": "",
        "headers": [(b"accept", accept.encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    if messages[0]["status"] != 200:
        raise RuntimeError(f"{path}?{question} was refused: {messages}")
    return b"".join(message.get("body", b"") for message in messages[1:])


async def sides() -> dict[str, tuple[Ask, int]]:
    """What is measured, and how many requests are a round of it."""
    seam = StillSeam(a_month())
    app = make_app(seam, receipts())
    body = await ask(app, "/v1/views/bars", QUESTION)
    rows = pl.read_parquet(io.BytesIO(await ask(app, "/v1/views/bars", QUESTION + "&format=parquet")))
    plain, raw = plain_route(rows.to_dicts()), raw_bytes(body)
    month = pl.read_parquet(io.BytesIO(await ask(app, "/v1/views/bars", MONTH + "&format=parquet")))
    file = io.BytesIO()
    month.write_parquet(file)

    def of(question: str, *, moved: bool) -> Ask:
        async def once() -> int:
            if moved:
                seam.move()
            return len(await ask(app, "/v1/views/bars", question))

        return once

    async def plainly() -> int:
        return len(await ask(plain, "/rows", QUESTION))

    async def rawly() -> int:
        return len(await ask(raw, "/", QUESTION))

    async def by_polars() -> int:
        file.seek(0)
        return pl.read_parquet(file).height

    measured: dict[str, tuple[Ask, int]] = {
        "last=100, raw bytes": (rawly, 500),
        "last=100, plain FastAPI route of dicts": (plainly, 10),
        "last=100, json, same state again": (of(QUESTION, moved=False), 200),
    }
    for format_name in ("json", "csv", "arrow", "parquet"):
        measured[f"last=100, {format_name}, new state"] = (of(f"{QUESTION}&format={format_name}", moved=True), 20)
    measured["last=100, json by columns, new state"] = (of(f"{QUESTION}&layout=columns", moved=True), 20)
    for format_name in ("json", "csv", "arrow", "parquet"):
        measured[f"month, {format_name}, new state"] = (of(f"{MONTH}&format={format_name}", moved=True), 1)
    measured["month, Polars reading the same Parquet"] = (by_polars, 2)
    return measured


async def measure(rounds: int) -> Table:
    """Let all sides take turns, and tabulate what a request costs."""
    measured = await sides()
    costs: dict[str, list[float]] = {name: [] for name in measured}
    sizes: dict[str, int] = {}
    for _ in range(rounds):
        for name, (once, count) in measured.items():
            begin = process_time()
            for _ in range(count):
                sizes[name] = await once()
            costs[name].append((process_time() - begin) / count * 1e6)
    table = Table(title=f"Processor time per request, median of {rounds} rounds in turns", title_justify="left")
    for head in ("answer", "us", "bytes, or rows of Polars"):
        table.add_column(head, justify="left" if head == "answer" else "right")
    for name, times in costs.items():
        table.add_row(name, f"{median(times):,.0f}", f"{sizes[name]:,}")
    return table


def main() -> int:
    """Measure and print; the exit code is 1 when a measurement cannot be trusted."""
    parser = argparse.ArgumentParser(prog="bench/serving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=5_000, help="trades a second (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="a turn over sockets (default: %(default)s)")
    arguments = parser.parse_args()
    Console().print(asyncio.run(measure(arguments.rounds)))
    return measure_live(arguments.rate, arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    sys.exit(main())
