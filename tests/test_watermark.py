from trade_maker import BEGIN_US, trade_row, trades_frame

from twofold.watermark import watermarks_us, witness

DAY_US = 86_400_000_000


def at(*times_us: int, venue: str = "test") -> list[dict[str, object]]:
    return [trade_row(n, venue=venue, event_us=BEGIN_US + time_us) for n, time_us in enumerate(times_us)]


def test_the_watermark_is_the_third_largest_time_of_a_venue() -> None:
    assert watermarks_us(witness({}, trades_frame(at(5, 1, 9, 7)))) == {"test": BEGIN_US + 5}


def test_a_venue_of_fewer_than_three_trades_has_none() -> None:
    assert watermarks_us(witness({}, trades_frame(at(5, 1)))) == {}


def test_one_wild_clock_does_not_push_it() -> None:
    calm = witness({}, trades_frame(at(1, 2, 3)))
    assert watermarks_us(witness(calm, trades_frame(at(DAY_US))))["test"] <= BEGIN_US + 3


def test_an_event_after_its_own_arrival_counts_as_of_the_arrival() -> None:
    rows = [trade_row(n, event_us=BEGIN_US + DAY_US, arrival_us=BEGIN_US + n) for n in range(3)]
    assert watermarks_us(witness({}, trades_frame(rows))) == {"test": BEGIN_US}


def test_it_never_falls_and_pieces_make_the_same_as_the_whole() -> None:
    pieces = witness(witness({}, trades_frame(at(8, 2, 6))), trades_frame(at(1, 7)))
    assert pieces == witness({}, trades_frame(at(8, 2, 6, 1, 7)))
    assert watermarks_us(pieces) == {"test": BEGIN_US + 6}


def test_venues_do_not_hold_or_push_each_other() -> None:
    rows = at(1, 2, 3, venue="slow") + at(100, 200, 300, venue="quick")
    assert watermarks_us(witness({}, trades_frame(rows))) == {"slow": BEGIN_US + 1, "quick": BEGIN_US + 100}
