"""Value at risk and expected shortfall, against counts by hand and against the normal distribution."""

import math
from datetime import date
from statistics import NormalDist

import numpy as np
import pytest

from batch_layer.end_of_day.risk import historical_losses, seed_of, simulated_losses, tail_risk
from twofold.clock import from_epoch_us
from twofold.publication import Publication


def test_value_at_risk_is_the_loss_that_so_many_days_do_not_exceed() -> None:
    losses = np.arange(1.0, 101.0)
    assert tail_risk(losses, 0.95) == (95.0, pytest.approx(np.mean([96, 97, 98, 99, 100])))
    assert tail_risk(losses, 0.99) == (99.0, 100.0)


def test_of_an_item_that_is_partly_in_the_tail_a_part_counts() -> None:
    losses = np.array([float(number) for number in range(1, 31)])
    assert tail_risk(losses, 0.95) == (29.0, pytest.approx((30 + 0.5 * 29) / 1.5))
    assert tail_risk(losses, 0.99) == (30.0, 30.0)


def test_order_does_not_matter() -> None:
    losses = np.random.default_rng(1).normal(size=250)
    assert tail_risk(losses, 0.95) == tail_risk(losses[::-1].copy(), 0.95)


def test_history_is_gone_through_again_with_what_is_held_today() -> None:
    returns = np.log(np.array([[1.1, 0.9], [0.5, 1.0]]))
    assert historical_losses(np.array([100.0, -50.0]), returns) == pytest.approx([-15.0, 50.0])


def test_simulated_risk_is_that_of_the_normal_distribution_with_the_sample_covariance() -> None:
    returns = np.random.default_rng(2).multivariate_normal([0, 0], [[1e-4, 8e-5], [8e-5, 4e-4]], size=250)
    values = np.array([1000.0, -300.0])
    sigma = math.sqrt(values @ np.cov(returns.T) @ values)
    risk = tail_risk(simulated_losses(values, returns, seed=3), 0.95)
    z = NormalDist().inv_cdf(0.95)
    assert risk.value_at_risk == pytest.approx(z * sigma, rel=0.03)
    assert risk.expected_shortfall == pytest.approx(NormalDist().pdf(z) / 0.05 * sigma, rel=0.03)


def test_equal_seeds_draw_equal_scenarios_and_others_do_not() -> None:
    returns = np.random.default_rng(2).normal(size=(30, 3)) / 100
    values = np.array([1.0, 2.0, 3.0])
    first, again, other = (simulated_losses(values, returns, seed) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_markets_that_move_alike_can_be_simulated() -> None:
    returns = np.repeat(np.random.default_rng(2).normal(size=(30, 1)) / 100, 2, axis=1)
    assert np.abs(simulated_losses(np.array([1.0, -1.0]), returns, 1)).max() < 1e-6


def test_the_seed_is_of_publication_and_day() -> None:
    publication = Publication(1, from_epoch_us(1))
    seeds = {
        seed_of(publication, date(2024, 8, 9)),
        seed_of(publication, date(2024, 8, 10)),
        seed_of(Publication(2, from_epoch_us(1)), date(2024, 8, 9)),
        seed_of(Publication(1, from_epoch_us(2)), date(2024, 8, 9)),
    }
    assert len(seeds) == 4
    assert seed_of(publication, date(2024, 8, 9)) == seed_of(Publication(1, from_epoch_us(1)), date(2024, 8, 9))
