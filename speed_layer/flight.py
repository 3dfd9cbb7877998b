"""The speed worker's door: an Arrow Flight server with one action, `changes`."""

from __future__ import annotations

from collections.abc import Iterator

from pyarrow import flight

from speed_layer.worker import SpeedWorker
from twofold.errors import BaseGone
from twofold.speed_state import CHANGES, BaseGoneNotice, ChangesRequest


class SpeedServer(flight.FlightServerBase):  # type: ignore[misc]  # pyarrow has no types
    """Serves a worker's state at `grpc://host:port`."""

    def __init__(self, address: str, worker: SpeedWorker) -> None:
        super().__init__(f"grpc://{address}")
        self._worker = worker

    def list_actions(self, context: object) -> list[tuple[str, str]]:  # noqa: ARG002  # Flight's signature
        """Name the one action."""
        return [(CHANGES, "What changed in a base since a version, waiting for a change.")]

    def do_action(self, context: object, action: flight.Action) -> Iterator[bytes]:  # noqa: ARG002  # Flight's signature
        """Answer `changes`; an unknown base is a Flight error whose extra information is a `BaseGoneNotice`."""
        if action.type != CHANGES:
            raise flight.FlightServerError(f"There is no action {action.type!r}; there is {CHANGES!r}.")
        request = ChangesRequest.model_validate_json(action.body.to_pybytes())
        try:
            return iter(self._worker.changes(request))
        except BaseGone as gone:
            notice = BaseGoneNotice(base_gone=gone.sequence, held=gone.held)
            raise flight.FlightServerError(str(gone), notice.model_dump_json().encode()) from None
