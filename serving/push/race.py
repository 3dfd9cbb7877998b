"""A race: of things that are done at once, the first that ends ends the others."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


async def race(*runs: Coroutine[object, object, None]) -> None:
    """Do all at once until one ends; the others are cancelled, and what they raise is passed over."""
    tasks = [asyncio.create_task(run) for run in runs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
