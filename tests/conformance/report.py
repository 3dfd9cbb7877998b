"""The report: what was done, what was compared, how long recovery took, and what was wrong."""

from __future__ import annotations

import json
import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from conformance.plan import PARTS

_SHOWN = 15
_COUNTED = ("actions", "kinds", "kills", "points", "disks", "unforeseen", "took_s")


@dataclass(frozen=True)
class Violation:
    """What was not as it must be, and on the way to what."""

    seed: int
    step: int
    action: str
    what: str

    def __str__(self) -> str:
        found = self.what.splitlines()
        more = [f"and {len(found) - _SHOWN} more lines, in violation.txt"] if len(found) > _SHOWN else []
        told = "\n".join(f"  {line}" for line in [*found[:_SHOWN], *more])
        return f"VIOLATION in seed {self.seed}, step {self.step}, {self.action}:\n{told}"


@dataclass
class Report:
    """Counts over all seeds.

    Attributes:
        recoveries_s: by part, and by whether others were down with it, seconds from the start of its process (or, where
            Kafka was away, from when that answered again) to the first answer that was exact and fresh.
    """

    actions: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    records: int = 0
    vacuumed: int = 0
    publications: int = 0
    answers: int = 0
    refusals: int = 0
    disks: Counter[str] = field(default_factory=Counter)
    unforeseen: Counter[str] = field(default_factory=Counter)
    recoveries_s: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    violations: list[Violation] = field(default_factory=list)
    took_s: dict[int, float] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """The table."""
        yield f"{sum(self.actions.values())} actions: {_counted(self.actions)}"
        yield f"{self.records:,} records produced, by kind of traffic: {_counted(self.kinds)}"
        yield f"{sum(self.kills.values())} kills; batch cycles were killed {_counted(self.points)}"
        yield f"disks filled: {_counted(self.disks)}; {self.vacuumed} files vacuumed away"
        yield from (f"{count} times in a log: {error}" for error, count in self.unforeseen.most_common())
        yield f"{'part':8} {'kills':>5}   {'beside it':10} {'recoveries':>10} {'p50 s':>6} {'p95 s':>6} {'max s':>6}"
        for part in PARTS:
            for beside in ("alone", "others"):
                found = self.recoveries_s.get((part, beside), [])
                figures = " ".join(f"{figure:6.2f}" for figure in _figures(found)) if found else "     -      -      -"
                yield f"{part:8} {self.kills[part]:5}   {beside:10} {len(found):10} {figures}"
        yield (
            f"{self.publications} publications and {self.answers:,} answers compared, {self.refusals:,} refusals while "
            f"parts were down; {len(self.violations)} violations"
        )

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        recoveries = {
            f"{part}, {beside}": dict(zip(("p50_s", "p95_s", "max_s"), _figures(found), strict=True))
            | {"count": len(found)}
            for (part, beside), found in sorted(self.recoveries_s.items())
        }
        told = {
            "machine": {"processors": os.cpu_count()},
            **{
                name: dict(getattr(self, name))
                for name in ("actions", "kinds", "kills", "points", "disks", "unforeseen", "took_s")
            },
            **{name: getattr(self, name) for name in ("records", "vacuumed", "publications", "answers", "refusals")},
            "recovery": recoveries,
            "violations": [vars(violation) for violation in self.violations],
        }
        path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _figures(found: list[float]) -> tuple[float, float, float]:
    """Median, 95th percentile (the nearest rank) and the greatest."""
    ranked = sorted(found)
    return tuple(ranked[math.ceil(share * len(ranked)) - 1] for share in (0.5, 0.95, 1.0))  # type: ignore[return-value]


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
