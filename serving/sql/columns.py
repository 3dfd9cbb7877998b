"""The columns of an answer to SQL: those types that can be written in every format with the same values."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from twofold.errors import SqlRefused

_TIME = pa.timestamp("us", tz="UTC")
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
_US_OF_A_DAY = 86_400_000_000
"""The years 1 to 9999, which RFC 3339 can write."""


def frame_of(table: pa.Table) -> pl.DataFrame:
    """The rows of an answer: whole numbers, floats, decimals, text, booleans, dates, and times as UTC microseconds.

    Raises:
        SqlRefused: two columns have one name, or one has another type; the message says how to write it.
    """
    names = table.column_names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SqlRefused(f"More than one column of the answer is called {twice[0]!r}. Name them apart with AS.")
    for place, field in enumerate(table.schema):
        if pa.types.is_null(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(pa.large_string()))
        elif not _is_plain(field.type):
            raise SqlRefused(
                f"The column {field.name!r} of the answer is {field.type}; an answer has numbers, text, booleans, "
                "dates and times. Write it as text, by CAST(… AS VARCHAR), or take it apart."
            )
        if pa.types.is_timestamp(field.type):
            table = table.set_column(place, field.name, _utc(field.name, table.column(place)))
    frame = pl.DataFrame(table)
    for column in frame.iter_columns():
        _check_years(column)
    return frame


def _is_plain(kind: pa.DataType) -> bool:
    is_a = pa.types
    return bool(
        is_a.is_boolean(kind)
        or is_a.is_integer(kind)
        or is_a.is_floating(kind)
        or is_a.is_decimal128(kind)
        or is_a.is_string(kind)
        or is_a.is_large_string(kind)
        or is_a.is_date32(kind)
        or is_a.is_timestamp(kind)
    )


def _utc(name: str, times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times as UTC microseconds. Those without a zone are in that of the query, which is UTC."""
    try:
        return times.cast(_TIME, safe=times.type.unit != "ns")
    except pa.ArrowInvalid:
        raise _beyond(name) from None


def _check_years(column: pl.Series) -> None:
    if column.dtype == pl.Date:
        first, last = _FIRST_US // _US_OF_A_DAY, _LAST_US // _US_OF_A_DAY
    elif isinstance(column.dtype, pl.Datetime):
        first, last = _FIRST_US, _LAST_US
    else:
        return
    if not column.to_physical().is_between(first, last).all():
        raise _beyond(column.name)


def _beyond(name: str) -> SqlRefused:
    return SqlRefused(f"The column {name!r} of the answer has times that are not in the years 1 to 9999.")
