"""Questions to the serving API over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from twofold.errors import QueryError, ServingUnavailable

_TIMEOUT_S = 30.0
_AGAIN_TIMEOUT_S = 600.0


def ask(address: str, view: str, parameters: Mapping[str, str | int], timeout_s: float = _TIMEOUT_S) -> dict[str, Any]:
    """Ask the serving API at `address` (`host:port`) for rows of a view.

    Returns:
        the answer: `view`, `rows` (decimals as text, times as RFC 3339), `receipt` and `freshness`.

    Raises:
        ServingUnavailable: serving does not answer, or is not ready to.
        QueryError: it says why it cannot.
    """
    return _get(address, f"/v1/views/{view}", parameters, timeout_s)


def ask_again(address: str, token: str, timeout_s: float = _AGAIN_TIMEOUT_S) -> dict[str, Any]:
    """Have the serving API at `address` (`host:port`) make an earlier answer again, from its receipt's token.

    Returns:
        the answer's `rows` and `receipt`.

    Raises:
        ServingUnavailable: serving does not answer, or is not ready to.
        QueryError: it says why it cannot.
    """
    return _get(address, f"/v1/receipts/{quote(token, safe='')}", {}, timeout_s)


def _get(address: str, path: str, parameters: Mapping[str, str | int], timeout_s: float) -> dict[str, Any]:
    try:
        response = httpx.get(f"http://{address}{path}", params=dict(parameters), timeout=timeout_s)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServingUnavailable(
            f"Serving does not answer at {address} ({error}). Start it by `twofold up`, or alone by `twofold serve`; "
            "where it listens is set by TWOFOLD_SERVING_ADDRESS."
        ) from error
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise ServingUnavailable(_problem(response))
    if not response.is_success:
        raise QueryError(_problem(response))
    answer: dict[str, Any] = response.json()
    return answer


def _problem(response: httpx.Response) -> str:
    """What a problem document (RFC 9457) says; of another body, its beginning."""
    try:
        problem = response.json()
        return str(problem.get("detail") or problem["title"])
    except (ValueError, AttributeError, KeyError):
        return f"Serving answered {response.status_code}: {response.text[:200]}"
