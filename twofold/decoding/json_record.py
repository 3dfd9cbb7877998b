"""A record's JSON object, read with care: numbers as they are written, and every mistake named."""

from __future__ import annotations

import re

import msgspec

from twofold.decoding.dead_letter import Reason, Refused, shorten
from twofold.decoding.exact import is_bent
from twofold.decoding.reading import NOT_READ
from twofold.decoding.trade_key import LONGEST_KEY

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANYTHING = msgspec.json.Decoder(msgspec.Raw)
_TEXT = msgspec.json.Decoder(str)
_WHOLE = re.compile(rb"-?[0-9]+")
_MOST_DIGITS = 20
_KINDS = {b"{": "an object", b"[": "an array", b'"': "text", b"t": "true", b"f": "false", b"n": "null"}


class JsonRecord:
    """One JSON object whose fields are looked at one by one. Every method raises `Refused`."""

    def __init__(self, value: bytes) -> None:
        try:
            raw = bytes(_ANYTHING.decode(value))
            if not raw.startswith(b"{"):
                raise Refused(Reason.NOT_AN_OBJECT, f"An object is needed; this is {_kind(raw)}: {shorten(raw)}.")
            self._fields = {name: bytes(field) for name, field in _OBJECT.decode(raw).items()}
        except RecursionError:
            raise Refused(Reason.BROKEN_JSON, f"The value {shorten(value)} is nested too deeply.") from None
        except NOT_READ as error:
            raise Refused(Reason.BROKEN_JSON, f"The value {shorten(value)} is not one JSON text: {error}.") from None

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def nested(self, name: str) -> JsonRecord:
        """The object that the field holds."""
        return JsonRecord(self._present(name))

    def text(self, name: str) -> str:
        """The field's text."""
        raw = self._present(name)
        if not raw.startswith(b'"'):
            raise _wrong_type(name, "text in quotes", raw)
        return _decoded(raw)

    def key(self, name: str) -> str:
        """The field's text, which must be a trade key."""
        text = self.text(name)
        if not 1 <= len(text) <= LONGEST_KEY:
            detail = f"Field `{name}` has {len(text)} characters; a trade key has 1 to {LONGEST_KEY}: {shorten(text)}."
            raise Refused(Reason.BAD_TRADE_ID, detail)
        return text

    def decimal_text(self, name: str) -> str:
        """The decimal number as it is written: in quotes, or without them where a float would not bend it."""
        raw = self._present(name)
        if raw.startswith(b'"'):
            return _decoded(raw)
        if _kind(raw) != "a number":
            raise _wrong_type(name, "a decimal number in quotes", raw)
        text = raw.decode()
        if is_bent(text):
            detail = f"Field `{name}` is {shorten(text)} without quotes, which a float would bend. Put it in quotes."
            raise Refused(Reason.BENT_NUMBER, detail)
        return text

    def whole(self, name: str, least: int, most: int, reason: Reason) -> int:
        """The whole number that the field holds, unquoted; outside of `least` to `most` it is refused for `reason`."""
        raw = self._present(name)
        if not _WHOLE.fullmatch(raw):
            raise _wrong_type(name, "a whole number without quotes", raw)
        number = int(raw) if len(raw) <= _MOST_DIGITS else None
        if number is None or not least <= number <= most:
            raise Refused(reason, f"Field `{name}` is {shorten(raw)}; it must be from {least} to {most}.")
        return number

    def flag(self, name: str) -> bool:
        """The true or false that the field holds."""
        raw = self._present(name)
        if raw not in {b"true", b"false"}:
            raise _wrong_type(name, "true or false", raw)
        return raw == b"true"

    def _present(self, name: str) -> bytes:
        raw = self._fields.get(name)
        if raw is None:
            has = ", ".join(sorted(self._fields)) or "none"
            raise Refused(Reason.MISSING_FIELD, f"Field `{name}` is missing. The object's fields: {shorten(has, 120)}.")
        if raw == b"null":
            raise Refused(Reason.NULL_FIELD, f"Field `{name}` is null.")
        return raw


def _kind(raw: bytes) -> str:
    return _KINDS.get(raw[:1], "a number")


def _decoded(raw: bytes) -> str:
    try:
        return _TEXT.decode(raw)
    except NOT_READ as error:
        raise Refused(Reason.BROKEN_JSON, f"The text {shorten(raw)} is not JSON: {error}.") from None


def _wrong_type(name: str, must: str, raw: bytes) -> Refused:
    return Refused(Reason.WRONG_TYPE, f"Field `{name}` must be {must}; it is {_kind(raw)}: {shorten(raw)}.")
