"""Automations on a real Prefect server: applied by the command, and fired by events that it hears."""

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from eventually import eventually
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events import emit_event
from prefect.events.schemas.automations import AutomationCore
from prefect.states import Running
from scheduling import PrefectServer
from small_market import SmallMarket

from flows.automations import apply_automations, automations
from speed_layer.heartbeat import beating
from speed_layer.worker import SpeedWorker
from twofold.errors import UnknownName
from twofold.prefect_events import CYCLE_HELD, HEARTBEAT, STATE, lake_resource, worker_resource
from twofold.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def topic() -> str:
    return f"automated-{uuid.uuid4()}"


def apply(server: PrefectServer, topic: str, **settings: str) -> dict[str, str]:
    """Apply by the command; gives what became of each automation."""
    ended = subprocess.run(
        [sys.executable, "-m", "twofold", "prefect", "apply"],
        env=server.environment | {"TWOFOLD_TOPIC": topic} | settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return {line[10:]: line[:10].strip() for line in ended.stdout.splitlines()}


def kept(server: PrefectServer) -> dict[str, dict[str, Any]]:
    """The automations that the server keeps, by name."""
    return {each["name"]: each for each in server.find("automations")}


def fired(server: PrefectServer, automation: str) -> list[dict[str, Any]]:
    """The events by which the server says that an automation fired."""
    asked = {
        "event": {"name": ["prefect.automation.triggered"]},
        "resource": {"id": [f"prefect.automation.{automation}"]},
    }
    answer = httpx.post(f"{server.url}/events/filter", json={"filter": asked}, timeout=60).raise_for_status()
    events: list[dict[str, Any]] = answer.json()["events"]
    return events


def test_applying_twice_changes_nothing(prefect: PrefectServer, topic: str) -> None:
    first = apply(prefect, topic)
    assert {name for name, outcome in first.items() if topic in name and outcome == "created"} == {
        f"twofold {topic}: {what}" for what in ("live data is stale", "published data is stale", "a cycle is held")
    }
    before = kept(prefect)
    assert set(first) <= set(before)
    again = apply(prefect, topic)
    assert set(again.values()) == {"unchanged"}
    assert kept(prefect) == before


def test_one_that_was_changed_by_hand_is_mended_and_one_that_was_paused_stays_so(
    prefect: PrefectServer, topic: str
) -> None:
    apply(prefect, topic)
    name = f"twofold {topic}: a cycle is held"
    with get_client(sync_client=True) as client:
        (found,) = client.read_automations_by_name(name)
        other = AutomationCore(
            **found.model_dump(exclude={"owner_resource"}) | {"description": "other", "enabled": False}
        )
        client.update_automation(found.id, other)
    assert apply(prefect, topic)[name] == "changed"
    mended = kept(prefect)[name]
    assert mended["description"] == found.description
    assert not mended["enabled"]


def test_a_held_cycle_fires_its_automation(prefect: PrefectServer, topic: str) -> None:
    apply(prefect, topic)
    automation = kept(prefect)[f"twofold {topic}: a cycle is held"]["id"]

    def look() -> list[dict[str, Any]]:
        emit_event(CYCLE_HELD, {"prefect.resource.id": lake_resource(topic)})  # until the server knows the automation
        return fired(prefect, automation)

    assert eventually(look, within_s=120)
    other = kept(prefect)[f"twofold {topic}: published data is stale"]["id"]
    assert not fired(prefect, other)


class Desk(BaseHTTPRequestHandler):
    """Where people are told: keeps what was posted."""

    told: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        """Keep it."""
        self.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()


def test_people_are_told_by_the_block_that_the_settings_name(prefect: PrefectServer, topic: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as desk:
        threading.Thread(target=desk.serve_forever, daemon=True).start()
        CustomWebhookNotificationBlock(
            name="desk",
            url=f"http://127.0.0.1:{desk.server_port}/",
            json_data={"subject": "{{subject}}", "body": "{{body}}"},
        ).save("desk")
        named = {"TWOFOLD_NOTIFICATION_BLOCK": "custom-webhook/desk"}
        assert apply(prefect, topic, **named)[f"twofold {topic}: a cycle is held"] == "created"
        assert set(apply(prefect, topic, **named).values()) == {"unchanged"}

        def look() -> list[dict[str, str]]:
            emit_event(CYCLE_HELD, {"prefect.resource.id": lake_resource(topic)})
            return Desk.told

        (told, *_) = eventually(look, within_s=60)
        desk.shutdown()
    assert told["subject"] == "Twofold: a cycle is held"
    assert f"twofold {topic}: a cycle is held: A batch cycle failed its checks" in told["body"]
    assert lake_resource(topic) in told["body"]


def hurried(topic: str, what: str) -> uuid.UUID:
    """Create an automation as it is but for its name and that it waits ten seconds only; gives its id."""
    (found,) = [each for each in automations(topic, None) if each.name.endswith(what)]
    trigger = found.trigger.model_copy(update={"within": timedelta(seconds=10)})
    with get_client(sync_client=True) as client:
        return client.create_automation(found.model_copy(update={"name": f"{topic} hurried", "trigger": trigger}))


def test_live_data_is_stale_once_the_heartbeats_of_a_live_worker_cease(prefect: PrefectServer, topic: str) -> None:
    automation = str(hurried(topic, "live data is stale"))
    for state in ("live", "paused"):
        emit_event(HEARTBEAT, {"prefect.resource.id": worker_resource(topic, "0.0"), STATE: state})
    assert eventually(lambda: fired(prefect, automation), within_s=120)


@pytest.mark.usefixtures("prefect")
def test_a_run_whose_process_fell_silent_is_set_to_crashed(topic: str) -> None:
    automation = hurried(topic, "a run is stuck")

    @flow(name="stuck")
    def stuck() -> None:
        """Never runs here: its process is gone."""

    with get_client(sync_client=True) as client:
        runs = [client.create_flow_run(stuck, state=Running(), tags=tags) for tags in (["twofold"], ["of-others"])]
        for run in runs:
            tags = [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in run.tags]
            resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}"}
            emit_event("prefect.flow-run.heartbeat", resource, related=tags)
        ours, others = runs
        eventually(lambda: client.read_flow_run(ours.id).state_type == StateType.CRASHED, within_s=120)
        assert client.read_flow_run(others.id).state_type == StateType.RUNNING
        client.delete_automation(automation)  # or it would end runs of other tests


def test_a_block_that_is_missing_is_named(prefect: PrefectServer, topic: str) -> None:
    with pytest.raises(UnknownName, match="There is no Prefect block 'slack-webhook/nobody'"):
        apply_automations(Settings(topic=topic, notification_block="slack-webhook/nobody"))
    assert not [name for name in kept(prefect) if topic in name]


def test_without_a_server_it_says_so(topic: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "twofold", "prefect", "apply"],
        env=os.environ | {"PREFECT_API_URL": "http://127.0.0.1:1/api", "TWOFOLD_TOPIC": topic},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("twofold: The Prefect server at http://127.0.0.1:1/api does not do as asked")


@contextmanager
def beats(worker: SpeedWorker, topic: str, api: str) -> Iterator[None]:
    """Run a worker whose heart beats often."""
    thread = threading.Thread(target=worker.run)
    with beating(worker, "0.0", topic, {"PREFECT_API_URL": api}, every_s=0.2):
        thread.start()
        try:
            yield
        finally:
            worker.stop()
            thread.join()


def test_the_server_hears_of_a_worker_and_of_its_lag(prefect: PrefectServer, topic: str, tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.trade("10:00:01")
    market.cycle()
    market.trade("10:00:02")
    asked = {"event": {"name": [HEARTBEAT]}, "resource": {"id": [worker_resource(topic, "0.0")]}}

    def look() -> list[dict[str, Any]]:
        answer = httpx.post(f"{prefect.url}/events/filter", json={"filter": asked}, timeout=60).raise_for_status()
        return [each for each in answer.json()["events"] if each["resource"][STATE] == "live"]

    with beats(market.worker(), topic, prefect.url):
        heard = eventually(look, within_s=60)
    assert heard[0]["payload"]["base"] == 1
    assert heard[0]["payload"]["lag_records"] == 0


def test_without_a_server_a_worker_folds_on(topic: str, tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.trade("10:00:01")
    market.cycle()
    worker = market.worker()
    with beats(worker, topic, "http://127.0.0.1:1/api"):
        market.trade("10:00:02")
        eventually(lambda: [each for each in worker.readings.values() if each.state == "live"])
        market.trade("10:00:03")
        newest = [each.fold for each in worker.readings.values()][-1]
        eventually(lambda: sum(account.folded for account in newest.snapshot.accounts.values()) >= 2)
