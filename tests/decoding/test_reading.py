from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from twofold.decoding.dead_letter import Reason, Refusal, Refused
from twofold.decoding.reading import read_each


def strict(value: bytes) -> int:
    return msgspec.json.decode(value, type=int)


def careful(value: bytes) -> int:
    if value.startswith(b'"'):
        return int(value.strip(b'"'))
    raise Refused(Reason.BROKEN_JSON, value.decode())


@given(st.lists(st.sampled_from(["good", "second chance", "bad"])))
def test_every_value_is_read_by_itself_and_keeps_its_place(kinds: list[str]) -> None:
    written = {"good": "{}", "second chance": '"{}"', "bad": "{}x"}
    values = [written[kind].format(place).encode() for place, kind in enumerate(kinds)]
    reading = read_each(values, strict, careful)
    read = [place for place, kind in enumerate(kinds) if kind != "bad"]
    assert list(reading.places) == reading.objects == read
    bad = (place for place, kind in enumerate(kinds) if kind == "bad")
    assert reading.refused == {place: Refusal(Reason.BROKEN_JSON, f"{place}x") for place in bad}


def test_only_a_value_that_fails_is_looked_at_again() -> None:
    looked_at: list[bytes] = []

    def look_again(value: bytes) -> int:
        looked_at.append(value)
        return careful(value)

    read_each([b"1", b'"2"', b"3", b"x", b"5"], strict, look_again)
    assert looked_at == [b'"2"', b"x"]
