"""Which import a file is, and what its rows are as records."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from import_maker import IMPORTED_AT, import_file, lines
from small_market import trade_value

from batch_layer.backfill.import_file import day_of, find_files
from twofold.errors import CaptureError, UnknownName
from twofold.lane import Lane
from twofold.source import SHIPPED_SOURCES, Source

TRADE = (
    b'{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":7,"p":"61837.63","q":"0.02","T":1723161255342,"m":true,"M":true}'
)
TRADES = [trade_value(f"10:00:0{second}", second) for second in range(5)]


def test_the_lane_of_an_import_is_named_by_what_the_file_holds(tmp_path: Path) -> None:
    one, same, other = (
        import_file(lines(tmp_path / name, *values))
        for name, values in (("one", TRADES), ("same", TRADES), ("other", TRADES[:4]))
    )
    assert one.lane == same.lane != other.lane
    lane = Lane.parse(one.lane)
    assert (lane.is_import, lane.partition, str(lane)) == (True, 0, one.lane)


def test_the_same_bytes_of_another_source_are_another_import(tmp_path: Path) -> None:
    path = lines(tmp_path / "trades", *TRADES)
    declared = {**SHIPPED_SOURCES, "other": Source(venue="other", wire_format="canonical", ids="contiguous")}
    assert import_file(path, "other", declared).lane != import_file(path, "simulator", declared).lane


def test_rows_are_records_whose_offsets_are_their_numbers(tmp_path: Path) -> None:
    file = import_file(lines(tmp_path / "trades.ndjson", *TRADES[:2], b"", b"{", *TRADES[2:]))
    first, second, third = file.batches(1, 2, lambda: IMPORTED_AT)
    assert [batch.offsets for batch in (first, second, third)] == [[1, 2], [3, 4], [5]]
    assert [batch.next_offset for batch in (first, second, third)] == [3, 5, 6]
    assert (first.values, first.keys) == ([TRADES[1], b"{"], [b"BTCUSDT", None])
    assert {batch.lane for batch in (first, second, third)} == {file.lane}
    assert first.timestamps_ms == [int(IMPORTED_AT.timestamp() * 1000)] * 2
    assert first.headers == [(("source", b"simulator"),)] * 2


def test_a_capture_brings_the_collectors_time_and_a_line_without_one_comes_whole(tmp_path: Path) -> None:
    path = tmp_path / "capture.txt.gz"
    path.write_bytes(gzip.compress(b"1723161254087896568 " + TRADE + b"\nno time\n"))
    file = import_file(path)
    (batch,) = file.batches(0, 10, lambda: IMPORTED_AT)
    assert file.source == "binance-spot"
    assert batch.values == [TRADE, b"no time"]
    assert batch.headers == [
        (("source", b"binance-spot"), ("collected_us", b"1723161254087896")),
        (("source", b"binance-spot"),),
    ]


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "trades.ndjson", *TRADES)
    batches = import_file(path).batches(0, 2, lambda: IMPORTED_AT)
    next(batches)
    lines(path, *TRADES, TRADES[0])
    with pytest.raises(CaptureError, match=r"trades.ndjson was changed while it was read.*name the file again"):
        next(batches)


def test_files_come_in_the_order_of_the_days_in_their_names(tmp_path: Path) -> None:
    names = ["b-20240810.txt", "a-2024-08-11.txt", "undated", "c_2024-08-09_x.gz", ".hidden"]
    for name in names:
        lines(tmp_path / name, *TRADES)
    found = [path.name for path in find_files([tmp_path])]
    assert found == ["c_2024-08-09_x.gz", "b-20240810.txt", "a-2024-08-11.txt", "undated"]
    wanted = [date(2024, 8, 10), date(2024, 8, 9)]
    assert [path.name for path in find_files([tmp_path], wanted)] == found[:2]
    twice = find_files([tmp_path / names[0], tmp_path])
    assert [path.name for path in twice] == found


def test_what_is_not_there_is_named_with_what_is(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no file or folder"):
        find_files([tmp_path / "none"])
    with pytest.raises(CaptureError, match="has no files"):
        find_files([tmp_path])
    lines(tmp_path / "a-2024-08-11", *TRADES)
    with pytest.raises(UnknownName, match=r"'2024-08-12'.*Known: 2024-08-11"):
        find_files([tmp_path], [date(2024, 8, 12)])
    with pytest.raises(UnknownName, match="source 'nobody'"):
        import_file(tmp_path / "a-2024-08-11", "nobody")


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("BTCUSDT-trades-2024-08-09.parquet", date(2024, 8, 9)),
        ("trades-20240808-09.txt.gz", date(2024, 8, 8)),
        ("12345678901.txt", None),
        ("2024-13-01.txt", None),
        ("trades.txt", None),
    ],
)
def test_the_day_of_a_file_is_the_first_that_its_name_has(name: str, day: date | None) -> None:
    assert day_of(Path(name)) == day


def test_rows_are_logged_when_they_are_read(tmp_path: Path) -> None:
    times = iter([datetime(2024, 8, 10, hour, tzinfo=UTC) for hour in range(3)])
    batches = import_file(lines(tmp_path / "trades", *TRADES)).batches(0, 2, lambda: next(times))
    assert len({batch.timestamps_ms[0] for batch in batches}) == 3
