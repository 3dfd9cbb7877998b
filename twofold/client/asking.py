"""What is asked, as the serving API takes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypedDict
from urllib.parse import quote

from pydantic import SecretStr

from twofold.serving_client import bearer
from twofold.settings import load_settings

SQL = "/v1/sql"
"""The path of queries in SQL."""

PAGE_ROWS = 100_000
"""Rows of a page, unless another number is asked for."""

Names = str | Sequence[str] | None
"""One name or several; in names of venues and symbols `*` stands for any characters."""

Time = datetime | str | None
"""A time with a time zone, or RFC 3339 text with an offset."""


class Newest(TypedDict, total=False):
    """What every question may say."""

    venue: Names
    symbol: Names
    interval: str | None
    last: int | None


class Followable(Newest, total=False):
    """What a question that is followed may say."""

    columns: Names


class Selection(Newest, total=False):
    """What a query in SQL may say of the rows that it reads."""

    start: Time
    end: Time
    finality: Names
    base: Literal["live", "published"]


class Question(Selection, total=False):
    """What a question that is asked once may say."""

    columns: Names
    as_of: Time
    known_after: str | None


def base_url(address: str | None) -> str:
    """Where serving listens, as a URL: from `host:port`, a URL, or the settings where None is given.

    Raises:
        SettingsError: a setting does not fit.
    """
    told = load_settings().serving_address if address is None else address
    return told if "://" in told else f"http://{told}"


def key_headers(api_key: str | SecretStr | None) -> dict[str, str]:
    """The header that sends a key, given or else of the settings; none where there is none.

    Raises:
        SettingsError: it has letters that no key has.
    """
    key = load_settings().api_key if api_key is None else api_key
    return bearer(key if isinstance(key, SecretStr) else SecretStr(key))


def view_path(view: str, *, stream: bool = False) -> str:
    """The path of a view, or of its stream."""
    return f"/v1/views/{quote(view, safe='')}" + ("/stream" if stream else "")


def parameters(question: Question | Followable | Selection) -> dict[str, str]:
    """A question as the parameters of an address."""
    return {name: _text(value) for name, value in question.items() if value is not None}


def newest(question: Followable) -> Question:
    """The question for the newest rows alone of what is followed."""
    return Question(
        venue=question.get("venue"),
        symbol=question.get("symbol"),
        interval=question.get("interval"),
        columns=question.get("columns"),
        last=1,
    )


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) or not isinstance(value, Sequence):
        return str(value)
    return ",".join(value)
