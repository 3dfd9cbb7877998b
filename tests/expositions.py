"""Reading what a process tells in Prometheus' text format."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


def read_exposition(text: str) -> dict[str, Metric]:
    """All metrics by their names, as they are exposed: a counter's ends with `_total`."""
    return {
        f"{metric.name}_total" if metric.type == "counter" else metric.name: metric
        for metric in text_string_to_metric_families(text)
    }


def figures(told: dict[str, Metric], name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The figures of a metric by the values of some labels, in their order; by default of all that it has."""
    return {
        tuple(sample.labels[label] for label in labels or sample.labels): sample.value for sample in told[name].samples
    }


def figure(told: dict[str, Metric], name: str) -> float:
    """The one figure of a metric without labels."""
    (only,) = told[name].samples
    return only.value
