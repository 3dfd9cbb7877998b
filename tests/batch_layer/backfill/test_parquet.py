"""Rows of Parquet files, and what the decoder makes of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from import_maker import IMPORTED_AT, import_file

from twofold.decoding import Decoded, decode
from twofold.errors import CaptureError
from twofold.source import Source

SOURCES = {
    "plain": Source(venue="testing", wire_format="canonical", ids="contiguous", collected_header="collected_us"),
}
EVENT = datetime(2024, 8, 9, 10, 0, 0, 123_456, UTC)
GOOD = pl.DataFrame(
    {
        "symbol": ["BTCUSDT", "ETHUSDT"],
        "trade_id": [7, 8],
        "price": pl.Series(["61837.63", "100"], dtype=pl.Decimal(38, 18)),
        "size": [0.02, 1e-7],
        "side": ["buy", "sell"],
        "event_time": pl.Series([EVENT] * 2, dtype=pl.Datetime("us", "UTC")),
    }
)


def decoded(folder: Path, rows: pl.DataFrame, first: int = 0, size: int = 100) -> Decoded:
    path = folder / "trades.parquet"
    rows.write_parquet(path, row_group_size=2)
    file = import_file(path, "plain", SOURCES)
    return decode(list(file.batches(first, size, lambda: IMPORTED_AT)), SOURCES, "plain")


def test_decimals_and_floats_come_as_they_are_meant(tmp_path: Path) -> None:
    trades = decoded(tmp_path, GOOD).trades
    assert trades["price"].to_list() == [Decimal("61837.63000000"), Decimal("100.00000000")]
    assert trades["size"].to_list() == [Decimal("0.02000000"), Decimal("0.00000010")]
    assert trades["trade_id"].to_list() == [7, 8]
    assert trades["event_time"].to_list() == [EVENT] * 2
    assert trades["arrival_time"].to_list() == [IMPORTED_AT] * 2
    assert trades["offset"].to_list() == [0, 1]


def test_text_and_times_in_microseconds_will_do_as_well(tmp_path: Path) -> None:
    times = pl.col("event_time").dt.epoch("us").alias("event_time_us")
    texts = {"price": pl.Series(["61837.63", "100"]), "size": pl.Series(["0.02", "0.0000001"])}
    rows = GOOD.with_columns(times, **texts).drop("event_time")
    one, other = (decoded(tmp_path, each).trades.drop("lane") for each in (rows, GOOD))
    assert one.equals(other)


def test_a_time_without_a_zone_is_utc(tmp_path: Path) -> None:
    rows = GOOD.with_columns(pl.col("event_time").dt.replace_time_zone(None).cast(pl.Datetime("ns")))
    assert decoded(tmp_path, rows).trades["event_time"].to_list() == [EVENT] * 2


def test_the_collectors_time_is_the_arrival_where_the_file_has_it(tmp_path: Path) -> None:
    late = datetime(2024, 8, 9, 10, 0, 1, tzinfo=UTC)
    collected = pl.Series("collected_us", [late, None], dtype=pl.Datetime("ms", "UTC"))
    assert decoded(tmp_path, GOOD.with_columns(collected)).trades["arrival_time"].to_list() == [late, IMPORTED_AT]


def test_rows_that_cannot_be_used_are_dead_letters_at_their_numbers(tmp_path: Path) -> None:
    bad = pl.concat([GOOD, GOOD.with_columns(side=pl.Series([None, "hold"])), GOOD]).with_columns(
        size=pl.Series([0.02, float("nan"), 1.0, 1.0, 0.1, 1e-9])
    )
    found = decoded(tmp_path, bad)
    assert found.rejected.select("offset", "reason").rows() == [
        (1, "not_plain"),
        (2, "null_field"),
        (3, "bad_side"),
        (5, "too_many_places"),
    ]
    assert found.trades["offset"].to_list() == [0, 4]


@pytest.mark.parametrize("first", range(7))
@pytest.mark.parametrize("size", [1, 3, 100])
def test_reading_begins_anywhere_whatever_the_row_groups(tmp_path: Path, first: int, size: int) -> None:
    rows = pl.concat([GOOD] * 3).with_columns(trade_id=pl.int_range(6))
    assert decoded(tmp_path, rows, first, size).trades["trade_id"].to_list() == list(range(first, 6))


def test_a_file_without_the_columns_of_a_trade_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "trades.parquet"
    GOOD.drop("side", "event_time").write_parquet(path)
    with pytest.raises(CaptureError, match=r"no column side, event_time; it has symbol, trade_id, price, size"):
        import_file(path, "plain", SOURCES)


def test_a_file_that_was_cut_off_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "trades.parquet"
    GOOD.write_parquet(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CaptureError, match=r"trades.parquet cannot be read as Parquet"):
        import_file(path, "plain", SOURCES)
