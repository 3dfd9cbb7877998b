"""How rows are written: JSON by rows or columns, CSV, Arrow IPC stream and Parquet, with the same values in each.

All of them are written column by column; no row passes through Python. Polars writes from a clone, which shares the
data: while it writes it locks the frame's handle, at times waiting for Python's lock, and whoever then holds that one
and looks at the same handle waits for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import IO

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

_RFC3339 = "%Y-%m-%dT%H:%M:%S%.fZ"
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""What an Arrow IPC stream ends with (Arrow columnar format, IPC streaming format)."""


def rows_json(rows: pl.DataFrame) -> bytes:
    """Rows as a JSON array of objects: decimals as text, times as RFC 3339 in UTC."""
    text = rows.clone().write_json().encode()
    for dtype, following in zip(rows.dtypes, [*rows.columns[1:], None], strict=True):
        if isinstance(dtype, pl.Datetime):
            # A quote inside a value is escaped, so that this is nowhere but between two members.
            behind = b"}" if following is None else b"," + orjson.dumps(following) + b":"
            text = text.replace(b'+00:00"' + behind, b'Z"' + behind)
    return text


def columns_json(rows: pl.DataFrame) -> bytes:
    """The same as a JSON object that has an array for each column."""
    return b"{" + b",".join(_column_json(column) for column in rows.iter_columns()) + b"}"


def csv(rows: pl.DataFrame) -> bytes:
    """Rows as CSV with a header line (RFC 4180): plain decimals, times as RFC 3339 in UTC, null as nothing."""
    return rows.clone().write_csv(datetime_format=_RFC3339, line_terminator="\r\n").encode()


def arrow_batches(rows: pl.DataFrame) -> list[bytes | memoryview]:
    """Rows as the record batches of an Arrow IPC stream, in parts that are to be put behind `arrow_schema`."""
    return [*(memoryview(batch.serialize()) for batch in _table(rows).to_batches()), _END_OF_STREAM]


def arrow_schema(rows: pl.DataFrame, metadata: Mapping[str, bytes]) -> bytes:
    """The beginning of an Arrow IPC stream of such rows, with metadata in the schema."""
    return bytes(_table(rows.clear()).schema.with_metadata(dict(metadata)).serialize().to_pybytes())


def write_arrow(rows: pl.DataFrame, sink: IO[bytes]) -> None:
    """Write rows as an Arrow IPC stream.

    Raises:
        OSError: the sink does not take it.
    """
    table = _table(rows)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def parquet(rows: pl.DataFrame, metadata: Mapping[str, bytes]) -> bytes:
    """Rows as a Parquet file, with metadata in the schema."""
    buffer = BytesIO()
    pq.write_table(_table(rows).replace_schema_metadata(dict(metadata)), buffer, compression="zstd")
    return buffer.getvalue()


def _column_json(column: pl.Series) -> bytes:
    text = column.implode().to_frame().write_json().encode()[2:-2]  # of '[{"name":[…]}]'
    return text.replace(b'+00:00"', b'Z"') if isinstance(column.dtype, pl.Datetime) else text


def _table(rows: pl.DataFrame) -> pa.Table:
    """Rows with decimals as decimal128, times as timestamp[us, UTC] and text as large_string."""
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())
