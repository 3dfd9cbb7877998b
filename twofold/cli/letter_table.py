"""Dead letters on the terminal: many as a table, one as the whole record. Nothing in them can steer the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from twofold.decoding import Reason

_SHORT_TOPIC = 8
"""Letters of a topic's id that are shown where they tell it from every other one in the table."""


def letter_table(letters: Sequence[Mapping[str, Any]]) -> Table:
    """Make a table of dead letters; the lane is as short as `show` and `retry` take it."""
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("lane", no_wrap=True)
    table.add_column("offset", justify="right", no_wrap=True)
    table.add_column("logged at (UTC)", no_wrap=True)
    for head in ("source", "reason", "detail"):
        table.add_column(head, overflow="fold")
    short = _short_lanes(letter["lane"] for letter in letters)
    for letter in letters:
        table.add_row(
            short[letter["lane"]],
            str(letter["offset"]),
            f"{letter['logged_at']:%Y-%m-%d %H:%M:%S}",
            Text(printable(letter["source"].encode())),
            Text(letter["reason"]),
            Text(letter["detail"]),
        )
    return table


def counts_line(counts: Mapping[str, int]) -> str:
    """Say how many there are in all, and of each reason."""
    total = sum(counts.values())
    return f"{total:,} {'dead letter' if total == 1 else 'dead letters'}{_reasons(counts)}"


def plan_lines(to_send: int, shown: int, sent_before: int, refused: Mapping[str, int]) -> Iterator[str]:
    """Say how many a retry will send, if not all of them were shown, and how many it leaves, and why."""
    yield f"to send:        {to_send:,}" + (f" (above the newest {shown:,})" if shown < to_send else "")
    yield f"sent before:    {sent_before:,}"
    yield f"still refused:  {sum(refused.values()):,}{_reasons(refused)}"


def letter_lines(letter: Mapping[str, Any], retries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Show one dead letter whole, a line for each thing that is known of it.

    Args:
        letter: a row of `DEAD_LETTER_SCHEMA` and `first_at`.
        retries: the retries of the same first coordinates that have been published.
    """
    place = f"{letter['lane']}:{letter['offset']}"
    reason = letter["reason"]
    yield f"lane       {letter['lane']}"
    yield f"offset     {letter['offset']}"
    yield f"logged at  {_time(letter['logged_at'])}"
    yield f"source     {printable(letter['source'].encode())}"
    yield f"reason     {reason}{_sentence(reason)}"
    yield f"detail     {letter['detail']}"
    if letter["trade_id"] is not None:
        named = letter["trade_id"] if letter["trade_key"] is None else printable(letter["trade_key"].encode())
        yield f"trade      {named} of {letter['symbol']} at {letter['venue']}"
    yield f"key        {_bytes(letter['key'])}"
    yield f"value      {_bytes(letter['value'])}"
    for header in letter["headers"]:
        yield f"header     {printable(header['key'].encode())} = {_bytes(header['value'])}"
    if letter["first_at"] != place:
        yield f"first at   {letter['first_at']}"
    others = [retry for retry in retries if f"{retry['lane']}:{retry['offset']}" != place]
    for retry in others:
        yield f"retried    at {retry['lane']} {retry['offset']}: {retry['fate']}"
    if not others:
        yield "retried    no, going by what is published"


def printable(encoded: bytes) -> str:
    """Bytes as text; what is not UTF-8 or does not print is escaped as in a Python string."""
    text = encoded.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _reasons(counts: Mapping[str, int]) -> str:
    parts = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
    return f" ({parts})" if parts else ""


def _bytes(encoded: bytes | None) -> str:
    if encoded is None:
        return "(none)"
    return printable(encoded) or "(0 bytes)"


def _sentence(code: str) -> str:
    """What a code says of any record; nothing for a code of another version."""
    return f" - {Reason(code).sentence}" if code in set(Reason) else ""


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S.%f} UTC"


def _short_lanes(lanes: Iterable[str]) -> dict[str, str]:
    parted = {lane: lane.rpartition("/") for lane in lanes}
    topics = {topic for topic, _, _ in parted.values()}
    length = _SHORT_TOPIC
    while len({topic[:length] for topic in topics}) < len(topics):
        length += 1
    return {lane: f"{topic[:length]}/{partition}" for lane, (topic, _, partition) in parted.items()}
