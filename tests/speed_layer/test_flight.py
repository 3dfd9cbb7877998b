"""The worker's door, over the wire."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from eventually import eventually
from pyarrow import flight
from small_market import LANES, SmallMarket

from twofold.speed_state import CHANGES, BaseGoneNotice, ChangesRequest, unpack


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    return SmallMarket(tmp_path)


@pytest.fixture
def client(market: SmallMarket) -> Iterator[flight.FlightClient]:
    with market.live_side() as address, flight.connect(f"grpc://{address}") as client:
        yield client


def ask(client: flight.FlightClient, request: ChangesRequest) -> list[bytes]:
    action = flight.Action(CHANGES, request.model_dump_json().encode())
    return [result.body.to_pybytes() for result in client.do_action(action)]


def wait_for_base(client: flight.FlightClient) -> None:
    def is_held() -> bool:
        try:
            return unpack(ask(client, ChangesRequest(sequence=0)))[0].state == "live"
        except flight.FlightServerError:
            return False

    eventually(is_held)


def test_the_one_action_is_named(client: flight.FlightClient) -> None:
    assert [action.type for action in client.list_actions()] == [CHANGES]


def test_changes_come_as_a_header_and_one_stream_a_view(client: flight.FlightClient, market: SmallMarket) -> None:
    market.trade("10:00:00")
    wait_for_base(client)
    header, frames = unpack(ask(client, ChangesRequest(sequence=0)))
    assert header.positions == {LANES[0]: 1, LANES[1]: 0}
    assert list(frames) == header.views == ["bars", "taker_flow"]
    assert frames["bars"]["trades"].to_list() == [1]


def test_a_base_that_is_not_held_is_a_typed_error(client: flight.FlightClient) -> None:
    wait_for_base(client)
    with pytest.raises(flight.FlightServerError, match="no base for publication 12") as caught:
        ask(client, ChangesRequest(sequence=12))
    notice = BaseGoneNotice.model_validate_json(caught.value.extra_info)
    assert notice == BaseGoneNotice(base_gone=12, held=[0])


def test_an_unknown_action_is_refused_with_the_one_there_is(client: flight.FlightClient) -> None:
    with pytest.raises(flight.FlightServerError, match=f"no action 'stop'; there is '{CHANGES}'") as caught:
        list(client.do_action(flight.Action("stop", b"")))
    assert not caught.value.extra_info


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'{"sequence": "x"}'])
def test_a_malformed_request_is_an_error_and_the_worker_goes_on(client: flight.FlightClient, body: bytes) -> None:
    with pytest.raises(pa.ArrowException):
        list(client.do_action(flight.Action(CHANGES, body)))
    wait_for_base(client)
