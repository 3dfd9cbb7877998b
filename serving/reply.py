"""Responses: bodies that are sent whole, or in parts so that nobody waits while a large one is compressed."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import AsyncIterator, Mapping, Sequence

import orjson
from starlette.responses import Response, StreamingResponse

AT_ONCE_ROWS = 2_000
"""Partials of which an answer is made at once, in some milliseconds; with more, it is made beside the others."""

PART_BYTES = 256 * 1024


def json_reply(data: object) -> Response:
    """A response of JSON data."""
    return Response(orjson.dumps(data), media_type="application/json")


def reply(body: Sequence[bytes | memoryview], media_type: str, headers: Mapping[str, str]) -> Response:
    """A response of a body that lies in parts, sent in smaller parts where it is large."""
    size_bytes = sum(map(len, body))
    if size_bytes <= PART_BYTES:
        return Response(b"".join(body), headers=headers, media_type=media_type)
    with_length = {**headers, "content-length": str(size_bytes)}
    return StreamingResponse(_parts(body), headers=with_length, media_type=media_type)


async def _parts(body: Sequence[bytes | memoryview]) -> AsyncIterator[memoryview]:
    for part in body:
        view = memoryview(part)
        for begin in range(0, len(view), PART_BYTES):
            yield view[begin : begin + PART_BYTES]
            await sleep(0)
