"""Sources: what a producer of trades says about its records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

SOURCE_HEADER = "source"
"""The Kafka header that names the source of a record; without it the default source is meant."""

FIRST_AT_HEADER = "first_at"
"""The Kafka header of a record that is a dead letter sent again: its first coordinates, as `<lane>:<offset>`."""

WireFormatName = Literal["canonical", "binance"]
IdKind = Literal["contiguous", "unique", "opaque"]

HORIZON_S = 86_400.0
"""Seconds, by default, for which opaque ids are remembered."""

HOLE_AGE_S = 3600.0
"""Seconds, by default, after which ids that a contiguous source left out are taken for lost."""


class Source(BaseModel):
    """What is true of every record of one producer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    venue: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="Where the trades happened.")
    wire_format: WireFormatName = Field(description="How a record's value is written.")
    ids: IdKind = Field(
        description="`contiguous`: whole numbers per symbol without holes; `unique`: whole numbers, holes mean "
        "nothing; `opaque`: text, such as a hash or a UUID, by which repeats are told for `horizon_s`."
    )
    collected_header: str | None = Field(
        default=None,
        description="The header with the collector's receive time in UTC microseconds, as decimal text.",
    )
    horizon_s: float = Field(
        default=HORIZON_S,
        gt=0,
        description="Seconds, by arrival time, for which opaque ids are remembered; a repeat after that counts anew.",
    )

    @property
    def is_opaque(self) -> bool:
        """Whether its trade ids are text."""
        return self.ids == "opaque"

    @model_validator(mode="after")
    def _ids_can_be_read(self) -> Self:
        if self.is_opaque and self.wire_format != "canonical":
            raise ValueError(
                f"ids of the wire format {self.wire_format!r} are numbers; only `canonical` has opaque ones"
            )
        return self


SHIPPED_SOURCES: dict[str, Source] = {
    "binance-spot": Source(venue="binance", wire_format="binance", ids="contiguous", collected_header="collected_us"),
    "simulator": Source(venue="simulator", wire_format="canonical", ids="contiguous"),
}


def sources_hash(sources: Mapping[str, Source], default_source: str) -> str:
    """A hash of what is declared of the sources: by it and by the decoder a record is the trade that it is."""
    declared = {name: source.model_dump(mode="json") for name, source in sources.items()}
    meaning = orjson.dumps([declared, default_source], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(meaning).hexdigest()[:16]
