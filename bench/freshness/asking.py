"""Asking: HTTP requests at times fixed in advance, whether or not the ones before have been answered."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx

_TIMEOUT_S = 10.0
_AT_ONCE = 8
"""Requests on their way at most; the ones beyond wait, and their waiting counts."""


@dataclass(frozen=True)
class Answer:
    """What one request brought; times on the monotonic clock, in seconds.

    trades: trades by symbol, over all windows of the answer. sequence: the publication of its receipt.
    """

    due_s: float
    received_s: float
    trades: dict[str, int]
    sequence: int


async def ask(url: str, parameters: dict[str, str], start_s: float, end_s: float, every_s: float) -> list[Answer]:
    """Ask every `every_s` seconds from `start_s` to `end_s`; return the answers in the order of the requests.

    Raises:
        httpx.HTTPError: a request failed.
    """
    turns = asyncio.Semaphore(_AT_ONCE)
    async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client, asyncio.TaskGroup() as group:
        tasks = []
        for number in range(round((end_s - start_s) / every_s)):
            due_s = start_s + number * every_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            tasks.append(group.create_task(_ask_once(client, turns, url, parameters, due_s)))
    return [task.result() for task in tasks]


async def _ask_once(
    client: httpx.AsyncClient, turns: asyncio.Semaphore, url: str, parameters: dict[str, str], due_s: float
) -> Answer:
    async with turns:
        response = await client.get(url, params=parameters)
    received_s = time.monotonic()
    response.raise_for_status()
    body: dict[str, Any] = response.json()
    trades: dict[str, int] = {}
    for row in body["rows"]:
        trades[row["symbol"]] = trades.get(row["symbol"], 0) + row["trades"]
    return Answer(due_s, received_s, trades, body["receipt"]["sequence"])
