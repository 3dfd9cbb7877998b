"""The extent of the event log: what it has no longer of what lies between two cuts."""

from __future__ import annotations

import pytest

from batch_layer.doctor.event_log import LogExtent
from twofold.lane import Positions

EXTENT = LogExtent(beginnings={"t/0": 3, "t/1": 0}, ends={"t/0": 9, "t/1": 5})


@pytest.mark.parametrize(
    ("old", "new", "lacking"),
    [
        ({"t/0": 3}, {"t/0": 9}, {}),
        ({"t/0": 1}, {"t/0": 9}, {"t/0": (1, 3)}),
        ({}, {}, {"t/0": (0, 3)}),
        ({"t/0": 4, "t/1": 2}, {"t/0": 9, "t/1": 8}, {"t/1": (5, 8)}),
        ({"t/0": 4, "t/1": 6}, {"t/0": 9, "t/1": 8}, {"t/1": (6, 8)}),
        ({"t/0": 1}, {"t/0": 12}, {"t/0": (1, 12)}),
        ({"t/0": 4, "gone/0": 2}, {"t/0": 4, "gone/0": 7}, {"gone/0": (2, 7)}),
        ({"t/0": 4, "gone/0": 7}, {"t/0": 4, "gone/0": 7}, {}),
    ],
)
def test_what_is_lacking_is_told_by_lane(old: Positions, new: Positions, lacking: dict[str, tuple[int, int]]) -> None:
    assert EXTENT.lacks(old, new) == lacking
