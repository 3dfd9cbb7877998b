import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twofold.event_log.slices import Slices

texts = st.lists(st.none() | st.binary(max_size=20))


def packed(items: list[bytes | None]) -> Slices:
    lengths = [-1 if item is None else len(item) for item in items]
    starts = np.cumsum([0, *(max(length, 0) for length in lengths)])[:-1]
    return Slices(b"".join(item or b"" for item in items), starts.astype(np.int64), np.array(lengths, np.int64))


@given(texts)
def test_what_is_cut_at_once_and_singly_is_what_was_packed(items: list[bytes | None]) -> None:
    slices = packed(items)
    assert slices.cut() == list(slices) == [slices[i] for i in range(len(slices))] == items
    assert [slices[i] for i in range(-len(items), 0)] == items


@given(texts, st.slices(20))
def test_a_slice_is_a_slice_of_the_items(items: list[bytes | None], part: slice) -> None:
    assert list(packed(items)[part]) == items[part]
