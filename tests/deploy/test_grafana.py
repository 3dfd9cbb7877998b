"""The dashboard for Grafana: each of its queries is asked of an API that runs, and has the columns that it selects.

Grafana itself is not there. Its plugin Infinity puts the data source's `url` before that of a query, adds the
parameters of `url_options`, takes what `root_selector` leads to, and of each row what the columns select.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from eventually import eventually
from served import Served, served
from small_market import SmallMarket, time_us

from twofold.settings import Settings

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboards" / "twofold.json").read_text(encoding="utf-8"))
(SOURCE,) = yaml.safe_load((FOLDER / "provisioning/datasources/twofold.yaml").read_text(encoding="utf-8"))[
    "datasources"
]
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
VARIABLES: list[dict[str, Any]] = DASHBOARD["templating"]["list"]
QUERIES = {
    **{f"{panel['title']}, {target['refId']}": target for panel in PANELS for target in panel["targets"]},
    **{each["name"]: each["query"]["infinityQuery"] for each in VARIABLES if each["type"] == "query"},
}
CHOSEN = {
    "symbol": "BTCUSDT",
    "interval": "5m",
    "__from": str(time_us("10:00:00") // 1000),
    "__to": str(time_us("11:00:00") // 1000),
}
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")

CONVERSIONS = {
    "string": str,
    "number": float,
    "timestamp": datetime.fromisoformat,
    "boolean": {True: True, False: False}.__getitem__,
}
"""How a value becomes one of a column's type; it raises where it does not."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A market with closed, revised and provisional bars, and a gap."""
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    for clock in ("10:00:10", "10:01:00", "10:05:00", "10:05:01", "10:05:02"):
        market.trade(clock)
    market.trade("10:05:03", symbol="ETHUSDT", trade_id=1)
    market.trade("10:05:04", symbol="ETHUSDT", trade_id=3)
    market.cycle()
    market.trade("10:00:20", price="101")
    market.cycle()
    market.trade("10:05:30")
    with market.live_side() as address, served(market.lake, address) as api:
        eventually(api.is_ready)
        yield api


def filled(text: str) -> str:
    """A text with what was chosen in place of variables; each that it names must be one."""
    return _VARIABLE.sub(lambda found: CHOSEN[found[1] or found[2]], text)


def rows_of(api: Served, query: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = {each["key"]: filled(each["value"]) for each in query["url_options"]["params"]}
    response = api.get(filled(query["url"]), **parameters)
    assert response.status_code == 200, response.text
    found = response.json()
    for name in filter(None, query["root_selector"].split(".")):
        found = found[name]
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("name", QUERIES)
def test_each_query_is_answered_with_the_columns_that_it_selects(api: Served, name: str) -> None:
    query = QUERIES[name]
    rows = rows_of(api, query)
    assert rows
    for column in query["columns"]:
        values = [row[column["selector"]] for row in rows]
        told = [CONVERSIONS[column["type"]](value) for value in values if value is not None]
        assert told, column
        assert column["text"] == column["selector"]


def test_a_column_that_is_not_there_or_of_another_type_would_be_noticed(api: Served) -> None:
    (row, *_) = rows_of(api, QUERIES["$symbol, A"])
    with pytest.raises(KeyError):
        row["no_such_column"]
    with pytest.raises(ValueError, match="could not convert"):
        CONVERSIONS["number"](row["finality"])
    with pytest.raises(KeyError):
        filled("$nothing")


def test_bars_of_the_time_and_the_market_that_were_chosen_are_asked_for(api: Served) -> None:
    rows = rows_of(api, QUERIES["$symbol, A"])
    assert {row["symbol"] for row in rows} == {"BTCUSDT"}
    assert [row["window_start"][11:16] for row in rows] == ["10:00", "10:05"]


def test_each_finality_has_a_colour_of_its_own(api: Served) -> None:
    (panel,) = (each for each in PANELS if each["title"] == "Finality")
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    described = api.get("/openapi.json").json()["components"]["schemas"]["Row"]["properties"]["finality"]["enum"]
    assert list(mapping["options"]) == described
    assert len({option["color"] for option in mapping["options"].values()}) == len(described)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_panels_name_fields_that_their_queries_select(panel: dict[str, Any]) -> None:
    selected = {column["text"] for target in panel["targets"] for column in target["columns"]}
    overridden = {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]}
    assert overridden | set(panel["options"].get("fields", {}).values()) <= selected


def test_all_of_it_asks_the_provisioned_data_source() -> None:
    named = [each["datasource"] for each in [*PANELS, *VARIABLES] if "datasource" in each]
    named += [target["datasource"] for panel in PANELS for target in panel["targets"]]
    assert all(source == {"type": SOURCE["type"], "uid": SOURCE["uid"]} for source in named)
    assert all(query["source"] == "url" and query["type"] == "json" for query in QUERIES.values())
    default = Settings.model_fields["serving_address"].default
    assert SOURCE["url"] == f"http://{default}"
    assert SOURCE["jsonData"]["allowedHosts"] == [SOURCE["url"]]


def test_the_folder_of_dashboards_is_the_one_that_the_page_has_them_copied_to() -> None:
    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/twofold.yaml").read_text("utf-8"))["providers"]
    assert f"dashboards/twofold.json {provider['options']['path']}/" in (FOLDER / "README.md").read_text("utf-8")


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
