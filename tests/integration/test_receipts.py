"""Receipts over a real Kafka: what retention takes is made again from the lake, once the batch side has taken it in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from eventually import eventually
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from served import Served, assert_is_problem, served
from small_market import ROOMY_BYTES, runs, trade_value
from typer.testing import CliRunner

from serving.receipts.checking import check_beside
from serving.receipts.opening import open_receipts
from speed_layer.worker import SpeedWorker
from twofold.cli.app import app
from twofold.event_log.opening import log_opener
from twofold.event_log.topic import Topic, ensure_topic
from twofold.lake import Lake
from twofold.settings import load_settings
from twofold.views import VIEWS

pytestmark = pytest.mark.integration


@pytest.fixture
def topic(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Topic:
    """The topic that the settings name, of two partitions."""
    topic = ensure_topic(kafka, f"receipts-{uuid4().hex}", 2)
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("TWOFOLD_TOPIC", topic.name)
    return topic


def send(kafka: str, topic: Topic, *trade_ids: int) -> None:
    """Send trades of these ids, each to the partition of its last bit, and the first once more to the other."""
    with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
        for trade_id in trade_ids:
            producer.send(topic.name, trade_value(f"10:00:{trade_id:02}", trade_id), partition=trade_id % 2)
        producer.send(
            topic.name, trade_value(f"10:00:{trade_ids[0]:02}", trade_ids[0]), partition=(trade_ids[0] + 1) % 2
        )
        producer.flush()


def take_all(kafka: str, topic: Topic) -> None:
    """Let retention take everything that is in the log now."""
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as client:
        client.delete_records({TopicPartition(topic.name, number): -1 for number in topic.partitions})


def run_cycle() -> None:
    result = CliRunner().invoke(app, ["cycle"])
    assert result.exit_code == 0, result.output


@pytest.fixture
def api(kafka: str, topic: Topic) -> Iterator[Served]:
    """Serving and a speed worker; publication 1 has trades 1 to 4, and 5 to 9 are above its cut."""
    send(kafka, topic, 1, 2, 3, 4)
    run_cycle()
    send(kafka, topic, 4, 5, 6, 7, 8, 9)
    settings = load_settings()
    lake, sources = Lake(settings.lake_root), settings.sources
    worker = SpeedWorker(lake, log_opener(settings), VIEWS, sources, settings.default_source, ROOMY_BYTES)
    receipts = open_receipts(settings, check_beside)
    with runs(worker) as address, served(lake, address, receipts=receipts) as api:
        eventually(lambda: api.is_ready() and [row["trades"] for row in api.rows()] == [9])
        yield api


def again(api: Served, answer: httpx.Response) -> httpx.Response:
    return api.get(f"/v1/receipts/{answer.json()['receipt']['token']}")


def test_an_answer_is_made_again_from_kafka_and_later_from_the_lake_alone(
    api: Served, kafka: str, topic: Topic
) -> None:
    answer = api.get("/v1/views/bars")
    begin, end = answer.content.index(b'"rows":'), answer.content.rindex(b',"freshness":')
    given = b"{%b}" % answer.content[begin:end]
    assert answer.json()["receipt"]["sequence"] == 1
    assert again(api, answer).content == given
    run_cycle()
    take_all(kafka, topic)
    send(kafka, topic, 10, 11)
    run_cycle()
    assert again(api, answer).content == given


def test_what_retention_took_too_soon_is_named(api: Served, kafka: str, topic: Topic) -> None:
    answer = api.get("/v1/views/bars")
    take_all(kafka, topic)
    cut, positions = (answer.json()["receipt"][name] for name in ("cut", "positions"))
    (lane, *_) = topic.lanes
    gone = f"{lane} from {cut[lane]} to {positions[lane] - 1}"
    assert_is_problem(again(api, answer), 410, gone)
    run_cycle()
    assert_is_problem(again(api, answer), 410, gone)


def test_what_was_known_is_told_across_the_cut_until_retention_takes_it(api: Served, kafka: str, topic: Topic) -> None:
    now = datetime.now(UTC)
    known = {"as_of": now.isoformat()}
    answer = api.get("/v1/views/bars", **known)
    assert [row["trades"] for row in answer.json()["rows"]] == [9]
    assert api.rows(as_of=(now - timedelta(hours=1)).isoformat()) == []
    send(kafka, topic, 10, 11)
    eventually(lambda: [row["trades"] for row in api.rows()] == [11])
    assert [row["trades"] for row in api.rows(**known)] == [9]
    take_all(kafka, topic)
    assert_is_problem(api.get("/v1/views/bars", **known, columns="close"), 410, topic.lanes[0])
    assert [row["trades"] for row in api.rows(**known, base="published")] == [4]
