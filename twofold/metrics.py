"""Metrics: figures that a process tells of itself in Prometheus' text format, read when they are asked for.

Names and units follow Prometheus' naming guide: base units, `_total` for what only rises, points in time as Unix times.
What a lane's records became are gauges, since they may go down: a duplicate turns out to be a conflict, a record that
was lost turns up in `raw`, and a lake that went back takes its counts back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from twofold.account import Accounts

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""What metrics come as."""

FATES = ("folded", "duplicates", "dead_letters", "lost", "excluded")
"""What may become of a record that was read, as an account (`twofold.account`) calls it."""

Samples = Mapping[tuple[str, ...], float]
"""Values of the labels, in their order, to the figure."""

Family = GaugeMetricFamily | CounterMetricFamily


@dataclass(frozen=True)
class Metric:
    """A metric, declared once: its table in the documents and what is exposed both come from here.

    Attributes:
        name: As it is exposed; a counter's ends with `_total`.
        meaning: A sentence without its full stop.
        labels: What its figures are told apart by.
        kind: Its type, as Prometheus calls it.
    """

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter", "histogram"] = "gauge"

    def told(self, samples: Samples) -> Family:
        """The metric with its figures, of which there may be none."""
        made = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = made(self.name, self.meaning, labels=self.labels)
        for labels, figure in samples.items():
            family.add_metric(labels, figure)
        return family


def registry_of(*collectors: Collector) -> CollectorRegistry:
    """A registry with these collectors and the standard figures about the process (Linux has them).

    It is no part of the library's global one: a process may hold several applications.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # else each counter comes with the time it was made at
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    ProcessCollector(registry=registry)
    return registry


def exposed(registry: CollectorRegistry) -> bytes:
    """All figures of a registry in the text format."""
    return generate_latest(registry)


def by_lane(figures: Mapping[str, float]) -> Samples:
    """Samples of a metric whose one label is the lane."""
    return {(lane,): figure for lane, figure in figures.items()}


def fates(accounts: Accounts) -> Samples:
    """Samples of a metric by lane and fate."""
    return {(lane, fate): getattr(account, fate) for lane, account in accounts.items() for fate in FATES}


def read_records(accounts: Accounts) -> Samples:
    """Samples of a metric by lane: the records read, which law 5 compares the sum of the fates with."""
    return {(lane,): account.read for lane, account in accounts.items()}
