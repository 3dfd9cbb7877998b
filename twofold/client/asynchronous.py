"""The client whose answers are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, Unpack
from urllib.parse import quote

import httpx
import polars as pl
from pydantic import SecretStr

from twofold.client.answer import ARROW, Answer, SqlAnswer
from twofold.client.asking import (
    PAGE_ROWS,
    SQL,
    Followable,
    Question,
    Selection,
    base_url,
    key_headers,
    newest,
    parameters,
    view_path,
)
from twofold.client.refusal import reached, refusal
from twofold.client.resuming import SILENCE_S, Resuming
from twofold.client.update import EventReader, Told, Update
from twofold.errors import ServingUnavailable, TooManyRequests, TooManyStreams


class AsyncClient:
    """Asks the serving API, in one event loop; the same as `Client` otherwise.

    Args:
        address: where serving listens, `host:port` or a URL; by default what the settings say.
        timeout_s: how long to wait for an answer.
        api_key: a key for serving, where it needs one; by default what the settings say (TWOFOLD_API_KEY).

    Raises:
        SettingsError: a setting does not fit, or the key is none.
    """

    def __init__(
        self, address: str | None = None, *, timeout_s: float = 30.0, api_key: str | SecretStr | None = None
    ) -> None:
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient(base_url=base_url(address), timeout=timeout_s, headers=key_headers(api_key))

    async def view(self, view: str, **question: Unpack[Question]) -> Answer:
        """Rows of a view, as `Client.view` gives them.

        Raises:
            TwofoldError: as there.
        """
        response = await self._got(view_path(view), parameters(question), {"Accept": ARROW})
        return Answer.from_arrow(response.content)

    async def pages(self, view: str, *, limit: int = PAGE_ROWS, **question: Unpack[Question]) -> AsyncIterator[Answer]:
        """Rows of a view, page by page, as `Client.pages` gives them.

        Raises:
            TwofoldError: as there.
        """
        asked = parameters(question) | {"limit": str(limit)}
        following: str | None = ""
        while following is not None:
            cursor = {"cursor": following} if following else {}
            response = await self._got(view_path(view), asked | cursor, {"Accept": ARROW})
            page = Answer.from_arrow(response.content)
            yield page
            following = page.next

    async def sql(self, query: str, **selection: Unpack[Selection]) -> SqlAnswer:
        """Rows of a query in SQL over the views, as `Client.sql` gives them.

        Raises:
            TwofoldError: as there.
        """
        response = await self._got(SQL, parameters(selection), {"Accept": ARROW}, {"query": query})
        return SqlAnswer.from_arrow(response.content)

    async def again(self, token: str) -> dict[str, Any]:
        """An earlier answer made again, as `Client.again` gives it.

        Raises:
            TwofoldError: as there.
        """
        answer: dict[str, Any] = (await self._got(f"/v1/receipts/{quote(token, safe='')}", {}, {})).json()
        return answer

    async def stream(
        self, view: str, *, last_event_id: str | None = None, patience_s: float = 60.0, **question: Unpack[Followable]
    ) -> AsyncIterator[Update]:
        """Rows of a view as they change, as `Client.stream` gives them.

        Raises:
            TwofoldError: as there.
        """
        resuming, schema = Resuming(patience_s, last_event_id), None
        while True:
            error: ServingUnavailable | TooManyStreams | TooManyRequests | None = None
            try:
                schema = schema or await self._schema(view, question)
                async for told in self._told(view, question, resuming.headers):
                    update = told.update(schema)
                    if update is not None:
                        resuming.had(update.id)
                        yield update
            except (ServingUnavailable, TooManyStreams, TooManyRequests) as failed:
                error = failed
            await asyncio.sleep(resuming.pause_s(error))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _schema(self, view: str, question: Followable) -> Mapping[str, pl.DataType]:
        return (await self.view(view, **newest(question))).frame.schema

    async def _told(self, view: str, question: Followable, headers: dict[str, str]) -> AsyncIterator[Told]:
        path, asked = view_path(view, stream=True), parameters(question)
        timeout = httpx.Timeout(self._timeout_s, read=SILENCE_S)
        with reached(self._http.base_url):
            async with self._http.stream("GET", path, params=asked, headers=headers, timeout=timeout) as response:
                if response.status_code != HTTPStatus.OK:
                    await response.aread()
                    raise refusal(response)
                reader = EventReader()
                async for chunk in response.aiter_bytes():
                    for told in reader.read(chunk):
                        yield told

    async def _got(
        self, path: str, asked: dict[str, str], headers: dict[str, str], body: dict[str, str] | None = None
    ) -> httpx.Response:
        """What is at a path; with a body, what is given for that."""
        with reached(self._http.base_url):
            method = "GET" if body is None else "POST"
            response = await self._http.request(method, path, params=asked, headers=headers, json=body)
        if response.status_code != HTTPStatus.OK:
            raise refusal(response)
        return response
