"""Cross-origin reading: what pages of other origins may do, where any may (the Fetch standard's CORS protocol)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypedDict

_SENT = ("Authorization", "If-None-Match", "Last-Event-ID")
_READ = (
    *("ETag", "Link", "Retry-After", "RateLimit", "RateLimit-Policy", "WWW-Authenticate"),
    *("Twofold-Next", "Twofold-Receipt", "Twofold-Freshness", "Twofold-Token", "Twofold-Finality"),
)


class CrossOrigin(TypedDict):
    """Settings of Starlette's middleware."""

    allow_origins: Collection[str]
    allow_methods: Collection[str]
    allow_headers: Collection[str]
    expose_headers: Collection[str]


def cross_origin(origins: Collection[str]) -> CrossOrigin:
    """Have pages of these origins read answers, with a key of their own: cookies are never sent from there."""
    return CrossOrigin(
        allow_origins=sorted(origins),
        allow_methods=("GET", "POST"),
        allow_headers=_SENT,
        expose_headers=_READ,
    )
