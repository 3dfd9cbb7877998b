"""The whole seam under chance: every answer is the oracle's at its receipt, and a planted fault is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from twin.faults import FAULTS
from twin.walk import Broken, fails, plan, walk

STEPS = 10


SHARES = 8
"""Parts that the sequences are dealt into, so that several processes can walk them."""


@pytest.mark.timeout(0)
@pytest.mark.usefixtures("asked_for")
@pytest.mark.parametrize("share", range(SHARES))
def test_whatever_happens_every_answer_is_what_is_expected(share: int, lake_begun: Path, seeds: range) -> None:
    for seed in seeds[share::SHARES]:
        walk(lake_begun, seed, STEPS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_within_two_hundred_sequences(fault: str, lake_begun: Path) -> None:
    with FAULTS[fault]():
        found = (fails(lake_begun, plan(seed, STEPS)) for seed in range(200))
        assert isinstance(next(failure for failure in found if failure is not None), AssertionError)


def test_a_broken_law_is_told_with_its_seed_and_the_steps_that_are_enough(lake_begun: Path) -> None:
    with FAULTS["ledger-skipped"](), pytest.raises(Broken, match="steps are enough") as broken:
        [walk(lake_begun, seed, STEPS) for seed in range(200)]
    assert re.search(r"\n  send_(again|otherwise)\(", str(broken.value))
    assert "make twin SEQUENCES=1 FIRST_SEED=" in str(broken.value)


def test_a_seed_gives_the_same_steps_each_time() -> None:
    assert plan(7, STEPS) == plan(7, STEPS)
    assert plan(7, STEPS) != plan(8, STEPS)
