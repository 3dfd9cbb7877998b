"""Views: which there are, and rows of them, batch and live merged."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

import orjson
import polars as pl
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from serving.merged import count
from serving.names import names
from serving.presentation import MEDIA_TYPES, Presentation, negotiate
from serving.query import Query, interval_text, parse_query, rfc3339
from serving.receipts.vouching import Receipts
from serving.repeats import Answered, note
from serving.reply import AT_ONCE_ROWS, json_reply, reply
from serving.routes.described import ANSWERS, OF_EVERY_VIEW, TIME, ViewMeaning, described
from serving.routes.parameters import (
    AsOf,
    Base,
    Columns,
    CursorText,
    End,
    Finality,
    FormatName,
    Interval,
    KnownAfter,
    Last,
    LayoutName,
    Limit,
    Start,
    Symbol,
    Venue,
)
from serving.routes.remembering import remember, remembering
from serving.seam import Pair, Seam
from serving.spoken import Speaker, Spoken, etag
from serving.state import State
from serving.walks import Cursor
from twofold.clock import Clock, to_epoch_us, utc_now
from twofold.errors import QueryError
from twofold.view import Described, View
from twofold.views import view_named
from twofold.watermark import watermarks_us

SETTLED_FOR_S = 10
"""Seconds for which an answer about windows that are over may be used again without asking."""

AS_KNOWN_AT_ONCE = 2
"""Answers as known that are made at the same time; others wait, so that those of now do not."""

_SETTLED = f"max-age={SETTLED_FOR_S}"


class Asked(NamedTuple):
    """All that a request says, apart from what its client has already."""

    query: Query
    cursor: Cursor | None
    presentation: Presentation
    names_base: bool


def add_views(app: FastAPI, seam: Seam, receipts: Receipts) -> None:
    """Add the routes."""
    answering = Answering(seam, receipts)
    seam.before_each(answering.prepare)

    @app.get("/v1/views", summary="The views that exist", tags=["views"], responses=described(list[ViewMeaning]))
    async def list_views() -> Response:
        return json_reply([_described(view) for view in seam.views("live").values()])

    async def read_view(
        request: Request,
        view: Annotated[str, Path(description="A view by its name; /v1/views lists them.", examples=["bars"])],
        venue: Venue = None,
        symbol: Symbol = None,
        interval: Interval = None,
        start: Start = None,
        end: End = None,
        last: Last = None,
        columns: Columns = None,
        finality: Finality = None,
        limit: Limit = None,
        cursor: CursorText = None,
        base: Base = None,
        as_of: AsOf = None,
        known_after: KnownAfter = None,
        format_name: FormatName = None,
        layout: LayoutName = None,
    ) -> Response:
        presentation = negotiate(", ".join(request.headers.getlist("accept")), format_name, layout)
        response = None
        while response is None:  # a view that is changed at this moment is read again
            chosen = base or seam.default_base
            query = parse_query(
                view_named(view, seam.views(chosen)),
                venue=venue,
                symbol=symbol,
                interval=interval,
                start=start,
                end=end,
                last=last,
                columns=columns,
                finality=finality,
                limit=limit,
                base=chosen,
                as_of=as_of,
                known_after=known_after,
            )
            answering.check_is_past(query)
            place = None if cursor is None else Cursor.parse(cursor, query)
            asked = Asked(
                query if place is None else replace(query, skip=place.skip),
                place,
                presentation,
                names_base=base is not None,
            )
            response = await answering.reply(asked, request)
        remember(request, asked)
        return response

    app.router.add_api_route(
        "/v1/views/{view}",
        read_view,
        methods=["GET"],
        summary="Rows of a view, batch and live merged",
        tags=["views"],
        responses=ANSWERS,
        route_class_override=remembering(answering.reply),
    )


class Answering:
    """Makes responses of what is asked."""

    def __init__(self, seam: Seam, receipts: Receipts, clock: Clock = utc_now) -> None:
        self._seam = seam
        self._speaker = Speaker(receipts)
        self._clock = clock
        self._limiter = CapacityLimiter(AS_KNOWN_AT_ONCE)

    def prepare(self, pair: Pair) -> None:
        """Answer what is asked over and over, of a pair that answers do not come from yet."""
        self._speaker.prepare(pair)

    def check_is_past(self, query: Query) -> None:
        """See that what is asked for as of a time is not of a time to come, of which nothing is known.

        Raises:
            QueryError: it is.
        """
        now_us = to_epoch_us(self._clock())
        if query.as_of_us is not None and query.as_of_us > now_us:
            raise QueryError(
                f"as_of is {rfc3339(query.as_of_us)}, and serving's clock is at {rfc3339(now_us)}: what will have "
                "arrived by then is not known. Ask as of a time up to now."
            )

    async def reply(self, asked: Asked, request: Request) -> Response | None:
        """Answer a request, or say that its client has the answer already; None: it is to be read again.

        The view has been changed since, or a cycle is held since, or no longer, and the request does not name its base.
        """
        query, cursor, presentation, names_base = asked
        if not names_base and query.base != self._seam.default_base:
            return None
        pair = self._seam.pair(query.base)
        if not pair.serves(query.view):
            return None
        state = State.of(pair)
        headers = {
            "ETag": etag(query, state.mark if cursor is None else cursor.state, presentation),
            "Cache-Control": "no-cache" if cursor is None and not is_settled(query, state) else _SETTLED,
            "Vary": "Accept",
        }
        if has_already(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        said = self._speaker.known(query, pair) if cursor is None else None
        if said is None and query.is_as_known:
            made = partial(self._made, asked, pair, state, said, request, headers)
            return await to_thread.run_sync(made, limiter=self._limiter)
        if said is None and (cursor is not None or count(query, pair) > AT_ONCE_ROWS):
            return await run_in_threadpool(self._made, asked, pair, state, said, request, headers)
        return self._made(asked, pair, state, said, request, headers)

    def _made(
        self, asked: Asked, pair: Pair, state: State, said: Spoken | None, request: Request, headers: dict[str, str]
    ) -> Response:
        query, cursor, presentation, names_base = asked
        if cursor is not None:
            said = self._speaker.go_on(cursor, query, pair)
            state = said.page.state
        elif said is None:
            said = self._speaker.answer(query, pair)
        freshness = orjson.dumps(state.freshness())
        if presentation.format == "csv":
            headers |= {"Twofold-Receipt": _ascii(said.receipt), "Twofold-Freshness": freshness.decode()}
        if said.next is not None:
            headers |= {"Twofold-Next": str(said.next), "Link": _link(request, said.next)}
        elif cursor is None and presentation.format == "json":
            note(request, Answered(query.base, names_base, pair, state, said, presentation))
        return reply(said.written(presentation, freshness), MEDIA_TYPES[presentation.format], headers)


def is_settled(query: Query, state: State) -> bool:
    """Whether all windows asked for are over by the watermarks of all venues asked for. Few such answers change."""
    if query.end_us is None:
        return False
    due_us = query.end_us + query.view.lateness_us
    witnesses = state.publication.witnesses
    venues = [venue for venue in witnesses if query.venue is None or names(query.venue).fit(venue)]
    marks_us = watermarks_us(witnesses)
    return bool(venues) and all(due_us <= marks_us.get(venue, 0) for venue in venues)


def has_already(request: Request, tag: str) -> bool:
    """Whether a client says by If-None-Match that it has what a tag names, compared weakly (RFC 9110, 13.1.2)."""
    told = request.headers.get("if-none-match")
    if told is None:
        return False
    tags = {part.strip().removeprefix("W/") for part in told.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags


def _link(request: Request, following: Cursor) -> str:
    """The header Link to the next page (RFC 8288), relative to this one."""
    parameters = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f'<?{urlencode([*parameters, ("cursor", str(following))])}>; rel="next"'


def _ascii(text: bytes) -> str:
    """JSON as a header may carry it."""
    return json.dumps(orjson.loads(text), separators=(",", ":"))


def _described(view: View) -> dict[str, Any]:
    types = {**dict.fromkeys(view.keys, pl.String()), "window_start": TIME, "window_end": TIME, **view.columns}
    types |= {"finality": pl.String(), "revisions": pl.Int64()}
    described = {**OF_EVERY_VIEW, **view.described}
    columns = [
        {"name": name, "type": str(dtype), **described.get(name, Described("", ""))._asdict()}
        for name, dtype in types.items()
    ]
    return {
        "view": view.name,
        "hash": view.hash,
        "grain": interval_text(view.window_us),
        "grain_us": view.window_us,
        "keys": view.keys,
        "columns": columns,
    }
