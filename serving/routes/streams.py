"""Streams: how the rows of a view change, as server-sent events or over a WebSocket at the same path."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import FastAPI, Header, Path, Response, WebSocket
from fastapi import Query as Parameter

from serving.push import websocket
from serving.push.hub import Hub
from serving.push.sse import EventStream
from serving.query import Query, parse_query
from serving.routes.described import STREAMS
from serving.routes.parameters import Columns, Interval, Last, Symbol, Venue
from serving.seam import Seam
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


def add_streams(app: FastAPI, hub: Hub, seam: Seam) -> None:
    """Add the routes."""

    def asked(
        view: ViewName,
        venue: Venue = None,
        symbol: Symbol = None,
        interval: Interval = None,
        last: Last = None,
        columns: Columns = None,
    ) -> Query:
        return parse_query(
            view_named(view, seam.views("live")),
            venue=venue,
            symbol=symbol,
            interval=interval,
            last=DEFAULT_LAST if last is None else last,
            columns=columns,
        )

    @app.get(
        _PATH,
        summary="Rows of a view as they change",
        tags=["views"],
        responses=STREAMS,
        response_class=Response,
    )
    async def stream_view(
        view: ViewName,
        venue: Venue = None,
        symbol: Symbol = None,
        interval: Interval = None,
        last: Last = None,
        columns: Columns = None,
        last_event_id: LastEventId = None,
        last_event_id_header: LastEventIdHeader = None,
    ) -> Response:
        """Server-sent events; a WebSocket at the same path has the same events as messages.

        The stream begins with the newest windows of each market, as many as `last` says. From then on it tells each
        row of these, and of windows that begin later, when it changes: provisional, then closed, then revised. Rows
        of windows that are no longer among the newest `last` are not told any more.
        """
        query = asked(view, venue, symbol, interval, last, columns)
        async with AsyncExitStack() as stack:
            reader = await stack.enter_async_context(hub.reading(query, last_event_id or last_event_id_header))
            return EventStream(reader, stack.pop_all(), hub.timing)

    @app.websocket(_PATH)
    async def stream_view_by_websocket(
        socket: WebSocket,
        view: ViewName,
        venue: Venue = None,
        symbol: Symbol = None,
        interval: Interval = None,
        last: Last = None,
        columns: Columns = None,
        last_event_id: LastEventId = None,
        last_event_id_header: LastEventIdHeader = None,
    ) -> None:
        query = asked(view, venue, symbol, interval, last, columns)
        async with hub.reading(query, last_event_id or last_event_id_header) as reader:
            await socket.accept()
            await websocket.tell(socket, reader, hub.timing)
