"""Streams: how the rows of a view change, as server-sent events or over a WebSocket at the same path."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, NamedTuple

from fastapi import Depends, FastAPI, Header, Path, Response, WebSocket
from fastapi import Query as Parameter

from serving.push import websocket
from serving.push.hub import Hub
from serving.push.sse import EventStream
from serving.query import Query, parse_query
from serving.routes.described import STREAMS
from serving.routes.parameters import Columns, Interval, Last, Symbol, Venue
from serving.seam import Seam
from twofold.view import View
from twofold.views import view_named

DEFAULT_LAST = 10
"""Windows per symbol and venue that a stream is about, if it is not told."""

_PATH = "/v1/views/{view}/stream"

ViewName = Annotated[str, Path(description="A view by its name; /v1/views lists them.", examples=["bars"])]
LastEventId = Annotated[
    str | None,
    Parameter(
        description="The id of the last event that was had, to go on behind it: for those that cannot set the header "
        "Last-Event-ID, as a browser's WebSocket. It goes before the header.",
    ),
]
LastEventIdHeader = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="The id of the last event that was had: what was missed comes first. Browsers send it.",
    ),
]


class Asked(NamedTuple):
    """What a reader asks for.

    Attributes:
        view: The name of the view.
        query: Makes the question of the view that is served under that name.
        last_event_id: Of the last event that the reader had.
    """

    view: str
    query: Callable[[View], Query]
    last_event_id: str | None

    def of(self, seam: Seam) -> Query:
        """The question.

        Raises:
            UnknownName: there is no such view.
            QueryError: the view cannot be asked so.
        """
        return self.query(view_named(self.view, seam.views("live")))


async def asked(
    view: ViewName,
    venue: Venue = None,
    symbol: Symbol = None,
    interval: Interval = None,
    last: Last = None,
    columns: Columns = None,
    last_event_id: LastEventId = None,
    last_event_id_header: LastEventIdHeader = None,
) -> Asked:
    """What a request or a WebSocket asks for. A dependency."""
    query = partial(
        parse_query,
        venue=venue,
        symbol=symbol,
        interval=interval,
        last=DEFAULT_LAST if last is None else last,
        columns=columns,
    )
    return Asked(view, query, last_event_id or last_event_id_header)


def add_streams(app: FastAPI, hub: Hub, seam: Seam) -> None:
    """Add the routes."""

    @app.get(
        _PATH,
        summary="Rows of a view as they change",
        tags=["views"],
        responses=STREAMS,
        response_class=Response,
    )
    async def stream_view(reader_asks: Annotated[Asked, Depends(asked)]) -> Response:
        """Server-sent events; a WebSocket at the same path has the same events as messages.

        The stream begins with the newest windows of each market, as many as `last` says. From then on it tells each
        row of these, and of windows that begin later, when it changes: provisional, then closed, then revised. Rows
        of windows that are no longer among the newest `last` are not told any more.
        """
        async with AsyncExitStack() as stack:
            reading = hub.reading(reader_asks.of(seam), reader_asks.last_event_id)
            reader = await stack.enter_async_context(reading)
            return EventStream(reader, stack.pop_all(), hub.timing)

    @app.websocket(_PATH)
    async def stream_view_by_websocket(socket: WebSocket, reader_asks: Annotated[Asked, Depends(asked)]) -> None:
        async with hub.reading(reader_asks.of(seam), reader_asks.last_event_id) as reader:
            await socket.accept()
            await websocket.tell(socket, reader, hub.timing)
