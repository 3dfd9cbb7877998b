"""A set of numbers: it holds what was added, however it came."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twofold.key_set import KeySet

NUMBERS = st.integers(-(2**63), -1)


@given(st.lists(NUMBERS, unique=True, max_size=200), st.lists(st.integers(1, 40), max_size=20), st.lists(NUMBERS))
def test_it_holds_what_was_added_and_nothing_else(numbers: list[int], steps: list[int], others: list[int]) -> None:
    keys, begin = KeySet(), 0
    for step in [*steps, len(numbers)]:
        keys.add(np.array(numbers[begin : begin + step], dtype=np.int64))
        begin += step
    asked = np.array([*numbers, *others], dtype=np.int64)
    assert keys.holds(asked).tolist() == [True] * len(numbers) + [each in numbers for each in others]
    assert keys.ordered().tolist() == sorted(numbers)


def test_a_copy_is_not_changed_by_what_is_added_to_the_other() -> None:
    keys = KeySet()
    keys.add(np.array([-3, -9]))
    other = deepcopy(keys)
    keys.add(np.array([-5]))
    assert (keys.ordered().tolist(), other.ordered().tolist()) == ([-9, -5, -3], [-9, -3])


def test_many_small_additions_leave_few_runs_to_look_through() -> None:
    keys = KeySet()
    for number in range(2_000):
        keys.add(np.array([-1 - number]))
    assert len(keys._runs) <= 8
    assert keys.holds(np.array([-2_001, -2_000, -1])).tolist() == [False, True, True]
