"""That one seed makes one market, whatever faults are asked for."""

from __future__ import annotations

from itertools import islice

from twofold.sources.faults import FaultShares
from twofold.sources.message import Scheduled
from twofold.sources.simulation import simulate_market

NONE = FaultShares()
ALL = FaultShares(late=0.1, repeated=0.1, missing=0.1, broken=0.1)


def simulated(shares: FaultShares = NONE, *, seed: int = 1, start_us: int = 1_723_161_255_000_000) -> list[Scheduled]:
    return list(
        simulate_market(
            rate=100.0,
            symbols=20,
            seed=seed,
            start_us=start_us,
            shares=shares,
            headers=[("source", b"simulator")],
            count=3000,
        )
    )


def test_the_seed_decides_everything() -> None:
    assert simulated(ALL) == simulated(ALL)
    assert simulated(ALL, seed=2) != simulated(ALL)


def test_faults_change_no_trade() -> None:
    whole = {message.value for _, message in simulated()}
    assert {message.value for _, message in simulated(FaultShares(late=0.3, repeated=0.3))} == whole
    assert {message.value for _, message in simulated(FaultShares(missing=0.3))} < whole


def test_a_later_run_uses_no_id_again() -> None:
    first = {message.value for _, message in simulated()}
    later = simulated(start_us=1_723_161_265_000_000)
    ids = [{value.split(b",")[1] for value in run if value} for run in (first, {m.value for _, m in later})]
    assert ids[0].isdisjoint(ids[1])


def test_without_a_count_the_market_has_no_end() -> None:
    endless = simulate_market(rate=1.0, symbols=1, seed=1, start_us=0, shares=NONE, headers=[])
    assert len(list(islice(endless, 10_000))) == 10_000
