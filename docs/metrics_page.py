"""Writes metrics.md, beside this file, from the metrics as they are declared. Run by `make docs`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from serving.metrics import collector, requests
from speed_layer import metrics as worker
from twofold.metrics import Metric

PAGE = Path(__file__).with_name("metrics.md")
RULES = Path(__file__).parents[1] / "deploy" / "prometheus" / "rules.yml"

HEAD = """\
# Metrics

Serving tells the metrics of the first table at `GET /metrics`, in Prometheus' text format. They are about the batch
side, by its newest publication, about the live side, as serving heard it, and about serving itself. The speed worker
tells those of the second table at `/metrics` of `TWOFOLD_SPEED_METRICS_ADDRESS`, which is empty by default: then it
tells none. Both also have the standard `process_…` metrics. This page is written by `make docs`.

Points in time are Unix times, so that an age is `time() - …`. Event times are those of the trades: over a replay of an
old capture they are old. Counts of records are gauges, since they may go down: a duplicate turns out to be a conflict,
a record that was lost turns up in `raw`, and a lake that went back takes its counts back. No metric has symbols, paths
that were asked for or anything else that others may make up as a label.
"""

ALERTS = """
## Alerts

`deploy/prometheus/` has a configuration for Prometheus with rules for these alerts, and unit tests of them (`promtool
test rules`). `deploy/grafana/` has a dashboard of operations, `dashboards/operations.json`, with its data source. Of a
cycle that a quality gate holds there is no alert, since there is no such gate yet.

| alert | severity | what happened | what to do |
| --- | --- | --- | --- |
"""

TABLE = """
| metric | type | labels | what it is |
| --- | --- | --- | --- |
"""


def _table(metrics: Iterable[Metric]) -> str:
    rows = ((f"`{metric.name}`", metric.kind, _named(metric.labels), metric.meaning) for metric in metrics)
    return TABLE + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _named(labels: Iterable[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _alerts() -> str:
    """One row per alert of the rules."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    told = ((f"`{rule['alert']}`", rule["labels"]["severity"], *_said(rule["annotations"])) for rule in rules)
    return ALERTS + "".join(f"| {' | '.join(row)} |\n" for row in told)


def _said(annotations: dict[str, str]) -> tuple[str, str]:
    return annotations["summary"], annotations["action"]


def page() -> str:
    """The whole page as Markdown: one row per metric as they are declared, and one per alert."""
    serving = _table((*collector.METRICS, *requests.METRICS))
    return f"{HEAD}\n## Serving\n{serving}\n## Speed worker\n{_table(worker.METRICS)}{_alerts()}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
