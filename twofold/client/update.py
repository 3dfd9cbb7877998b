"""Updates: the events of a stream, read from its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import polars as pl

_RFC3339 = "%Y-%m-%dT%H:%M:%S%.fZ"


@dataclass(frozen=True)
class Update:
    """What a stream tells at once.

    Attributes:
        kind: `state`: the rows are all that there are, in place of what was told before; `change`: they are others than
            they were told.
        because: Of a `state`, why it comes: `begin`, `unknown_id`, `behind` or `leap`; of a `change` None.
        frame: The rows, with types as in an `Answer`.
        was: Of a `change`, those of the rows that had been closed or revised, as they were told before.
        receipt: What an answer that has all these rows was made of.
        freshness: How fresh they are.
        id: By which the stream can be gone on with.
    """

    kind: Literal["state", "change"]
    because: str | None
    frame: pl.DataFrame
    was: pl.DataFrame
    receipt: dict[str, Any]
    freshness: dict[str, Any]
    id: str


@dataclass(frozen=True)
class Told:
    """An event as it came."""

    kind: str
    id: str
    data: dict[str, Any]

    def update(self, schema: Mapping[str, pl.DataType]) -> Update | None:
        """As an update of rows of a schema; None if the event has none."""
        if self.kind not in {"state", "change"}:
            return None
        data = self.data
        return Update(
            kind="state" if self.kind == "state" else "change",
            because=data.get("because"),
            frame=_frame(data["rows"], schema),
            was=_frame(data.get("was", []), schema),
            receipt=data["receipt"],
            freshness=data["freshness"],
            id=self.id,
        )


class EventReader:
    """Reads server-sent events (HTML, 9.2) as the serving API writes them: lines end with a line feed."""

    def __init__(self) -> None:
        self._rest = b""

    def read(self, chunk: bytes) -> Iterator[Told]:
        """The events that are whole with these bytes."""
        *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
        for block in blocks:
            fields: dict[bytes, bytes] = {}
            for line in block.split(b"\n"):
                name, _, value = line.partition(b":")
                fields[name] = value.removeprefix(b" ")
            if b"data" in fields:
                kind, event_id = fields.get(b"event", b"").decode(), fields.get(b"id", b"").decode()
                yield Told(kind, event_id, orjson.loads(fields[b"data"]))


def _frame(rows: list[dict[str, Any]], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Rows of JSON with the types of an answer."""
    plain = {name: pl.Int64() if dtype.is_integer() else pl.String() for name, dtype in schema.items()}
    times = [
        pl.col(name).str.to_datetime(_RFC3339, time_unit="us", time_zone="UTC")
        for name, dtype in schema.items()
        if isinstance(dtype, pl.Datetime)
    ]
    return pl.DataFrame(rows, schema=plain).with_columns(times).cast(pl.Schema(schema))
