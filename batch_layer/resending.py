"""The resending of dead letters, after a decoder was mended or a source was declared.

The bytes are produced again as they are, with one more header that names the first coordinates, and go the ordinary way
through the log. For the laws that is a new record with an offset and a fate of its own: it is folded at most once
(law 1), and it is counted in its lane's sum (law 5), where the first record stays the dead letter that it was. Its
arrival is the collector's time where it has one, as before, else the new log time: by arrival it was not known earlier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from batch_layer.dead_letters import COORDINATES, by_reason
from batch_layer.retries import retries_above, retries_below, with_first_places
from twofold.clock import Clock, to_epoch_us, utc_now
from twofold.decoding import DECODER_HASH, Reason, decode
from twofold.lake import Lake
from twofold.publication import Publication
from twofold.records import OpenReader, RecordBatch
from twofold.source import FIRST_AT_HEADER, Source
from twofold.sources.message import Message

NULL_HEADER = "null_header"
"""The reason why a record that could be used by now is not sent: the producer cannot write a header without a value."""


@dataclass(frozen=True)
class Resending:
    """What is to be sent, and what is left. Records are counted by their first coordinates, each once.

    Attributes:
        letters: the dead letters to send: `DEAD_LETTER_SCHEMA` and `first_at`, the oldest first.
        sent_before: how many are left because the log holds a retry of them that was not refused.
        refused: how many are left because they are still refused, by the reason of now. A conflict is refused for good,
            whether the record itself became one or a retry of it did.
    """

    letters: pl.DataFrame
    sent_before: int
    refused: Mapping[str, int]

    def messages(self) -> Iterator[Message]:
        """The records to produce. One that is itself a retry keeps its header; any other gets it."""
        for letter in self.letters.iter_rows(named=True):
            headers = [(header["key"], header["value"]) for header in letter["headers"]]
            first_at = letter["first_at"].encode()
            if dict(headers).get(FIRST_AT_HEADER) != first_at:
                headers.append((FIRST_AT_HEADER, first_at))
            yield Message(letter["key"], letter["value"], headers)


def plan_resending(
    lake: Lake,
    publication: Publication,
    letters: pl.LazyFrame,
    open_reader: OpenReader,
    sources: Mapping[str, Source],
    default_source: str,
    clock: Clock = utc_now,
) -> Resending:
    """Choose those dead letters that the log does not hold again yet and that the decoder takes by now.

    Args:
        lake: where they are.
        publication: the one that names them.
        letters: those of it that are meant (`DEAD_LETTER_SCHEMA`).
        open_reader: opens the log, where retries above the cut are looked for.
        sources: the declared sources by name.
        default_source: the source of records without a `source` header.
        clock: what a retry's log time would be; times in the records are judged by it.

    Raises:
        DecoderDiffers: the batch side has another decoder, which need not take what this one does.
        EventLogError: the event log cannot be read.
    """
    publication.check_decoder(DECODER_HASH)
    retries = pl.concat(
        [retries_below(lake, publication), retries_above(open_reader, publication.cut, publication.log)]
    )
    by_age = with_first_places(letters.collect().sort("logged_at", *COORDINATES))
    every = by_age.unique("first_at", keep="first", maintain_order=True)
    settled = retries.filter(~pl.col("fate").is_in(["refused", "conflict"]))
    unsettled = every.join(settled, on="first_at", how="anti", maintain_order="left")
    conflicts = [
        by_age.filter(pl.col("reason") == Reason.CONFLICT).select("first_at"),
        retries.filter(pl.col("fate") == "conflict").select("first_at"),
    ]
    fresh = unsettled.join(pl.concat(conflicts), on="first_at", how="anti", maintain_order="left")
    decoded = decode(_batches(fresh, clock()), sources, default_source)
    taken = fresh.join(decoded.trades, on=COORDINATES, how="semi", maintain_order="left")
    sendable = taken.filter(~pl.col("headers").list.eval(pl.element().struct.field("value").is_null()).list.any())
    refused = by_reason(decoded.rejected.lazy())
    if unwritable := taken.height - sendable.height:
        refused[NULL_HEADER] = unwritable
    if in_conflict := unsettled.height - fresh.height:
        refused[Reason.CONFLICT.value] = in_conflict
    return Resending(sendable, every.height - unsettled.height, refused)


def _batches(letters: pl.DataFrame, now: datetime) -> list[RecordBatch]:
    """Dead letters as they would come from the log if they were logged now, at the places that they have."""
    now_ms = to_epoch_us(now) // 1000
    batches = []
    for (lane,), rows in letters.sort(COORDINATES).group_by("lane", maintain_order=True):
        offsets = rows["offset"].to_list()
        batches.append(
            RecordBatch(
                lane=str(lane),
                offsets=offsets,
                timestamps_ms=[now_ms] * len(offsets),
                keys=rows["key"].to_list(),
                values=rows["value"].to_list(),
                headers=[tuple((header["key"], header["value"]) for header in each) for each in rows["headers"]],
                next_offset=offsets[-1] + 1,
            )
        )
    return batches
