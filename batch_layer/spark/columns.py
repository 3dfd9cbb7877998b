"""Columns: Twofold's schemas as Spark and Arrow, on the way to and from Spark, write them."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
from polars.datatypes import DataTypeClass
from pyspark.sql import DataFrame

_PLAIN: dict[DataTypeClass | type[pl.DataType], tuple[str, pa.DataType]] = {
    pl.String: ("string", pa.string()),
    pl.Int64: ("bigint", pa.int64()),
    pl.Datetime: ("timestamp", pa.timestamp("us", "UTC")),
    pl.Date: ("date", pa.date32()),
    pl.Binary: ("binary", pa.binary()),
    pl.Boolean: ("boolean", pa.bool_()),
}


def ddl(schema: pl.Schema) -> str:
    """A schema as Spark's data definition language writes it."""
    return ", ".join(f"`{name}` {spark_type(dtype)}" for name, dtype in schema.items())


def spark_type(dtype: pl.DataType | DataTypeClass) -> str:
    """A type as Spark writes it; times are microseconds in UTC on both sides."""
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    if isinstance(dtype, pl.List):
        return f"array<{spark_type(dtype.inner)}>"
    if isinstance(dtype, pl.Struct):
        fields = ", ".join(f"`{name}`: {spark_type(inner)}" for name, inner in dtype.to_schema().items())
        return f"struct<{fields}>"
    return _plain(dtype)[0]


def arrow_schema(schema: pl.Schema) -> pa.Schema:
    """A schema in the Arrow types that Spark takes, which knows no large strings and no views."""
    return pa.schema([(name, _arrow_type(dtype)) for name, dtype in schema.items()])


def to_arrow(frame: pl.DataFrame) -> pa.Table:
    """A frame as Spark takes it."""
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(arrow_schema(frame.schema))


def to_polars(data: pa.RecordBatch | pa.Table, schema: pl.Schema) -> pl.DataFrame:
    """The columns of a schema out of what Spark hands over, which may have more."""
    columns = [pl.Series(name, data[name]).cast(dtype) for name, dtype in schema.items()]
    return pl.DataFrame(columns)


def collected(rows: DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Rows brought to the driver: for what is a few per market or lane, never for trades."""
    return to_polars(rows.toArrow(), schema)


def _arrow_type(dtype: pl.DataType | DataTypeClass) -> pa.DataType:
    if isinstance(dtype, pl.Decimal):
        return pa.decimal128(dtype.precision, dtype.scale)
    if isinstance(dtype, pl.List):
        return pa.list_(_arrow_type(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return pa.struct([(name, _arrow_type(inner)) for name, inner in dtype.to_schema().items()])
    return _plain(dtype)[1]


def _plain(dtype: pl.DataType | DataTypeClass) -> tuple[str, pa.DataType]:
    return _PLAIN[dtype if isinstance(dtype, DataTypeClass) else type(dtype)]
