"""The mirror of a real speed worker's state, over a real Arrow Flight door."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from eventually import eventually
from polars.testing import assert_frame_equal
from pyarrow import flight
from small_market import LANES, SmallMarket

from serving.speed_side import FRAMES, SpeedClient, SpeedSide
from twofold.account import Account
from twofold.errors import BaseGone, SpeedAway
from twofold.fold import merge
from twofold.port import free_port
from twofold.views import VIEWS

BARS = VIEWS["bars"]


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    return SmallMarket(tmp_path)


@pytest.fixture
def client(market: SmallMarket) -> Iterator[SpeedClient]:
    with market.live_side() as address:
        client = SpeedClient(address)
        yield client
        client.close()


def caught_up(client: SpeedClient, market: SmallMarket, known: SpeedSide | None = None) -> SpeedSide:
    """The state of the first base once it has all that is logged."""

    def look() -> SpeedSide | None:
        try:
            state = client.follow(0, known, 0)
        except BaseGone:
            return None
        return state if state.header.positions == market.log.end_offsets() and state.frames else None

    return eventually(look)


def bars(state: SpeedSide) -> pl.DataFrame:
    return merge(BARS, pl.concat(state.frames["bars"])).sort(BARS.group)


def test_a_state_has_partials_positions_and_accounts(client: SpeedClient, market: SmallMarket) -> None:
    number = market.trade("10:00:00")
    market.trade("10:00:00", trade_id=number, lane=1)
    market.poison(lane=1)
    state = caught_up(client, market)
    assert state.header.state == "live"
    assert state.header.positions == {LANES[0]: 1, LANES[1]: 2}
    assert state.accounts == {LANES[0]: Account(1, folded=1), LANES[1]: Account(2, duplicates=1, dead_letters=1)}
    assert bars(state)["trades"].to_list() == [1]


def test_what_is_known_grows_by_what_changed(client: SpeedClient, market: SmallMarket) -> None:
    market.trade("10:00:00")
    state = caught_up(client, market)
    for number in range(2 * FRAMES):
        market.trade(f"10:00:{number % 60:02}", price=str(number + 1))
        state = caught_up(client, market, state)
        assert len(state.frames["bars"]) <= FRAMES
    assert not state.header.whole
    assert_frame_equal(bars(state), bars(client.follow(0, None, 0)))


def test_nothing_new_changes_nothing(client: SpeedClient, market: SmallMarket) -> None:
    market.trade("10:00:00")
    state = caught_up(client, market)
    again = client.follow(0, state, 10)
    assert again.frames == state.frames
    assert again.header.version == state.header.version


def test_a_change_is_waited_for(client: SpeedClient, market: SmallMarket) -> None:
    market.trade("10:00:00")
    state = caught_up(client, market)
    market.trade("10:00:01")
    assert client.follow(0, state, 60_000).header.positions == {LANES[0]: 2, LANES[1]: 0}


def test_a_base_that_the_worker_does_not_hold_is_gone(client: SpeedClient, market: SmallMarket) -> None:
    caught_up(client, market)
    with pytest.raises(BaseGone, match="no base for publication 7; it holds \\[0\\]") as caught:
        client.follow(7, None, 0)
    assert (caught.value.sequence, caught.value.held) == (7, [0])


def test_a_worker_that_was_started_again_is_mirrored_whole(market: SmallMarket) -> None:
    market.trade("10:00:00")
    port = free_port()
    client = SpeedClient(f"127.0.0.1:{port}")
    with market.live_side(port):
        before = caught_up(client, market)
    with pytest.raises(SpeedAway, match=f"does not answer at 127.0.0.1:{port}.*`twofold speed`"):
        client.follow(0, before, 0)
    market.trade("10:00:01")
    with market.live_side(port):
        after = caught_up(client, market, before)
        client.close()
    assert after.header.whole
    assert after.header.incarnation != before.header.incarnation
    assert bars(after)["trades"].to_list() == [2]


def test_a_worker_that_fails_to_answer_counts_as_away() -> None:
    class Broken(flight.FlightServerBase):  # type: ignore[misc]  # pyarrow has no types
        def do_action(self, context: object, action: object) -> None:  # noqa: ARG002  # Flight's signature
            raise ValueError("nothing works today")

    with Broken("grpc://127.0.0.1:0") as server:
        client = SpeedClient(f"127.0.0.1:{server.port}")
        with pytest.raises(SpeedAway, match="does not answer"):
            client.follow(0, None, 0)
        client.close()
