"""Replicas of one speed worker over a log in memory, stepped by hand: which of them is asked."""

from pathlib import Path

import pytest
from laws.market import Market, steady_trades
from laws.parts import SteppedWorker

from serving.speed_replicas import SpeedReplicas
from twofold.errors import BaseGone, SpeedAway
from twofold.lake import Lake
from twofold.publication import Publications, found_lake


class Pair:
    """Two replicas, and what asks them."""

    def __init__(self, folder: Path) -> None:
        self.market = Market()
        lake = Lake(str(folder))
        found_lake(lake)
        self.members = [SteppedWorker(lake, self.market.log) for _ in range(2)]
        for member in self.members:
            member.start(Publications(lake).newest())
        self.replicas = SpeedReplicas([member.client for member in self.members])

    def trade(self, *readers: int) -> None:
        """Send trades, which some of the two read."""
        self.market.send(steady_trades(3))
        for place in readers:
            self.members[place].step_to_end(0)

    def asked(self, known: object = None) -> int:
        """Which of the two is asked."""
        side = self.replicas.follow(0, known, 0)  # type: ignore[arg-type]  # a state or None
        return [member.fold(0).incarnation for member in self.members].index(side.header.incarnation)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_one_that_keeps_up_is_asked_on(pair: Pair) -> None:
    for _ in range(3):
        pair.trade(0, 1)
        assert pair.asked() == 0


def test_when_it_is_away_the_other_is_asked_and_stays_so(pair: Pair) -> None:
    pair.trade(0, 1)
    pair.members[0].client.is_away = True
    assert pair.asked() == 1
    pair.members[0].client.is_away = False
    assert pair.asked() == 1


def test_when_it_has_not_come_as_far_as_what_is_known_the_other_is_asked(pair: Pair) -> None:
    pair.trade(0, 1)
    known = pair.replicas.follow(0, None, 0)
    pair.members[0].start(Publications(pair.members[0]._lake).newest())
    assert pair.asked(known) == 1


def test_when_it_stands_still_and_the_other_has_come_further_that_is_asked(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.speed_replicas.COMPARE_S", 0.0)
    pair.trade(0, 1)
    assert pair.asked() == 0
    pair.trade(1)
    assert pair.asked() == 1


def test_while_it_moves_the_other_is_not_asked_though_it_is_ahead(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.speed_replicas.COMPARE_S", 0.0)
    pair.trade(0, 1)
    assert pair.asked() == 0
    pair.trade(0, 1)
    pair.trade(1)
    assert pair.asked() == 0


def test_with_both_away_the_worker_is_away(pair: Pair) -> None:
    for member in pair.members:
        member.client.is_away = True
    with pytest.raises(SpeedAway):
        pair.replicas.follow(0, None, 0)


def test_with_neither_on_the_base_it_is_gone(pair: Pair) -> None:
    for member in pair.members:
        member.stop(0)
    with pytest.raises(BaseGone):
        pair.replicas.follow(0, None, 0)
