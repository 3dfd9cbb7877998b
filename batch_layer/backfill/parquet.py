"""The rows of a Parquet file of trades, written as the canonical format has them, for the one decoder to read.

Columns: `symbol`, `trade_id`, `price`, `size`, `side`, and `event_time` (a timestamp; UTC where it has no zone) or
`event_time_us`. Beside them may stand one with the name of the header in which the source declares the collector's
time, as a timestamp or in UTC microseconds. Decimals and floats are written in plain digits, of a float those that mean
it and no other; what cannot be used the decoder makes a dead letter of.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import accumulate
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from batch_layer.backfill.rows import Rows
from twofold.errors import CaptureError
from twofold.source import Source, WireFormatName

MAGIC = b"PAR1"
"""What a Parquet file begins with."""

_PLAIN = ("symbol", "trade_id", "price", "size", "side")
_TIMES = ("event_time", "event_time_us")


class ParquetRows:
    """The rows of a Parquet file.

    Raises:
        CaptureError: the file cannot be read, or lacks a column.
    """

    wire_format: WireFormatName = "canonical"

    def __init__(self, path: Path) -> None:
        self.read_bytes = 0
        self._path = path
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise CaptureError(f"{path} cannot be read as Parquet: {error}. Fetch or write it again.") from error
        self._size_bytes = path.stat().st_size
        self._columns = self._file.schema_arrow.names
        self._time = next((name for name in _TIMES if name in self._columns), None)
        lacking = [name for name in _PLAIN if name not in self._columns]
        if lacking or self._time is None:
            wanted = ", ".join([*lacking, *([] if self._time else ["event_time"])])
            raise CaptureError(f"{path} has no column {wanted}; it has {', '.join(self._columns)}. Name them so.")

    def read(self, first: int, source: Source, size: int) -> Iterator[Rows]:
        """The rows from that number on.

        Raises:
            CaptureError: the file cannot be read to its end.
        """
        count = self._file.metadata.num_rows
        sizes = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        starts = list(accumulate(sizes, initial=0))
        groups = [group for group in range(len(sizes)) if starts[group + 1] > first]
        at = starts[groups[0]] if groups else count
        header = source.collected_header if source.collected_header in self._columns else None
        wanted = [*_PLAIN, str(self._time), *([] if header is None else [header])]
        try:
            for batch in self._file.iter_batches(size, groups, wanted) if groups else ():
                rows = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch]))).slice(max(0, first - at))
                at += batch.num_rows
                self.read_bytes = self._size_bytes * at // count
                if rows.height:
                    yield self._rows(rows, header)
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
            raise CaptureError(
                f"{self._path} cannot be read after row {at}: {error}. The file is damaged, or a column is of a type "
                "that no trade has; write it again."
            ) from error

    def _rows(self, rows: pl.DataFrame, header: str | None) -> Rows:
        fields = [
            *(_text(rows[name]) for name in ("symbol", "side")),
            _id(rows["trade_id"]),
            *(_digits(rows[name]) for name in ("price", "size")),
            _time_us(rows[str(self._time)]).alias("event_time_us"),
        ]
        values = pl.DataFrame(fields).select(pl.struct(pl.all()).struct.json_encode()).to_series()
        received = [None] * rows.height if header is None else _time_us(rows[header]).to_list()
        keys = fields[0].cast(pl.Binary).to_list()
        return Rows(keys, values.cast(pl.Binary).to_list(), received)


def _text(column: pl.Series) -> pl.Series:
    return column.cast(pl.String)


def _id(column: pl.Series) -> pl.Series:
    return column if column.dtype.is_integer() else column.cast(pl.String)


def _digits(column: pl.Series) -> pl.Series:
    """Numbers as text, without the zeros at the end that only a type of many places puts there."""
    if column.dtype.is_float():
        texts = [None if number is None else format(Decimal(repr(number)), "f") for number in column.to_list()]
        return pl.Series(column.name, texts, dtype=pl.String)
    if column.dtype.is_decimal():
        text = column.cast(pl.String)
        has_places = text.str.contains(".", literal=True)
        plain = text.str.strip_chars_end("0").str.strip_chars_end(".")
        return plain.zip_with(has_places.fill_null(value=False), text)
    return column.cast(pl.String)


def _time_us(column: pl.Series) -> pl.Series:
    return column.dt.epoch("us") if column.dtype.is_temporal() else column.cast(pl.Int64)
