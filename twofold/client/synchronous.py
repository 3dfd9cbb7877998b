"""The client that waits for its answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
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


class Client:
    """Asks the serving API. Many threads may use one.

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
        self._http = httpx.Client(base_url=base_url(address), timeout=timeout_s, headers=key_headers(api_key))

    def view(self, view: str, **question: Unpack[Question]) -> Answer:
        """Rows of a view, batch and live merged to this moment.

        Args:
            view: its name, such as `bars`.
            question: `venue`, `symbol` (one name, several, or a pattern such as `*USDT`), `interval` (`5m`), `start`
                and `end`, `last` (so many of the newest windows of each market), `columns`, `finality`, `base`, `as_of`
                (only what had arrived by that time) and `known_after` (`2s`: of each window what had arrived so long
                after its end).

        Raises:
            UnknownName: there is no such view, venue, symbol or column; the message names some that there are.
            TooMuch: the answer would be larger than one may be.
            QueryError: the question makes no sense; the message says what would.
            AccessDenied: serving needs a key, or another one.
            ServingUnavailable: serving does not answer, or has nothing to answer from at this moment.
        """
        return Answer.from_arrow(self._got(view_path(view), parameters(question), {"Accept": ARROW}).content)

    def pages(self, view: str, *, limit: int = PAGE_ROWS, **question: Unpack[Question]) -> Iterator[Answer]:
        """Rows of a view, page by page, for answers that are larger than one page may be.

        All pages are of the publication and positions of the first: together they are one answer, each row once. To
        have them as one frame: `pl.concat(page.frame for page in client.pages("bars"))`.

        Args:
            view: its name.
            limit: rows of a page at most.
            question: as in `view`.

        Raises:
            CursorGone: serving was started anew meanwhile, or holds that answer no longer; begin again.
            TwofoldError: as `view`.
        """
        asked = parameters(question) | {"limit": str(limit)}
        following: str | None = ""
        while following is not None:
            cursor = {"cursor": following} if following else {}
            page = Answer.from_arrow(self._got(view_path(view), asked | cursor, {"Accept": ARROW}).content)
            yield page
            following = page.next

    def sql(self, query: str, **selection: Unpack[Selection]) -> SqlAnswer:
        """Rows of a query in SQL over the views, all of them as they are at one moment.

        Args:
            query: one SELECT, as DuckDB understands it, in which the views are tables of their names.
            selection: which rows of the views there are for the query, as in `view`: `venue`, `symbol`, `interval`,
                `start`, `end`, `last`, `finality` and `base`. It may read a million rows.

        Raises:
            SqlRefused: it is not one SELECT over the views, or has a mistake; the message says which.
            UnknownName: there is no such view, venue or symbol.
            TooMuch: it reads, takes or gives more than it may.
            TooManyQueries: others are run and wait already; ask again.
            QueryAborted: the process that ran it ended before it had answered.
            ServingUnavailable: serving does not answer, or has nothing to answer from at this moment.
        """
        asked = {"query": query}
        return SqlAnswer.from_arrow(self._got(SQL, parameters(selection), {"Accept": ARROW}, asked).content)

    def again(self, token: str) -> dict[str, Any]:
        """An earlier answer made again, from the `token` of its receipt: its `rows` and `receipt` as JSON data.

        Raises:
            ReceiptError: it cannot be made again; the message says why.
            ServingUnavailable: serving does not answer.
        """
        answer: dict[str, Any] = self._got(f"/v1/receipts/{quote(token, safe='')}", {}, {}).json()
        return answer

    def stream(
        self, view: str, *, last_event_id: str | None = None, patience_s: float = 60.0, **question: Unpack[Followable]
    ) -> Iterator[Update]:
        """Rows of a view as they change, without end. A connection that breaks is opened anew and gone on with.

        The first update is the `state` of the newest windows. Where it is not known any more what was told last,
        another `state` comes, and says so.

        Args:
            view: its name.
            last_event_id: the `id` of an update that was had, to go on behind it.
            patience_s: for how long to try in vain, seconds.
            question: `venue`, `symbol`, `interval`, `last` and `columns` as in `view`.

        Raises:
            UnknownName: there is no such view, venue, symbol or column.
            TooMuch: there are more rows than may be followed.
            QueryError: the question makes no sense.
            ServingUnavailable: serving did not answer for `patience_s`.
        """
        resuming, schema = Resuming(patience_s, last_event_id), None
        while True:
            error: ServingUnavailable | TooManyStreams | TooManyRequests | None = None
            try:
                schema = schema or self._schema(view, question)
                for told in self._told(view, question, resuming.headers):
                    update = told.update(schema)
                    if update is not None:
                        resuming.had(update.id)
                        yield update
            except (ServingUnavailable, TooManyStreams, TooManyRequests) as failed:
                error = failed
            time.sleep(resuming.pause_s(error))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _schema(self, view: str, question: Followable) -> Mapping[str, pl.DataType]:
        return self.view(view, **newest(question)).frame.schema

    def _told(self, view: str, question: Followable, headers: dict[str, str]) -> Iterator[Told]:
        path, asked = view_path(view, stream=True), parameters(question)
        timeout = httpx.Timeout(self._timeout_s, read=SILENCE_S)
        with (
            reached(self._http.base_url),
            self._http.stream("GET", path, params=asked, headers=headers, timeout=timeout) as response,
        ):
            if response.status_code != HTTPStatus.OK:
                response.read()
                raise refusal(response)
            reader = EventReader()
            for chunk in response.iter_bytes():
                yield from reader.read(chunk)

    def _got(
        self, path: str, asked: dict[str, str], headers: dict[str, str], body: dict[str, str] | None = None
    ) -> httpx.Response:
        """What is at a path; with a body, what is given for that."""
        with reached(self._http.base_url):
            method = "GET" if body is None else "POST"
            response = self._http.request(method, path, params=asked, headers=headers, json=body)
        if response.status_code != HTTPStatus.OK:
            raise refusal(response)
        return response
