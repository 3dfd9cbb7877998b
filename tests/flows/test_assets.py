"""Tables as assets: what a real Prefect server hears of a publication."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from eventually import eventually
from prefect import flow
from scheduling import PrefectServer
from small_market import SmallMarket

from flows.assets import tell_assets
from twofold.publication import GENESIS, Publication

pytestmark = pytest.mark.integration

SUCCEEDED = "prefect.asset.materialization.succeeded"


def heard(prefect: PrefectServer, topic: str, count: int) -> dict[str, dict[str, Any]]:
    """Events of materialisation by table, once there are so many."""
    asked = {"event": {"name": [SUCCEEDED]}, "resource": {"id_prefix": [f"twofold://{topic}/"]}}

    def look() -> list[dict[str, Any]] | None:
        answer = httpx.post(f"{prefect.url}/events/filter", json={"filter": asked}, timeout=60).raise_for_status()
        events: list[dict[str, Any]] = answer.json()["events"]
        return events if len(events) >= count else None

    events = {event["resource"]["prefect.resource.id"].split("/", 3)[3]: event for event in eventually(look)}
    assert len(events) == count
    return events


def upstream(event: dict[str, Any]) -> set[str]:
    """The keys of what an asset was made of."""
    return {each["prefect.resource.id"] for each in event["related"] if each["prefect.resource.role"] == "asset"}


def tell(market: SmallMarket, topic: str, parent: Publication, publication: Publication) -> None:
    """Tell of a publication as a flow does."""

    @flow(name="tells-assets", persist_result=False)
    def tells() -> None:
        tell_assets(market.lake, topic, parent, publication)

    tells()


def test_each_table_that_a_publication_makes_public_is_materialised_of_its_upstream(
    prefect: PrefectServer, tmp_path: Path
) -> None:
    market = SmallMarket(tmp_path / "with space & more")
    market.trade("10:00:00")
    first = market.cycle()
    tell(market, "first.topic", GENESIS, first)
    events = heard(prefect, "first.topic", len(first.tables) + 1)
    assert set(events) == {*first.tables, "publications"}
    assert upstream(events["raw"]) == {"kafka://first.topic"}
    assert upstream(events["trades"]) == {"twofold://first.topic/raw"}
    assert upstream(events["views/bars"]) == {"twofold://first.topic/trades"}
    assert upstream(events["publications"]) == {f"twofold://first.topic/{table}" for table in first.tables}
    assert events["trades"]["payload"] == {"version": first.tables["trades"], "publication": 1}
    assert market.lake.address("trades") in events["trades"]["resource"]["prefect.asset.description"]


def test_a_table_that_did_not_change_is_not_materialised(prefect: PrefectServer, tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.trade("10:00:00")
    first = market.cycle()
    market.poison()
    second = market.cycle()
    tell(market, "second.topic", first, second)
    assert set(heard(prefect, "second.topic", 3)) == {"raw", "dead_letters", "publications"}
