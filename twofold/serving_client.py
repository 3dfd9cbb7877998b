"""Questions to the serving API over HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from twofold.errors import AccessDenied, QueryError, ServingUnavailable, SettingsError

_SENDABLE = r"[A-Za-z0-9._~+/=-]*"
"""What a header Authorization may bear behind `Bearer` (RFC 6750)."""

NO_KEY = SecretStr("")

_TIMEOUT_S = 30.0
_AGAIN_TIMEOUT_S = 600.0


def ask(
    address: str,
    view: str,
    parameters: Mapping[str, str | int],
    timeout_s: float = _TIMEOUT_S,
    *,
    api_key: SecretStr = NO_KEY,
) -> dict[str, Any]:
    """Ask the serving API at `address` (`host:port`) for rows of a view.

    Returns:
        the answer: `view`, `rows` (decimals as text, times as RFC 3339), `receipt` and `freshness`.

    Raises:
        ServingUnavailable: serving does not answer, or is not ready to.
        AccessDenied: serving needs a key, or another one.
        QueryError: it says why it cannot.
    """
    return _get(address, f"/v1/views/{view}", parameters, timeout_s, api_key)


def ask_again(
    address: str, token: str, timeout_s: float = _AGAIN_TIMEOUT_S, *, api_key: SecretStr = NO_KEY
) -> dict[str, Any]:
    """Have the serving API at `address` (`host:port`) make an earlier answer again, from its receipt's token.

    Returns:
        the answer's `rows` and `receipt`.

    Raises:
        ServingUnavailable: serving does not answer, or is not ready to.
        AccessDenied: serving needs a key, or another one.
        QueryError: it says why it cannot.
    """
    return _get(address, f"/v1/receipts/{quote(token, safe='')}", {}, timeout_s, api_key)


def bearer(api_key: SecretStr) -> dict[str, str]:
    """The header that sends a key; none without one.

    Raises:
        SettingsError: it has letters that no key has.
    """
    key = api_key.get_secret_value()
    if not re.fullmatch(_SENDABLE, key):
        raise SettingsError(
            "The API key has letters that none has, such as spaces or line ends. See whether more was copied with it; "
            "a key begins with `tf_`."
        )
    return {"Authorization": f"Bearer {key}"} if key else {}


def _get(
    address: str, path: str, parameters: Mapping[str, str | int], timeout_s: float, api_key: SecretStr
) -> dict[str, Any]:
    headers = bearer(api_key)
    try:
        response = httpx.get(f"http://{address}{path}", params=dict(parameters), timeout=timeout_s, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServingUnavailable(
            f"Serving does not answer at {address} ({error}). Start it by `twofold up`, or alone by `twofold serve`; "
            "where it listens is set by TWOFOLD_SERVING_ADDRESS."
        ) from error
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise ServingUnavailable(_problem(response))
    if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise AccessDenied(f"{_problem(response)} The command line and flows send what TWOFOLD_API_KEY says.")
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
