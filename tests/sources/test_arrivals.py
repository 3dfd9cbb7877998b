"""When simulated trades happen."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise
from random import Random

from twofold.sources.arrivals import arrival_times


def test_times_rise_and_equal_seeds_give_equal_times() -> None:
    once, again = (list(islice(arrival_times(50.0, Random(3)), 5000)) for _ in range(2))
    assert once == again
    assert all(before < after for before, after in pairwise(once))
    assert once != list(islice(arrival_times(50.0, Random(4)), 5000))


def test_the_rate_holds_over_the_long_run() -> None:
    *_, last_s = islice(arrival_times(100.0, Random(1)), 400_000)
    assert 0.9 < 400_000 / last_s / 100.0 < 1.1


def test_there_are_bursts() -> None:
    per_second = Counter(int(at_s) for at_s in islice(arrival_times(100.0, Random(1)), 100_000))
    counts = [per_second[second] for second in range(max(per_second))]
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)
    assert variance > 10 * mean  # a steady Poisson process would have them equal
    assert max(counts) > 3 * 100
