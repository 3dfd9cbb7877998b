"""Questions to the serving API over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from twofold.errors import QueryError

_TIMEOUT_S = 30.0


def ask(address: str, view: str, parameters: Mapping[str, str | int], timeout_s: float = _TIMEOUT_S) -> dict[str, Any]:
    """Ask the serving API at `address` (`host:port`) for rows of a view.

    Returns:
        the answer: `view`, `rows` (decimals as text, times as RFC 3339), `receipt` and `freshness`.

    Raises:
        QueryError: serving does not answer, or says why it cannot.
    """
    try:
        response = httpx.get(f"http://{address}/v1/views/{view}", params=dict(parameters), timeout=timeout_s)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise QueryError(
            f"Serving does not answer at {address} ({error}). Start it by `twofold up`, or alone by `twofold serve`; "
            "where it listens is set by TWOFOLD_SERVING_ADDRESS."
        ) from error
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
