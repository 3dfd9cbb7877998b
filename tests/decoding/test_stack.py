from __future__ import annotations

from record_maker import LOGGED_MS, batch

from twofold.decoding.stack import Stack


def test_rows_of_several_lanes_keep_their_own_coordinates_and_headers() -> None:
    stack = Stack(
        [
            batch([b"a", None], lane="topic/0", first_offset=5),
            batch([], lane="topic/1"),
            batch([b"c"], lane="topic/2", first_offset=9, headers=[(("h", b"v"),)]),
        ]
    )
    assert len(stack) == 3
    assert stack.values == [b"a", None, b"c"]
    assert stack.lanes.to_list() == ["topic/0", "topic/0", "topic/2"]
    assert stack.offsets.to_list() == [5, 6, 9]
    assert stack.logged_us.to_list() == [LOGGED_MS * 1000] * 3
    assert list(stack.headers()) == [(), (), (("h", b"v"),)]
    assert [stack.headers_of(row) for row in range(3)] == [(), (), (("h", b"v"),)]
    assert stack.values_of([0, 2]) == [b"a", b"c"]
