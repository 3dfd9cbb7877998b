from twofold.lane import ALL_LANES, Lane, Share, at_least, positions_from_json, positions_to_json


def test_a_lane_is_known_by_the_topics_id_and_not_by_its_name() -> None:
    lane = Lane("0c12e9ba-ed31-4294-b01b-29ea00d9db29", 3)
    assert str(lane) == "0c12e9ba-ed31-4294-b01b-29ea00d9db29/3"
    assert Lane.parse(str(lane)) == lane


def test_equal_positions_are_equal_text() -> None:
    assert positions_to_json({"b/0": 2, "a/0": 1}) == positions_to_json({"a/0": 1, "b/0": 2}) == '{"a/0":1,"b/0":2}'
    assert positions_from_json('{"a/0":1}') == {"a/0": 1}


def test_positions_have_reached_others_only_in_every_lane() -> None:
    assert at_least({"a/0": 5, "a/1": 1}, {"a/0": 5})
    assert at_least({}, {"a/0": 0})
    assert not at_least({"a/0": 5}, {"a/0": 5, "a/1": 1})
    assert not at_least({"a/0": 4}, {"a/0": 5})


def test_each_lane_is_in_the_share_of_one_worker() -> None:
    shares = [Share(worker, 3) for worker in range(3)]
    assert all(sum(share.has(partition) for share in shares) == 1 for partition in range(20))
    assert Share(1, 3).of({"a/0": 5, "a/1": 6, "a/4": 7}) == {"a/1": 6, "a/4": 7}
    assert ALL_LANES.of({"a/0": 5, "a/1": 6}) == {"a/0": 5, "a/1": 6}
