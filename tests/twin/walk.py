"""Walks: sequences of chance, each known by its seed, taken step by step until a law is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from laws.market import NOT_TRADES, OTHERWISE, WHOLLY, Sending
from twin.parts import TABLES
from twin.twin import ALL, MARKETS, MOST_LANES, Twin

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """An action of the twin and what it is given."""

    action: str
    arguments: Arguments

    def __str__(self) -> str:
        return f"{self.action}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"


class Broken(AssertionError):
    """A law was broken on a walk; the message says how to walk there again."""


def walk(lake_begun: Path, seed: int, count: int) -> None:
    """Take the walk of a seed.

    Raises:
        Broken: an answer, or what was published, is not what is expected.
    """
    steps = plan(seed, count)
    failure = fails(lake_begun, steps)
    if failure is None:
        return
    fewest = shortened(lake_begun, steps)
    told = "\n".join(f"  {step}" for step in fewest)
    raise Broken(
        f"Seed {seed} breaks a law, by {type(failure).__name__}: {failure}\n"
        f"{len(fewest)} of its {len(steps)} steps are enough:\n{told}\n"
        f"Walk there again: make twin SEQUENCES=1 FIRST_SEED={seed}"
    ) from failure


def plan(seed: int, count: int) -> list[Step]:
    """So many steps of chance; after the last everything catches up."""
    random = Random(seed)
    names = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=count)
    steps = [Step(name, _ARGUMENTS[name](random) if name in _ARGUMENTS else {}) for name in names]
    steps.insert(0, Step("speed_workers", {"count": 1 + seed % 2}))
    return [*steps, Step("everything_catches_up", {})]


def fails(lake_begun: Path, steps: Sequence[Step]) -> Exception | None:
    """What goes wrong when these steps are taken, if anything does."""
    with Twin(lake_begun) as twin:
        try:
            twin.life_goes_on()
            for step in steps:
                getattr(twin, step.action)(**step.arguments)
                twin.life_goes_on()
            twin.make_answers_again()
        except Exception as failure:  # noqa: BLE001  # an error of the product is a finding too
            return failure
    return None


def shortened(lake_begun: Path, steps: Sequence[Step]) -> list[Step]:
    """The steps without those that it fails without; found by leaving out one at a time, from the last to the first."""
    kept = list(steps)
    for place in reversed(range(len(steps))):
        fewer = kept[:place] + kept[place + 1 :]
        if fails(lake_begun, fewer) is not None:
            kept = fewer
    return kept


def _sending(random: Random) -> Sending:
    """A record of any kind: on time, late, by clocks that run ahead (by 400 s: too far to be believed), or no trade."""
    return Sending(
        lane=0,
        gap_ms=random.choice([0, 900, 31_000]),
        price=random.choice(["0.00000001", "3", "61837.63"]),
        size=random.choice(["0.02", "7"]),
        side=random.choice(["buy", "sell"]),
        late_us=random.choice([0, 0, 0, 1, 60_000_000, 200_000_000, -45_000_000, -400_000_000]),
        collected_late_ms=random.choice([None, None, 75_000, -20_000]),
        not_a_trade=random.randrange(len(NOT_TRADES)) if random.random() < 0.1 else None,
        marker=random.random() < 0.05,
    )


_WEIGHTS: Mapping[str, float] = {
    "produce": 6,
    "burst": 1,
    "send_again": 3,
    "send_otherwise": 3,
    "retry_dead_letters": 1,
    "add_lane": 1,
    "retention": 2,
    "retention_after_kill": 2,
    "time_passes": 1,
    "cycle": 4,
    "killed_cycle": 2,
    "two_cycles": 4,
    "speed_pace": 2,
    "kill_speed": 2,
    "memory": 1,
    "serving_lags": 2,
    "restart_serving": 1,
    "everything_catches_up": 1,
}
"""How often each action is taken, beside the others."""

_ARGUMENTS: Mapping[str, Callable[[Random], Arguments]] = {
    "produce": lambda random: {
        "of": random.choice(MARKETS),
        "sent": [_sending(random) for _ in range(random.randint(1, 5))],
        "backwards": random.random() < 0.3,
    },
    "burst": lambda random: {"of": random.choice(MARKETS), "count": random.randint(6, 20)},
    "send_again": lambda random: {
        "places": [random.randrange(random.choice([4, 40])) for _ in range(random.randint(1, 4))],
        "lanes_on": random.randrange(3),
    },
    "send_otherwise": lambda random: {
        "place": random.randrange(random.choice([4, 40])),
        "lanes_on": random.randrange(3),
        "collected_late_ms": random.choice([0, 1_000, 75_000, 600_000]),
        "sending": _sending(random),
        "differs_in": random.choice([WHOLLY, WHOLLY, *OTHERWISE]),
    },
    "retention": lambda random: {"place": random.randrange(MOST_LANES), "beyond_cut": random.randint(-2, 4)},
    "retention_after_kill": lambda random: {"beyond_cut": random.randint(0, 5)},
    "time_passes": lambda random: {"seconds": random.choice([3, 120, 500])},
    "cycle": lambda random: {"max_records": random.choice([4, 1_000]), "compacts": random.random() < 0.4},
    "killed_cycle": lambda random: {"moment": random.choice(["before", "after"]), "table": random.choice(TABLES)},
    "two_cycles": lambda random: {
        "max_records": random.choice([4, 1_000]),
        "points": random.choice([3, 9, 12, 13, 14, 15, 40]),
    },
    "speed_pace": lambda random: {"number": random.randrange(2), "pace": random.choice([0, 2, ALL])},
    "kill_speed": lambda random: {"number": random.randrange(2), "is_back": random.random() < 0.6},
    "memory": lambda random: {"number": random.randrange(2), "is_full": random.random() < 0.6},
    "serving_lags": lambda random: {"lags": random.random() < 0.6},
}
