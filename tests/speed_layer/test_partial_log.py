import polars as pl
from polars.testing import assert_frame_equal
from small_market import batch, trade_value

from speed_layer.partial_log import ENTRIES, PartialLog
from twofold.decoding import decode
from twofold.fold import empty_partials, fold, merge
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS

BARS = VIEWS["bars"]


def partials(number: int) -> pl.DataFrame:
    """What one trade adds: one of three minutes, a price and an id of its own."""
    value = trade_value(f"10:0{number % 3}:00", number, price=str(100 + number))
    return fold([BARS], decode([batch(value)], SHIPPED_SOURCES, "simulator").trades)["bars"]


def log_of(count: int) -> PartialLog:
    log = PartialLog(BARS)
    for version in range(1, count + 1):
        log = log.add(version, partials(version))
    return log


def merged(frame: pl.DataFrame) -> pl.DataFrame:
    return merge(BARS, frame).sort(BARS.group)


def test_an_empty_log_has_the_columns_of_partials() -> None:
    assert_frame_equal(PartialLog(BARS).since(0), empty_partials(BARS))


def test_what_came_since_a_version_is_what_was_added_after_it() -> None:
    assert_frame_equal(log_of(5).since(3), pl.concat([partials(4), partials(5)]))
    assert log_of(5).since(5).is_empty()


def test_adding_leaves_the_log_that_was() -> None:
    before = log_of(3)
    before.add(4, partials(4))
    assert_frame_equal(before.since(2), partials(3))


def test_nothing_is_kept_of_a_batch_without_partials() -> None:
    log = log_of(3)
    assert log.add(4, empty_partials(BARS)).entries is log.entries


def test_a_long_log_is_merged_and_stays_short() -> None:
    count = 3 * ENTRIES
    log = log_of(count)
    assert len(log.entries) <= ENTRIES
    assert_frame_equal(merged(log.since(0)), merged(pl.concat(partials(version) for version in range(1, count + 1))))


def test_an_old_entry_is_merged_again_only_once_the_newer_ones_have_come_to_its_size() -> None:
    many = pl.concat(partials(0).with_columns(symbol=pl.lit(f"S{number}USDT")) for number in range(100))
    log = PartialLog(BARS).add(1, many)
    for version in range(2, ENTRIES + 2):
        log = log.add(version, partials(version))
    first = log.entries[0][1]
    for version in range(ENTRIES + 2, 10 * ENTRIES):
        log = log.add(version, partials(version))
    assert log.entries[0][1] is first  # three groups, however often they were merged, are fewer than a hundred
    assert len(log.entries) <= ENTRIES
    for version in range(10 * ENTRIES, 13 * ENTRIES):
        log = log.add(version, many)
    assert log.entries[0][1].height == 103


def test_its_size_is_that_of_its_partials() -> None:
    assert PartialLog(BARS).size_bytes == 0
    assert log_of(3).size_bytes == sum(partials(version).estimated_size() for version in (1, 2, 3))


def test_after_merging_it_can_tell_apart_only_what_came_later() -> None:
    log = log_of(ENTRIES + 1)
    assert log.merged_to > 0
    assert not log.can_tell_since(log.merged_to - 1)
    for version in range(log.merged_to, ENTRIES + 2):
        assert log.can_tell_since(version)
        later = [partials(number) for number in range(version + 1, ENTRIES + 2)]
        assert_frame_equal(log.since(version), pl.concat([empty_partials(BARS), *later]))


def test_a_short_log_can_tell_since_any_version() -> None:
    log = log_of(ENTRIES)
    assert all(log.can_tell_since(version) for version in range(ENTRIES + 1))


def test_replaced_windows_hold_what_is_given_and_others_what_they_held() -> None:
    log = log_of(5)
    windows = partials(4).select("venue", "symbol", "window_start")
    replaced = log.replaced(6, windows, partials(7))
    others = pl.concat(partials(version) for version in (2, 3, 5))
    assert_frame_equal(merged(replaced.since(0)), merged(pl.concat([others, partials(7)])))
    assert replaced.replaced(7, windows, empty_partials(BARS)).since(0).height == others.height


def test_after_replacing_nothing_is_told_apart_from_what_came_before_however_long_the_log_gets() -> None:
    log = log_of(ENTRIES - 2)
    version = ENTRIES - 1
    log = log.replaced(version, partials(1).select("venue", "symbol", "window_start"), partials(1))
    for number in range(version + 1, version + 8):
        log = log.add(number, partials(number))
        assert not log.can_tell_since(version - 1)
        assert log.can_tell_since(number)


def test_a_log_whose_windows_were_replaced_is_merged_as_any_other() -> None:
    log = log_of(ENTRIES)
    windows = partials(0).select("venue", "symbol", "window_start")
    replaced = log.replaced(ENTRIES + 1, windows, partials(0))
    rest = merged(replaced.since(0))
    for version in range(ENTRIES + 2, 3 * ENTRIES):
        replaced = replaced.add(version, partials(1))
    assert len(replaced.entries) <= ENTRIES
    added = [partials(1)] * (2 * ENTRIES - 2)
    assert_frame_equal(merged(replaced.since(0)), merged(pl.concat([rest, *added])))
