"""Refusals of the serving API, which are problem documents (RFC 9457), as errors of the one tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from twofold.errors import (
    AccessDenied,
    ArithmeticOverflow,
    CursorGone,
    GivenUp,
    MeaningDiffers,
    NotAcceptable,
    PublicationUnknown,
    QueryAborted,
    QueryError,
    ReceiptInvalid,
    RecordsGone,
    ServingUnavailable,
    SqlRefused,
    TooManyQueries,
    TooManyRequests,
    TooManyStreams,
    TooMuch,
    TwofoldError,
    UnknownName,
    ViewRetired,
)

_OF_PROBLEM: dict[str, type[TwofoldError]] = {
    "arithmetic_overflow": ArithmeticOverflow,
    "cursor_gone": CursorGone,
    "given_up": GivenUp,
    "key_invalid": AccessDenied,
    "key_needed": AccessDenied,
    "meaning_differs": MeaningDiffers,
    "not_acceptable": NotAcceptable,
    "not_ready": ServingUnavailable,
    "publication_unknown": PublicationUnknown,
    "query_aborted": QueryAborted,
    "receipt_invalid": ReceiptInvalid,
    "records_gone": RecordsGone,
    "sql_refused": SqlRefused,
    "too_many_queries": TooManyQueries,
    "scope_missing": AccessDenied,
    "too_many_requests": TooManyRequests,
    "too_many_streams": TooManyStreams,
    "too_much": TooMuch,
    "view_retired": ViewRetired,
}
"""The end of a problem's type to the error; of all others a `QueryError` is made."""


def refusal(response: httpx.Response) -> TwofoldError:
    """The error that a response tells of; its body must have been read."""
    try:
        problem = response.json()
        name, detail = str(problem["type"]).rpartition("/")[2], str(problem["detail"])
    except (ValueError, TypeError, KeyError):
        return QueryError(f"Serving answered {response.status_code}: {response.text[:200]}")
    if name == "unknown_name":
        return UnknownName.told(detail)
    return _OF_PROBLEM.get(name, QueryError)(detail)


@contextmanager
def reached(url: httpx.URL) -> Iterator[None]:
    """Tell of a server that does not answer.

    Raises:
        ServingUnavailable: it does not.
    """
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServingUnavailable(
            f"Serving does not answer at {url.copy_with(userinfo=b'')} ({type(error).__name__}: {error}). Start it by "
            "`twofold up`, or alone by `twofold serve`; where it listens is set by TWOFOLD_SERVING_ADDRESS."
        ) from error
