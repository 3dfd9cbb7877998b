"""Files are taken in beside a live Kafka, speed worker and serving, and files of the lake are joined in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from eventually import eventually
from import_maker import lines
from kafka import KafkaProducer
from served import Served, served
from small_market import ROOMY_BYTES, runs, trade_value
from typer.testing import CliRunner

import batch_layer.maintenance.compaction
from batch_layer.backfill.backfill import Backfill
from batch_layer.backfill.import_file import ImportFile
from batch_layer.engine import polars_cycle
from batch_layer.maintenance.maintenance import Maintenance
from batch_layer.turn import turn
from serving.receipts.checking import check_beside
from serving.receipts.opening import open_receipts
from speed_layer.worker import SpeedWorker
from twofold.cli.app import app
from twofold.clock import utc_now
from twofold.event_log.opening import log_opener
from twofold.event_log.topic import Topic, ensure_topic
from twofold.lake import Lake
from twofold.lane import at_least
from twofold.settings import load_settings
from twofold.views import VIEWS

pytestmark = pytest.mark.integration

LIVE = range(100, 160)
FILED = range(130)


@pytest.fixture
def topic(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Topic:
    """The topic that the settings name, of two partitions."""
    topic = ensure_topic(kafka, f"backfill-{uuid4().hex}", 2)
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("TWOFOLD_TOPIC", topic.name)
    monkeypatch.setattr("batch_layer.backfill.backfill.CHUNK_RECORDS", 20)
    monkeypatch.setattr(batch_layer.maintenance.compaction, "FILES", 2)
    return topic


@pytest.fixture
def lake(topic: Topic) -> Lake:
    assert topic.partitions
    return Lake(load_settings().lake_root)


@pytest.fixture
def api(lake: Lake) -> Iterator[Served]:
    """Serving and a speed worker over an empty topic."""
    settings = load_settings()
    command("cycle")
    worker = SpeedWorker(lake, log_opener(settings), VIEWS, settings.sources, settings.default_source, ROOMY_BYTES)
    with runs(worker) as address, served(lake, address, receipts=open_receipts(settings, check_beside)) as api:
        eventually(api.is_ready)
        yield api


def trade(number: int) -> bytes:
    return trade_value(f"10:{number // 60:02}:{number % 60:02}", number)


def send(kafka: str, topic: Topic, *numbers: int) -> None:
    with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
        for number in numbers:
            producer.send(topic.name, trade(number), partition=number % 2)
        producer.flush()


def command(*words: object) -> None:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == 0, result.output


def count(api: Served) -> int:
    return sum(row["trades"] for row in api.rows(last=10))


def test_a_trade_that_the_log_brings_as_well_counts_once_whichever_is_first(
    api: Served, kafka: str, topic: Topic, tmp_path: Path
) -> None:
    send(kafka, topic, *LIVE)
    eventually(lambda: count(api) == len(LIVE))
    before = api.get("/v1/views/bars", last=10)
    command("backfill", lines(tmp_path / "days.ndjson", *map(trade, FILED), b"{"))
    eventually(lambda: count(api) == 160)
    given_then = api.get(f"/v1/receipts/{before.json()['receipt']['token']}").json()
    assert given_then["rows"] == before.json()["rows"]
    command("cycle")
    send(kafka, topic, 5, 160)
    eventually(lambda: count(api) == 161)
    eventually(lambda: api.rows(last=10, base="published")[-1]["trades"] == 40)
    accounts = {each["lane"]: each for each in api.get("/v1/lanes").json()["lanes"]}
    (imported,) = [lane for lane in accounts if lane.startswith("import-")]
    fates = ("read", "folded", "duplicates", "dead_letters")
    assert [accounts[imported][fate] for fate in fates] == [131, 130, 0, 1]
    assert accounts[imported]["closed"]
    assert all(account["balanced"] for account in accounts.values())
    assert sum(accounts[lane]["duplicates"] for lane in topic.lanes) == 31


def test_answers_stay_exact_while_files_and_trades_come_and_the_lake_is_maintained(
    api: Served, lake: Lake, kafka: str, topic: Topic, tmp_path: Path
) -> None:
    file = lines(tmp_path / "days.ndjson", *map(trade, FILED))
    settings = load_settings()
    job = Backfill(ImportFile(file, settings), lake, lambda: polars_cycle(settings, lake), 10)
    runs_on = threading.Thread(target=lambda: list(job.steps()))
    receipts: list[tuple[str, object]] = []
    positions: dict[str, int] = {}
    runs_on.start()
    for number in LIVE:
        send(kafka, topic, number)
        if number % 10 == 0:
            command("cycle")
        if number % 25 == 0:
            maintain(lake)
        answer = api.get("/v1/views/bars", last=10)
        if answer.is_success:
            receipt = answer.json()["receipt"]
            assert at_least(receipt["positions"], positions)
            positions = receipt["positions"]
            receipts.append((receipt["token"], answer.json()["rows"]))
    runs_on.join()
    command("cycle")
    maintain(lake)
    eventually(lambda: count(api) == 160)
    assert [row["trades"] for row in api.rows(last=10)] == [60, 60, 40]
    for token, rows in receipts:
        assert api.get(f"/v1/receipts/{token}").json()["rows"] == rows


def maintain(lake: Lake) -> None:
    """Maintain with nothing retained, as if two hours had passed."""
    with turn(lake, 60):
        job = Maintenance(lake, 0.0, lambda: utc_now() + timedelta(hours=2))
        job.clean(job.publish(job.compact()))
