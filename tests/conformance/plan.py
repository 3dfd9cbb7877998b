"""The plan of a seed: which actions, in which order, with which arguments, trades included. Nothing else decides it.

Actions are dealt from a deck, not thrown by dice: 25 steps hold each card once, so that they hold a known number of
kills of each part, whatever the seed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from laws.commit_points import Moment

from conformance.traffic import KINDS, Message, Traffic

PARTS = ("speed", "serving", "cycle", "kafka")
"""What can be killed."""

TABLES = (
    *("raw", "ledger", "gaps", "gap_log", "trades", "dead_letters"),
    *("views/bars", "views/taker_flow"),
    "publications",
)
"""The tables that a cycle commits to, in about that order."""

Point = tuple[Moment, str]
"""An instant of a cycle: right before or right after its commit to a table."""

POINTS: Sequence[Point] = [(moment, table) for table in TABLES for moment in ("before", "after")]

MOST_PARTITIONS = 6


@dataclass(frozen=True)
class Step:
    """An action, its arguments, and what is produced before it and in the midst of it."""

    number: int
    action: str
    arguments: dict[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    sent: tuple[Message, ...] = ()
    meanwhile: tuple[Message, ...] = ()

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.action}({arguments}) after {len(self.sent)} records ({', '.join(self.kinds)})" + (
            f", amid {len(self.meanwhile)} more" if self.meanwhile else ""
        )

    def whole(self) -> Iterator[str]:
        """A line for the step, and one for each record."""
        yield f"step {self.number}: {self}"
        yield from (f"  sent before {message}" for message in self.sent)
        yield from (f"  sent amid   {message}" for message in self.meanwhile)

    @property
    def kills(self) -> Counter[str]:
        """How often it kills each part, at least."""
        killed = Counter(self.arguments.get("parts", ()))
        return killed + Counter(part for part in PARTS if self.arguments.get(f"kills_{part}"))


@dataclass(frozen=True)
class Plan:
    """All steps of a seed, after an opening that every run begins with."""

    seed: int
    opening: tuple[Message, ...]
    steps: tuple[Step, ...]

    def lines(self) -> Iterator[str]:
        """The whole plan as text."""
        yield f"seed {self.seed}"
        yield from (f"  sent first  {message}" for message in self.opening)
        for step in self.steps:
            yield from step.whole()

    @property
    def digest(self) -> str:
        """Equal for equal plans."""
        return hashlib.sha256("\n".join(self.lines()).encode()).hexdigest()[:12]


def make_plan(seed: int, count: int) -> Plan:
    """So many steps of a seed."""
    random = Random(seed)
    traffic = Traffic(random)
    opening = tuple(traffic.opening())
    cards, kinds, chance = _dealt(_DECK, random), _dealt(list(KINDS), random), _Chance(random, _points(seed))
    steps = []
    for number in range(1, count + 1):
        action, make = next(cards)
        arguments = make(chance)
        if action == "partitions_added":
            traffic.partitions = min(MOST_PARTITIONS, traffic.partitions + 1)
        come = ("ordinary", next(kinds), next(kinds))
        sent = tuple(traffic.of(come))
        steps.append(Step(number, action, arguments, come, sent, tuple(traffic.of([next(kinds)]))))
    return Plan(seed, opening, tuple(steps))


def _dealt(deck: Sequence[Any], random: Random) -> Iterator[Any]:
    """The cards of a deck without end: all of them in an order of chance, and then again in another."""
    while True:
        yield from random.sample(deck, len(deck))


def _points(seed: int) -> Iterator[Point]:
    """Commit points, going on from seed to seed where the one before it leaves off, so that all are come to."""
    place = seed * _CYCLE_KILLS
    while True:
        yield POINTS[place * 7 % len(POINTS)]
        place += 1


@dataclass(frozen=True)
class _Chance:
    """What arguments are made of."""

    random: Random
    points: Iterator[Point]

    def often(self, share: float) -> bool:
        """True in that share of cases."""
        return self.random.random() < share


Make = Callable[[_Chance], dict[str, Any]]


def _always(**arguments: object) -> Make:
    return lambda _: arguments


def _kill(*parts: str) -> tuple[str, Make]:
    def make(chance: _Chance) -> dict[str, Any]:
        live = [part for part in parts if part != "cycle"]
        arguments: dict[str, Any] = {"parts": parts, "back": tuple(chance.random.sample(live, len(live)))}
        if "cycle" in parts:
            arguments["point"] = next(chance.points)
        if "kafka" in parts:
            arguments["amid_burst"] = chance.often(0.5)
        arguments["cycle_before"] = "cycle" not in parts and chance.often(0.4)
        arguments["cycle_after"] = chance.often(0.6 if "cycle" in parts else 0.2)
        return arguments

    return "kill", make


def _two_cycles(chance: _Chance) -> dict[str, Any]:
    way = chance.random.choice(["other_ends_first", "other_waits", "side_by_side"])
    return {"way": way, "point": chance.random.choice(POINTS), "compacts": chance.often(0.5)}


def _retention(chance: _Chance) -> dict[str, Any]:
    return {
        "place": chance.random.randrange(MOST_PARTITIONS),
        "beyond_cut": chance.random.choice([-3, 0, 1, 4, 9]),
        "cycle_after": chance.often(0.7),
        "kills_speed": chance.often(0.6),
    }


def _vacuum(chance: _Chance) -> dict[str, Any]:
    return {"full": chance.often(0.5), "kills_serving": chance.often(0.5)}


def _speed_paused(chance: _Chance) -> dict[str, Any]:
    return {"seconds": chance.random.choice([1, 3, 7]), "trims": chance.often(0.5)}


def _disk_full(chance: _Chance) -> dict[str, Any]:
    return {"room_bytes": chance.random.choice([0, 4_096, 12_288, 32_768, 65_536])}


def _slow_readers(chance: _Chance) -> dict[str, Any]:
    return {"pause_ms": chance.random.choice([1, 3]), "cycle_amid": chance.often(0.5)}


_DECK: list[tuple[str, Make]] = [
    *[_kill("speed")] * 2,
    *[_kill("serving")] * 2,
    *[_kill("kafka")] * 2,
    *[_kill("cycle")] * 3,
    _kill("speed", "serving"),
    _kill("speed", "kafka"),
    _kill("serving", "kafka"),
    _kill("speed", "cycle"),
    _kill("speed", "serving", "cycle", "kafka"),
    ("cycle", _always(compacts=False)),
    ("cycle", _always(compacts=True)),
    ("vacuum", _vacuum),
    *[("two_cycles", _two_cycles)] * 2,
    ("speed_paused", _speed_paused),
    ("partitions_added", _always()),
    *[("retention", _retention)] * 2,
    ("disk_full", _disk_full),
    ("slow_readers", _slow_readers),
]
"""What 25 steps consist of: an action, and what makes its arguments."""

_CYCLE_KILLS = 5
"""How many kills of batch cycles the deck holds."""
