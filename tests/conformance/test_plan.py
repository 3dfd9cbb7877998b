"""The plan is what makes a failing run one that can be taken again; and the deck is what makes runs comparable."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from conformance.plan import PARTS, POINTS, TABLES, make_plan
from conformance.traffic import KINDS
from twofold.publication import PUBLICATIONS
from twofold.tables import DEAD_LETTERS, GAP_LOG, GAPS, LEDGER, RAW, TRADES, view_table
from twofold.views import VIEWS

TESTS = Path(__file__).parents[1]
STEPS = 25
SEEDS = range(12)


def digest_elsewhere(seed: int) -> str:
    """The plan's digest as another process works it out, where hashes of text are others."""
    code = f"from conformance.plan import make_plan; print(make_plan({seed}, {STEPS}).digest)"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=TESTS, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_seed_gives_the_same_plan_each_time_with_every_record() -> None:
    assert list(make_plan(7, STEPS).lines()) == list(make_plan(7, STEPS).lines())
    assert make_plan(7, STEPS).digest == digest_elsewhere(7)
    assert make_plan(7, STEPS).digest != make_plan(8, STEPS).digest


def test_fewer_steps_of_a_seed_are_the_first_of_more() -> None:
    assert make_plan(3, 9).steps == make_plan(3, STEPS).steps[:9]


def test_twelve_seeds_kill_each_part_sixty_times_by_the_plan_alone() -> None:
    kills: Counter[str] = Counter()
    for seed in SEEDS:
        kills += sum((step.kills for step in make_plan(seed, STEPS).steps), Counter())
    assert {part: kills[part] >= 60 for part in PARTS} == dict.fromkeys(PARTS, True)


def test_twelve_seeds_kill_batch_cycles_before_and_after_the_commit_to_every_table() -> None:
    points = {step.arguments.get("point") for seed in SEEDS for step in make_plan(seed, STEPS).steps}
    assert points >= set(POINTS)
    specs = (RAW, LEDGER, GAPS, GAP_LOG, TRADES, DEAD_LETTERS, *map(view_table, VIEWS.values()), PUBLICATIONS)
    assert set(TABLES) == {spec.name for spec in specs}


@pytest.mark.parametrize("seed", [0, 5])
def test_every_action_and_every_kind_of_traffic_comes_in_twenty_five_steps(seed: int) -> None:
    steps = make_plan(seed, STEPS).steps
    assert {step.action for step in steps} == {
        *("kill", "cycle", "vacuum", "two_cycles", "speed_paused", "partitions_added", "retention"),
        *("disk_full", "slow_readers"),
    }
    assert {kind for step in steps for kind in step.kinds} == set(KINDS)
    assert all(step.sent for step in steps)
