"""How rows are written: the same values in each format, and the bytes that plain Python would write."""

from __future__ import annotations

import csv as csv_reader
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from serving.writing import arrow_batches, arrow_schema, columns_json, csv, parquet, rows_json

TYPES = {
    "key": pl.String(),
    "window_start": pl.Datetime("us", "UTC"),
    "window_end": pl.Datetime("us", "UTC"),
    "price": pl.Decimal(18, 8),
    "total": pl.Decimal(38, 16),
    "trades": pl.Int64(),
    "finality": pl.String(),
}
TIMES = st.integers(0, 86_340_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.just('+00:00","window_end":'),
            "window_start": TIMES,
            "window_end": TIMES,
            "price": st.none() | st.decimals(-(10**9), 10**9, places=8),
            "total": st.none() | st.decimals(-(10**20), 10**20, places=16),
            "trades": st.integers(-(2**63), 2**63 - 1),
            "finality": st.sampled_from(["closed", "provisional"]),
        }
    ),
    max_size=5,
)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series([row[name] for row in rows], dtype=dtype) for name, dtype in TYPES.items()})


def plain(value: object) -> object:
    """A value as JSON data: decimals as text with all places, times as RFC 3339."""
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


@given(ROWS)
def test_rows_are_the_bytes_that_plain_python_writes(rows: list[dict[str, Any]]) -> None:
    written = frame(rows)
    expected = [{name: plain(value) for name, value in row.items()} for row in written.iter_rows(named=True)]
    assert orjson.loads(rows_json(written)) == expected
    assert rows_json(written) == orjson.dumps(expected)


@given(ROWS)
def test_columns_have_the_values_of_the_rows(rows: list[dict[str, Any]]) -> None:
    by_row = orjson.loads(rows_json(frame(rows)))
    assert orjson.loads(columns_json(frame(rows))) == {name: [row[name] for row in by_row] for name in TYPES}


@given(ROWS)
def test_csv_has_the_values_of_the_rows_as_text(rows: list[dict[str, Any]]) -> None:
    by_row = orjson.loads(rows_json(frame(rows)))
    expected = [{name: "" if value is None else str(value) for name, value in row.items()} for row in by_row]
    assert list(csv_reader.DictReader(StringIO(csv(frame(rows)).decode(), newline=""))) == expected


@given(ROWS)
def test_arrow_and_parquet_give_the_rows_back_with_their_types(rows: list[dict[str, Any]]) -> None:
    written = frame(rows)
    parts = [arrow_schema(written, {"twofold.receipt": b"{}"}), *arrow_batches(written)]
    stream = pa.ipc.open_stream(b"".join(parts)).read_all()
    file = pq.read_table(BytesIO(parquet(written, {"twofold.receipt": b"{}"})))
    for table in (stream, file):
        assert pl.from_arrow(table).equals(written)  # type: ignore[union-attr, arg-type]  # a frame of a table
        assert table.schema.metadata[b"twofold.receipt"] == b"{}"
        assert table.schema.field("total").type == pa.decimal128(38, 16)
        assert table.schema.field("window_start").type == pa.timestamp("us", "UTC")


def test_a_part_of_a_second_is_rfc_3339_too() -> None:
    rows = [{"key": "", "price": None, "total": None, "trades": 1, "finality": "closed"}]
    times = {name: datetime(2024, 8, 9, 10, 0, 0, 250_000, tzinfo=UTC) for name in ("window_start", "window_end")}
    written = frame([rows[0] | times])
    assert orjson.loads(rows_json(written))[0]["window_end"] == "2024-08-09T10:00:00.250Z"
    assert b"2024-08-09T10:00:00.250Z" in csv(written)
