"""What a query may take. The process that runs it reads this, so nothing is imported here that takes long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on one query.

    Attributes:
        processor_s: Seconds of processor time.
        wall_s: Seconds until it must have answered.
        memory_bytes: What DuckDB takes beside the relations; it has no disk to go on with.
        address_bytes: Address space of the process, relations and libraries included.
        answer_rows: Rows of the answer.
        answer_bytes: Length of the answer as an Arrow IPC stream.
    """

    processor_s: int = 10
    wall_s: int = 25
    memory_bytes: int = 512 * 1024**2
    address_bytes: int = 2 * 1024**3
    answer_rows: int = 250_000
    answer_bytes: int = 64 * 1024**2


LIMITS = Limits()
