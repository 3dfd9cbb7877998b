"""Two speed workers over a log in memory, stepped by hand: what they say together is the oracle's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from at_once import AtOnce
from hypothesis import given, settings
from hypothesis import strategies as st
from laws.market import TOPIC, Market, Sending, sendings, steady_trades
from laws.parts import SteppedWorker, check_accounts, check_rows, cuts_up_to, everything_merged_soon, one_in, run_cycle
from memory_log import Poll

from serving.batch_side import load_batch_side
from serving.speed_replicas import SpeedReplicas
from serving.speed_side import SpeedClient, SpeedSide
from serving.speed_workers import SpeedWorkers, speed_of
from twofold.errors import BaseGone, SpeedAway
from twofold.lake import Lake
from twofold.lane import Share, at_least
from twofold.publication import Publication, Publications, found_lake
from twofold.views import VIEWS

EVERYTHING: Poll = [(place, 2**62) for place in range(4)]


class Crew:
    """Two workers, with so many replicas of the second, and serving's side of them."""

    def __init__(self, folder: Path, replicas: int = 1) -> None:
        self.market = Market()
        self.lake = Lake(str(folder / "lake"))
        found_lake(self.lake)
        self.members = [SteppedWorker(self.lake, self.market.log, Share(n, 2)) for n in (0, *[1] * replicas)]
        self.restart_serving()
        self.start(self.publication)

    @property
    def publication(self) -> Publication:
        return Publications(self.lake).newest()

    def restart_serving(self) -> None:
        first, *others = (member.client for member in self.members)
        self.workers = SpeedWorkers([SpeedReplicas([first]), SpeedReplicas(others)], AtOnce())

    def start(self, publication: Publication) -> None:
        for member in self.members:
            member.start(publication)

    def read(self, sequence: int, poll: Poll = EVERYTHING) -> None:
        for member in self.members:
            member.step(sequence, poll)

    def check(self, publication: Publication) -> SpeedSide:
        """What the workers say together, compared with the oracle."""
        batch = load_batch_side(self.lake, VIEWS, publication, None)
        speed = self.workers.follow(publication.sequence, None, 0)
        cuts = cuts_up_to(self.lake, publication.sequence)
        check_rows(batch, speed, self.market.oracle(), cuts, (300,))
        check_accounts(batch, speed, self.market.oracle(), cuts)
        return speed


@pytest.fixture
def crew(tmp_path: Path) -> Crew:
    return Crew(tmp_path)


def test_each_reads_its_lanes_and_together_they_have_all(crew: Crew) -> None:
    crew.market.send(steady_trades(20))
    crew.read(0)
    said = [member.client.follow(0, None, 0).header.positions for member in crew.members]
    assert [sorted(lane[-1] for lane in positions) for positions in said] == [["0", "2"], ["1"]]
    assert crew.check(crew.publication).header.positions == crew.market.log.end_offsets()


def test_a_partition_that_is_added_is_read_by_the_worker_that_has_its_number(crew: Crew) -> None:
    crew.market.log.add_lane(f"{TOPIC}/3")
    crew.market.send(steady_trades(20, lanes=4))
    crew.read(0)
    assert f"{TOPIC}/3" in crew.members[1].client.follow(0, None, 0).header.positions
    assert crew.check(crew.publication).header.positions == crew.market.log.end_offsets()


def test_a_symbol_that_moves_to_the_other_worker_while_resends_come_counts_once(crew: Crew) -> None:
    trades = [Sending(lane=0, gap_ms=900, trade_id=number, price=str(1 + number % 5)) for number in range(30)]
    crew.market.send(trades[:20])
    crew.read(0)
    crew.check(crew.publication)
    moved = [Sending(lane=1, gap_ms=900, trade_id=one.trade_id, price=one.price) for one in trades[15:]]
    crew.market.send(moved[:8])
    crew.read(0)
    crew.check(crew.publication)
    crew.market.send([*moved[8:], *trades[18:22]])
    crew.read(0)
    assert sum(account.folded for account in crew.check(crew.publication).accounts.values()) == 30


def test_of_copies_that_differ_in_lanes_of_two_workers_the_least_counts(crew: Crew) -> None:
    late = Sending(lane=0, gap_ms=0, trade_id=1, price="3", collected_late_ms=0)
    crew.market.send(
        [late, Sending(lane=1, gap_ms=0, trade_id=1, price="0.1", collected_late_ms=75_000, otherwise=True)]
    )
    crew.market.send([Sending(lane=2, gap_ms=0, trade_id=1, price="7", collected_late_ms=76_000, otherwise=True)])
    for polls in ([(0, 1)], [(1, 1)], [(2, 1)]):
        crew.read(0, polls)
        crew.check(crew.publication)


@settings(one_in(6))
@given(
    sent=st.lists(st.lists(sendings(otherwise=True), min_size=5, max_size=15), min_size=2, max_size=4),
    polls=st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5)), max_size=4), min_size=1, max_size=3),
    restarts=st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_in_whatever_pieces_they_read_the_answer_is_the_oracles(
    tmp_path_factory: pytest.TempPathFactory, sent: list[list[Sending]], polls: list[Poll], restarts: Sequence[int]
) -> None:
    with everything_merged_soon():
        crew = Crew(tmp_path_factory.mktemp("crew"))
        for sendings_of_turn, restart in zip(sent, restarts, strict=False):
            crew.market.send(sendings_of_turn)
            for poll in polls:
                crew.read(0, poll)
                crew.check(crew.publication)
            if restart == 2:
                crew.restart_serving()
            elif restart < 2:
                crew.members[restart].start(crew.publication)
                crew.members[restart].step_to_end(0)
            crew.check(crew.publication)


def test_while_one_worker_is_away_there_is_no_state_and_then_there_is(crew: Crew) -> None:
    crew.market.send(steady_trades(20))
    crew.read(0)
    crew.check(crew.publication)
    crew.members[1].client.is_away = True
    with pytest.raises(SpeedAway):
        crew.workers.follow(0, None, 0)
    crew.members[1].client.is_away = False
    crew.members[1].start(crew.publication)
    crew.read(0)
    assert crew.check(crew.publication).header.positions == crew.market.log.end_offsets()


def test_what_the_others_tell_while_one_is_away_is_compared_too(crew: Crew) -> None:
    trade = Sending(lane=0, gap_ms=0, trade_id=5)
    crew.market.send([trade])
    crew.read(0)
    crew.check(crew.publication)
    crew.members[0].client.is_away = True
    crew.market.send([Sending(lane=1, gap_ms=0, trade_id=5)])
    crew.read(0)
    with pytest.raises(SpeedAway):
        crew.workers.follow(0, None, 0)
    crew.members[0].client.is_away = False
    crew.check(crew.publication)


def test_a_base_is_there_when_every_worker_has_it(crew: Crew) -> None:
    crew.market.send(steady_trades(20))
    crew.read(0)
    publication = run_cycle(crew.lake, crew.market.log, max_records=9)
    crew.members[0].start(publication)
    crew.members[0].step_to_end(publication.sequence)
    with pytest.raises(BaseGone):
        crew.workers.follow(publication.sequence, None, 0)
    crew.members[1].start(publication)
    crew.members[1]._worker._readings[publication.sequence].ready_at_s = None
    behind = crew.workers.follow(publication.sequence, None, 0)
    assert (behind.header.state, dict(behind.frames)) == ("catching_up", {})
    crew.members[1].start(publication)
    crew.read(publication.sequence)
    crew.check(publication)
    crew.check(Publications(crew.lake).at(0))


def test_a_worker_that_was_catching_up_is_mirrored_whole_once_it_can_answer(crew: Crew) -> None:
    crew.market.send(steady_trades(20))
    crew.read(0)
    crew.check(crew.publication)
    crew.members[1].start(crew.publication)
    crew.members[1]._worker._readings[0].ready_at_s = None
    crew.members[1].step(0, [(1, 3)])
    assert crew.workers.follow(0, None, 0).header.state == "catching_up"
    crew.members[1].step_to_end(0)
    crew.members[1]._worker._readings[0].ready_at_s = 0.0
    crew.check(crew.publication)


def test_a_replica_takes_over_and_is_asked_until_the_other_has_come_further(tmp_path: Path) -> None:
    crew = Crew(tmp_path, replicas=2)
    crew.market.send(steady_trades(20))
    crew.read(0)
    before = crew.check(crew.publication).header
    crew.members[1].client.is_away = True
    after = crew.check(crew.publication).header
    assert at_least(after.positions, before.positions)
    assert after.incarnation != before.incarnation
    crew.members[1].client.is_away = False
    assert crew.check(crew.publication).header.incarnation == after.incarnation


def test_a_replica_that_is_behind_is_not_taken_for_one_that_answers(tmp_path: Path) -> None:
    crew = Crew(tmp_path, replicas=2)
    crew.market.send(steady_trades(20))
    for member in crew.members[:2]:
        member.step_to_end(0)
    before = crew.check(crew.publication).header
    assert crew.check(crew.publication).header.incarnation == before.incarnation


def test_a_worker_that_has_another_number_or_other_fellows_is_refused(crew: Crew) -> None:
    stranger = SteppedWorker(crew.lake, crew.market.log, Share(0, 3))
    stranger.start(crew.publication)
    client = crew.members[0].client
    client._worker = stranger._worker
    with pytest.raises(SpeedAway, match=r"is number 0 of 3, and not 0 of 2.*TWOFOLD_SPEED_ADDRESS.*--worker"):
        client.follow(0, None, 0)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def test_a_change_of_either_is_heard_while_the_other_is_silent(crew: Crew, executor: ThreadPoolExecutor) -> None:
    workers = SpeedWorkers([SpeedReplicas([member.client]) for member in crew.members], executor)
    crew.read(0)
    heard = before = workers.follow(0, None, 0)
    crew.market.send([Sending(lane=1, gap_ms=0)])
    crew.members[1].step_to_end(0)
    while heard.header.version == before.header.version:
        heard = workers.follow(0, heard, 5_000)
    assert heard.header.positions == crew.market.log.end_offsets()


def test_one_that_is_away_is_so_whatever_the_other_tells(crew: Crew, executor: ThreadPoolExecutor) -> None:
    workers = SpeedWorkers([SpeedReplicas([member.client]) for member in crew.members], executor)
    crew.read(0)
    workers.follow(0, None, 0)
    crew.members[0].client.is_away = True
    with pytest.raises(SpeedAway):
        workers.follow(0, None, 0)
    for _ in range(20):
        crew.market.send([Sending(lane=1, gap_ms=0)])
        crew.members[1].step_to_end(0)
        with pytest.raises(SpeedAway):
            workers.follow(0, None, 5_000)


def test_one_worker_by_itself_is_asked_as_if_there_were_no_others() -> None:
    assert isinstance(speed_of([["a:1"]]), SpeedClient)
    assert isinstance(speed_of([["a:1", "a:2"]]), SpeedReplicas)
    several = speed_of([["a:1"], ["b:1", "b:2"]])
    assert isinstance(several, SpeedWorkers)
    several.close()
