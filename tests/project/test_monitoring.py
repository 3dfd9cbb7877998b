"""deploy/prometheus and deploy/grafana: rules that fire when they should, over metrics that there are."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.metrics import collector, requests
from speed_layer import metrics as worker

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
UNIT_TESTS = sorted(PROMETHEUS.glob("*_test.yml"))
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads(
    (ROOT / "deploy" / "grafana" / "dashboards" / "operations.json").read_text(encoding="utf-8")
)
DECLARED = (*collector.METRICS, *requests.METRICS, *worker.METRICS)
EXPOSED = {metric.name for metric in DECLARED if metric.kind != "histogram"} | {
    f"{metric.name}_{part}" for metric in DECLARED if metric.kind == "histogram" for part in ("bucket", "count", "sum")
}


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("There is no promtool on the path: apt-get install -y prometheus, which has it")
    return subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)


def _queries() -> Iterator[tuple[str, str]]:
    """All queries of the dashboard, by the title of their panel."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def _named(query: str) -> set[str]:
    return set(re.findall(r"\btwofold_\w+", query))


def test_the_configuration_names_rules_that_are_there() -> None:
    checked = _promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.name)
def test_the_rules_fire_when_they_should_and_only_then(path: Path) -> None:
    ran = _promtool("test", "rules", str(path))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_rule_that_does_not_fire_fails_its_unit_test(tmp_path: Path) -> None:
    shutil.copy(UNIT_TESTS[0], tmp_path)
    rules = (PROMETHEUS / "rules.yml").read_text(encoding="utf-8")
    (tmp_path / "rules.yml").write_text(rules.replace("twofold_lake_up == 0", "twofold_lake_up == 2"), encoding="utf-8")
    ran = _promtool("test", "rules", str(tmp_path / UNIT_TESTS[0].name))
    assert ran.returncode != 0
    assert "TwofoldLakeAway" in ran.stdout + ran.stderr


def test_each_alert_is_seen_to_fire_in_a_unit_test() -> None:
    fired = set(re.findall(r'alertname="(\w+)"', "".join(path.read_text(encoding="utf-8") for path in UNIT_TESTS)))
    assert fired == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_says_what_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description", "action"}
    assert all(rule["annotations"].values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_metric_that_an_alert_is_about_is_exposed(rule: dict[str, Any]) -> None:
    assert _named(rule["expr"]) <= EXPOSED


def test_each_job_that_an_alert_is_about_is_read() -> None:
    read = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    about = {job for rule in RULES for job in re.findall(r'job="([\w-]+)"', rule["expr"])}
    assert about == {each["job_name"] for each in read}


def test_each_metric_that_the_dashboard_shows_is_exposed() -> None:
    shown = {name for _, query in _queries() for name in _named(query)}
    assert shown <= EXPOSED
    assert len(shown) > 15


def test_the_dashboard_s_queries_are_well_formed(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": _filled(query)} for number, (_, query) in enumerate(_queries())]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    checked = _promtool("check", "rules", str(path))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_panel_of_the_dashboard_asks_the_data_source_that_is_provisioned() -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning" / "datasources"
    (source,) = yaml.safe_load((folder / "prometheus.yaml").read_text(encoding="utf-8"))["datasources"]
    asked = {(panel["datasource"]["type"], panel["datasource"]["uid"]) for panel in DASHBOARD["panels"]}
    assert asked == {(source["type"], source["uid"])}
    assert all(panel["title"] and panel["description"] for panel in DASHBOARD["panels"])


def test_the_page_of_metrics_has_each_alert() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "metrics_page.py"))["page"]()
    assert {rule["alert"] for rule in RULES} <= set(re.findall(r"`(Twofold\w+)`", page))


def _filled(query: str) -> str:
    """A query with what Grafana puts in place of its variables."""
    return query.replace("$__rate_interval", "1m").replace("$__interval", "1m")
