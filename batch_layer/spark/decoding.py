"""Decoding by Spark: the one decoder there is, over the Arrow batches of each task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame

from batch_layer.spark.columns import arrow_schema, ddl, to_arrow, to_polars
from twofold.decoding import DEAD_LETTER_SCHEMA, TRADE_SCHEMA, decode
from twofold.exclusion import Exclusion, part
from twofold.ledger import Ledger
from twofold.records import RECORD_SCHEMA, batches_of
from twofold.source import Source

DECODED_SCHEMA = pl.Schema(
    {
        "trade": pl.Struct(TRADE_SCHEMA),
        "letter": pl.Struct(DEAD_LETTER_SCHEMA),
        "seen": pl.Boolean(),
        "excluded": pl.Boolean(),
    }
)
"""Columns of decoded records: each is a trade or a dead letter, and the other one is null.

`seen` says of a trade that it does not count: its id is in the ledger, or a lesser copy stands in the same batch.
`excluded` says that it is excluded (`twofold.exclusion`).
"""


def decoded(
    records: DataFrame,
    sources: Mapping[str, Source],
    default_source: str,
    seen: pl.DataFrame,
    exclusions: Sequence[Exclusion],
) -> DataFrame:
    """Decode records (`RECORD_SCHEMA`), and look their trades up among the ids seen (`INTERVAL_SCHEMA`).

    Gives `DECODED_SCHEMA`, in any order.
    """

    def decode_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        ledger = Ledger(seen)
        for batch in batches:
            found = decode(batches_of(to_polars(batch, RECORD_SCHEMA)), sources, default_source)
            parted = part(found.trades, exclusions)
            told_apart = ledger.sort_out(parted.counted)
            yield from _arranged(told_apart.fresh, "trade", seen=False)
            yield from _arranged(told_apart.repeated, "trade", seen=True)
            yield from _arranged(parted.excluded, "trade", seen=False, excluded=True)
            yield from _arranged(found.rejected, "letter", seen=False)

    return records.mapInArrow(decode_batches, ddl(DECODED_SCHEMA))


def _arranged(rows: pl.DataFrame, column: str, *, seen: bool, excluded: bool = False) -> Iterator[pa.RecordBatch]:
    """Rows as one of the two columns of structures; nothing where there are none."""
    if rows.is_empty():
        return
    schema = arrow_schema(DECODED_SCHEMA)
    columns = {name: pa.nulls(rows.height, schema.field(name).type) for name in ("trade", "letter")}
    columns[column] = pa.concat_arrays(to_arrow(rows).to_struct_array().chunks)
    columns["seen"] = pa.repeat(seen, rows.height)
    columns["excluded"] = pa.repeat(excluded, rows.height)
    yield pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
