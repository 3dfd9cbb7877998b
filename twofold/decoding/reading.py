"""Reading: values one by one through a strict decoder, with a careful second look at those it cannot take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from twofold.decoding.dead_letter import Refusal, Refused

T = TypeVar("T")

NOT_READ = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a value that it cannot decode; RecursionError for one nested too deeply."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What came of the values: `objects[i]` was read from value `places[i]`; every other place is in `refused`."""

    objects: list[T]
    places: Sequence[int]
    refused: dict[int, Refusal]


def read_each(values: Sequence[bytes], decode: Callable[[bytes], T], look_again: Callable[[bytes], T]) -> Reading[T]:
    """Read every value by itself, so that no value can move or spoil another.

    The loop goes on after a value that fails, so that a bad value costs its own second look and nothing else.

    Args:
        values: JSON texts.
        decode: strict and quick; raises one of `NOT_READ`.
        look_again: takes what `decode` refused; returns the object where that is lawful, or raises `Refused`.
    """
    objects: list[T] = []
    refused: dict[int, Refusal] = {}
    append = objects.append
    rest = iter(values)
    while len(objects) + len(refused) < len(values):
        try:
            for value in rest:
                append(decode(value))
        except NOT_READ:
            place = len(objects) + len(refused)
            try:
                append(look_again(values[place]))
            except Refused as error:
                refused[place] = error.refusal
    places = [place for place in range(len(values)) if place not in refused] if refused else range(len(values))
    return Reading(objects, places, refused)
