"""What the oracle takes: records as they lie in the log, and what is declared of their sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Positions = Mapping[str, int]
"""Lane name to the next offset, exclusive; a lane that is not named has not been read."""

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class OracleRecord:
    """One record of one lane; `timestamp_ms` is the log's own time."""

    lane: str
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class OracleSource:
    """What every record of one source has in common; a hole in contiguous ids means missing trades.

    With a horizon the ids are text, and remembered for so many seconds.
    """

    venue: str
    wire_format: Literal["binance", "canonical"]
    collected_header: str | None = None
    contiguous: bool = True
    horizon_s: float | None = None


SOURCES: Mapping[str, OracleSource] = {
    "binance-spot": OracleSource("binance", "binance", "collected_us"),
    "simulator": OracleSource("simulator", "canonical"),
}
DEFAULT_SOURCE = "simulator"
