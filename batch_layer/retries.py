"""Retries: records that are dead letters sent again, known by the header with the coordinates that they first had.

A retry is a record like any other, with an offset of its own. That the log holds one is read from the log itself, not
from a list kept beside it, so nothing can be told to be sent that was not, and a crash in between leaves no trace.
"""

from __future__ import annotations

import polars as pl

from batch_layer.dead_letters import COORDINATES
from batch_layer.intake import take_in
from twofold.decoding import Reason
from twofold.decoding.utf8 import to_text
from twofold.lake import Lake
from twofold.lane import Positions, at_least
from twofold.log_identity import LogIdentity
from twofold.publication import Publication
from twofold.records import OpenReader, records_frame
from twofold.resuming import resume
from twofold.source import FIRST_AT_HEADER
from twofold.tables import DEAD_LETTERS, RAW, TRADES

RETRY_SCHEMA = pl.Schema({"lane": pl.String(), "offset": pl.Int64(), "first_at": pl.String(), "fate": pl.String()})
"""Columns of a frame of retries: own coordinates, first coordinates as `<lane>:<offset>`, and what became of it.

`fate` is `folded`, `repeated` (a copy of the trade was there already), `refused` (a dead letter once more), `conflict`
(refused for good, since another body of the trade counts), or `unpublished` where no publication has taken it in yet.
"""

_FIRST_AT = r"^(\S+/\d+(?:~\d+)?:\d+)$"
_CHUNK_RECORDS = 100_000


def retries_below(lake: Lake, publication: Publication) -> pl.DataFrame:
    """The retries that a publication has taken in (`RETRY_SCHEMA`). It reads the headers of all records in `raw`."""
    version = publication.tables.get(RAW.name)
    if version is None:
        return RETRY_SCHEMA.to_frame()
    found = _marked(lake.scan(RAW.name, version))
    letters = lake.scan(DEAD_LETTERS.name, publication.tables[DEAD_LETTERS.name])
    conflict = _among(found, letters.filter(pl.col("reason") == Reason.CONFLICT))
    refused = _among(found, letters)
    folded = _among(found, lake.scan(TRADES.name, publication.tables[TRADES.name]))
    fate = pl.when(conflict).then(pl.lit("conflict")).when(refused).then(pl.lit("refused"))
    return found.with_columns(fate=fate.when(folded).then(pl.lit("folded")).otherwise(pl.lit("repeated")))


def retries_above(open_reader: OpenReader, cut: Positions, log: LogIdentity) -> pl.DataFrame:
    """The retries from a cut of a log to its end of now (`RETRY_SCHEMA`), all of them `unpublished`.

    Raises:
        EventLogError: the event log cannot be read.
    """
    found = [RETRY_SCHEMA.to_frame()]
    reader = resume(open_reader, cut, log)
    try:
        ends = reader.end_offsets()
        while not at_least(reader.positions, ends):
            records = records_frame(take_in(reader, _CHUNK_RECORDS).batches)
            found.append(_marked(records.lazy()).with_columns(fate=pl.lit("unpublished")))
    finally:
        reader.close()
    return pl.concat(found)


def with_first_places(letters: pl.DataFrame) -> pl.DataFrame:
    """Add to dead letters the column `first_at`: for a retry what its header says, else the own coordinates."""
    own = pl.concat_str("lane", pl.lit(":"), "offset")
    marked = letters.join(_marked(letters.lazy()), on=COORDINATES, how="left", maintain_order="left")
    return marked.with_columns(first_at=pl.col("first_at").fill_null(own))


def _marked(records: pl.LazyFrame) -> pl.DataFrame:
    """The records that have the header, and what the last such header says; one that names no coordinates is none."""
    header = pl.element().struct
    named = header.field("value").filter(header.field("key") == FIRST_AT_HEADER)
    first_at = pl.col("headers").list.eval(named).list.last()
    found = records.select(*COORDINATES, first_at=first_at).filter(pl.col("first_at").is_not_null())
    frame = found.collect(engine="streaming")
    return frame.with_columns(to_text(frame["first_at"]).str.extract(_FIRST_AT)).drop_nulls("first_at")


def _among(found: pl.DataFrame, rows: pl.LazyFrame) -> pl.Series:
    """Whether each of the records found is in a table, by coordinates."""
    near = rows.filter(pl.col("offset").is_in(found["offset"].unique().implode()))
    there = near.select(COORDINATES).collect() if found.height else found.select(COORDINATES)
    return found.select(pl.struct(COORDINATES).is_in(there.to_struct().implode())).to_series()
