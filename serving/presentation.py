"""How an answer is to be written: chosen by `format=`, else by the header Accept (RFC 9110, 12.5.1)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import mimeparse

from twofold.errors import NotAcceptable, QueryError

Layout = Literal["rows", "columns"]

MEDIA_TYPES = {
    "json": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv",
}
"""Format to media type; of several that are as welcome, the first is given."""

_FORMATS = {media_type: name for name, media_type in MEDIA_TYPES.items()}


class Presentation(NamedTuple):
    """Format and layout. Rows do not depend on it."""

    format: str = "json"
    layout: Layout = "rows"


def negotiate(accept: str | None, format_name: str | None, layout: Layout | None) -> Presentation:
    """Choose how an answer is written.

    Args:
        accept: the header Accept; None or empty where there is none.
        format_name: a format by its name, which goes before the header.
        layout: how JSON is laid out.

    Raises:
        NotAcceptable: it cannot be written so; the message names what exists.
        QueryError: a layout is asked for where there is none.
    """
    chosen = _accepted(accept) if format_name is None else format_name
    if chosen not in MEDIA_TYPES:
        asked = f"Accept: {accept}" if format_name is None else f"format={format_name}"
        exist = "; ".join(f"format={name} or Accept: {media_type}" for name, media_type in MEDIA_TYPES.items())
        raise NotAcceptable(f"An answer cannot be written as {asked[:200]!r} wants it. There are: {exist}.")
    if layout is not None and chosen != "json":
        raise QueryError(f"layout={layout} is a layout of JSON; the answer would be {chosen}. Leave one of them out.")
    return Presentation(chosen, layout or "rows")


def _accepted(accept: str | None) -> str | None:
    if not accept or not accept.strip():
        return "json"
    try:
        return _FORMATS.get(mimeparse.best_match([*reversed(_FORMATS)], accept.lower()))
    except mimeparse.MimeTypeParseException:
        return None
