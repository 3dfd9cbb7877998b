"""The batch cycle as a flow: a real Prefect server, a real Kafka, a real lake."""

import uuid
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from eventually import eventually
from kafka import KafkaProducer
from prefect.client.schemas.objects import State
from scheduling import PrefectServer
from small_market import trade_value
from typer.testing import CliRunner

import batch_layer.engine
import batch_layer.spark.java
from batch_layer.cycle import BatchCycle
from batch_layer.turn import turn
from flows.batch_cycle import ARTIFACT, QUALITY, batch_cycle
from twofold.cli.app import app
from twofold.errors import EngineMissing
from twofold.event_log.opening import log_opener
from twofold.event_log.topic import Topic, ensure_topic
from twofold.hold import Holds
from twofold.lake import Lake
from twofold.lane import Positions
from twofold.port import free_port
from twofold.prefect_events import CYCLE_HELD, lake_resource
from twofold.publication import GENESIS, Publications, found_lake
from twofold.records import OpenReader, RecordReader
from twofold.settings import Settings
from twofold.views import VIEWS

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("prefect")]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """The lake that the settings name."""
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path))
    lake = Lake(str(tmp_path / "lake"))
    found_lake(lake)
    return lake


@pytest.fixture
def topic(kafka: str, monkeypatch: pytest.MonkeyPatch) -> Topic:
    """The topic that the settings name, of two partitions."""
    topic = ensure_topic(kafka, f"flows-{uuid.uuid4()}", 2)
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("TWOFOLD_TOPIC", topic.name)
    return topic


def send(brokers: str, topic: Topic, records: Mapping[int, list[bytes]]) -> None:
    """Send records, by partition."""
    with closing(KafkaProducer(bootstrap_servers=brokers)) as producer:
        for partition, values in records.items():
            for value in values:
                producer.send(topic.name, value, partition=partition)
        producer.flush(timeout=60)


def run(max_records: int | None = None) -> State[Any]:
    """The state in which the flow ends."""
    return batch_cycle(max_records, return_state=True)


def table(prefect: PrefectServer, state: State[Any], key: str = ARTIFACT) -> list[dict[str, Any]]:
    """The rows of a table that a run left."""
    rows_of = {found["key"]: found["data"] for found in artifacts(prefect, state)}
    rows: list[dict[str, Any]] = orjson.loads(rows_of[key])
    return rows


def artifacts(prefect: PrefectServer, state: State[Any]) -> list[dict[str, Any]]:
    """The tables that a run left."""
    found: list[dict[str, Any]] = prefect.find("artifacts", artifacts={"flow_run_id": {"any_": [run_id(state)]}})
    assert all(each["type"] == "table" for each in found)
    return found


def run_id(state: State[Any]) -> str:
    return str(state.state_details.flow_run_id)


def test_a_cycle_moves_the_cut_and_tables_what_it_did(
    prefect: PrefectServer, kafka: str, topic: Topic, lake: Lake
) -> None:
    first = [trade_value("10:00:00", number) for number in range(5)]
    send(kafka, topic, {0: first, 1: [b"{", trade_value("10:00:01", 77)]})
    assert run().is_completed()
    send(kafka, topic, {0: [first[0], trade_value("10:00:02", 5)]})
    state = run()

    assert state.is_completed()
    assert state.message == "Publication 2: 2 records taken in."
    publication = Publications(lake).newest()
    assert publication.sequence == 2
    assert publication.cut == {topic.lane(0): 7, topic.lane(1): 2}
    assert table(prefect, state) == [
        {
            "lane": topic.lane(0),
            "read": 2,
            "folded": 1,
            "duplicates": 1,
            "dead letters": 0,
            "lost": 0,
            "excluded": 0,
            "lost offsets": "",
            "missing": 0,
            "old cut": 5,
            "new cut": 7,
            "stalled": False,
        },
        {
            "lane": topic.lane(1),
            "read": 0,
            "folded": 0,
            "duplicates": 0,
            "dead letters": 0,
            "lost": 0,
            "excluded": 0,
            "lost offsets": "",
            "missing": 71,
            "old cut": 2,
            "new cut": 2,
            "stalled": False,
        },
    ]


def test_a_cycle_without_news_says_so_and_publishes_nothing(topic: Topic, lake: Lake) -> None:
    state = run()
    assert (state.type, state.name) == ("COMPLETED", "Nothing new")
    assert state.message == "The log ends at the cut of publication 0."
    assert Publications(lake).newest().sequence == 0
    assert topic.name


def test_a_cycle_of_another_decoder_is_published_without_any_record(
    kafka: str, topic: Topic, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(kafka, topic, {0: [trade_value("10:00:00", 1)]})
    run()
    monkeypatch.setattr("batch_layer.cycle.DECODER_HASH", "another decoder")
    assert run().message == "Publication 2: 0 records taken in."
    assert Publications(lake).newest().decoder_hash == "another decoder"
    assert run().name == "Nothing new"


def test_a_cycle_takes_in_about_as_many_records_as_it_is_told(kafka: str, topic: Topic, lake: Lake) -> None:
    for number in range(4):
        send(kafka, topic, {0: [trade_value("10:00:00", number)]})  # each a record batch of its own
    run(1)
    assert Publications(lake).newest().cut[topic.lane(0)] == 1
    run()
    assert Publications(lake).newest().cut[topic.lane(0)] == 4


def test_a_broker_that_is_away_is_tried_again_and_then_named(
    prefect: PrefectServer, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", address)
    state = run()
    assert state.is_failed()
    assert f"No Kafka broker answers at {address}" in str(state.message)
    assert "TWOFOLD_BOOTSTRAP_SERVERS" in str(state.message)
    assert prefect.tries(state) == {"ingest": 4}
    assert Publications(lake).newest().sequence == 0


def test_while_another_cycle_is_at_work_this_one_is_skipped(
    topic: Topic, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_CYCLE_INTERVAL_S", "0.1")
    with turn(lake):
        state = run()
    assert (state.type, state.name) == ("COMPLETED", "Skipped")
    assert "Another batch cycle is at work" in str(state.message)
    assert run().name == "Nothing new"
    assert topic.name


def test_a_cycle_that_was_overtaken_ends_as_superseded(
    prefect: PrefectServer, kafka: str, topic: Topic, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opens_late(settings: Settings) -> OpenReader:
        """What opens the log when another cycle has just published."""

        def open_reader(start: Positions) -> RecordReader:
            other = BatchCycle(lake, log_opener(settings), VIEWS, settings.sources, settings.default_source)
            intake = other.ingest(1000)
            other.publish(intake, other.fold(intake))
            return log_opener(settings)(start)

        return open_reader

    monkeypatch.setattr(batch_layer.engine, "log_opener", opens_late)
    send(kafka, topic, {0: [trade_value("10:00:00", 1)]})
    state = run()
    assert (state.type, state.name) == ("COMPLETED", "Superseded")
    assert "comes too late" in str(state.message)
    assert Publications(lake).newest().sequence == 1
    assert prefect.tries(state) == {"ingest": 1, "fold": 1, "publish": 1}


@pytest.mark.usefixtures("topic")
def test_a_run_may_name_another_engine_than_the_settings(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(batch_layer.spark.java, "_INSTALLED", tmp_path)
    state = batch_cycle(engine="spark", return_state=True)
    assert state.is_failed()
    with pytest.raises(EngineMissing, match="Java 17 or 21"):
        state.result()
    assert Publications(lake).newest() == GENESIS
    assert run().is_completed()


def held_events(server: PrefectServer, topic: Topic) -> list[dict[str, Any]]:
    """What the server was told of cycles of a topic that are held."""
    asked = {"event": {"name": [CYCLE_HELD]}, "resource": {"id": [lake_resource(topic.name)]}}
    answer = httpx.post(f"{server.url}/events/filter", json={"filter": asked}, timeout=60).raise_for_status()
    events: list[dict[str, Any]] = answer.json()["events"]
    return events


def test_a_poisoned_cycle_fails_as_held_and_the_next_wait_for_a_person(
    prefect: PrefectServer, kafka: str, topic: Topic, lake: Lake
) -> None:
    send(kafka, topic, {0: [trade_value("10:00:00", number) for number in range(5)]})
    state = run()
    assert {each["outcome"] for each in table(prefect, state, QUALITY)} <= {"passed", "warned"}
    send(kafka, topic, {0: [trade_value("10:01:00", 5 + number, price="10000") for number in range(5)]})
    state = run()
    assert (state.is_failed(), state.name) == (True, "Held")
    assert "twofold held show 1" in str(state.message)
    failed = [each for each in table(prefect, state, QUALITY) if each["outcome"] == "failed"]
    assert [(each["check"], each["failed"]) for each in failed] == [("price_near_published", 5)]
    waiting = run()
    assert (waiting.is_completed(), waiting.name) == (True, "Held")
    assert artifacts(prefect, waiting) == []
    assert [event["payload"] for event in eventually(lambda: held_events(prefect, topic))] == [{"hold": 1}]
    assert Publications(lake).newest().sequence == 1
    assert len(Holds(lake).all()) == 1
    for command, outcome in (("release", "has what was held"), ("list", "published")):
        printed = CliRunner().invoke(app, ["held", command, *(["1"] if command == "release" else [])])
        assert outcome in printed.stdout
    assert Publications(lake).newest().cut[topic.lane(0)] == 10
    assert run().name == "Nothing new"
