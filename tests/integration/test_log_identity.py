"""From a topic that was made anew, or records that retention took, to the next publication, on a real Kafka."""

from __future__ import annotations

import uuid
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from laws.commit_points import crash_after
from small_market import trade_value
from typer.testing import CliRunner, Result

from batch_layer.cycle import BatchCycle
from twofold.cli.app import app
from twofold.errors import TopicReplaced
from twofold.event_log.opening import log_opener
from twofold.event_log.topic import Topic, ensure_topic
from twofold.lake import Lake
from twofold.publication import Publication, Publications
from twofold.settings import Settings, load_settings
from twofold.views import VIEWS

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("TWOFOLD_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("TWOFOLD_TOPIC", f"identity-{uuid.uuid4()}")
    return load_settings()


def trade(settings: Settings, first_id: int, count: int) -> None:
    with closing(KafkaProducer(bootstrap_servers=settings.brokers)) as producer:
        for number in range(first_id, first_id + count):
            producer.send(settings.topic, trade_value("10:00:00", number), partition=0).get(30)


def made(settings: Settings) -> Topic:
    return ensure_topic(settings.brokers, settings.topic, 1)


def cycle(settings: Settings) -> Publication:
    lake = Lake(settings.lake_root)
    one = BatchCycle(lake, log_opener(settings), VIEWS, settings.sources, settings.default_source)
    intake = one.ingest(1_000)
    return one.publish(intake, one.fold(intake))


def run(*arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=answers)


def test_after_consent_cycles_go_on_with_a_topic_made_anew(settings: Settings) -> None:
    old = made(settings)
    trade(settings, 1, 5)
    assert cycle(settings).cut == {old.lane(0): 5}
    with closing(KafkaAdminClient(bootstrap_servers=settings.brokers)) as admin:
        admin.delete_topics([settings.topic])
    new = made(settings)
    trade(settings, 4, 5)
    with pytest.raises(TopicReplaced, match=rf"{old.lane(0)} from 5 on.*doctor --mend"):
        cycle(settings)
    told = run("doctor")
    assert told.exit_code == 1
    assert f"lane {old.lane(0)}: the topic of the name has the id {new.topic_id}" in told.output
    unasked = run("doctor", "--mend", "--yes")
    assert "Not done without asking" in unasked.output
    mended = run("doctor", "--mend", answers="y\n")
    assert (mended.exit_code, mended.output.splitlines()[-1]) == (0, "Sound: 9 tables, 2 publications.")
    after = cycle(settings)
    assert after.cut == {old.lane(0): 5, new.lane(0): 5}
    assert (after.accounts[new.lane(0)].folded, after.accounts[new.lane(0)].duplicates) == (3, 2)


def test_what_a_killed_cycle_kept_is_not_lost_when_retention_takes_it(settings: Settings) -> None:
    topic = made(settings)
    trade(settings, 1, 3)
    cycle(settings)
    trade(settings, 4, 6)
    with crash_after(1):
        cycle(settings)
    trade(settings, 10, 4)
    with closing(KafkaAdminClient(bootstrap_servers=settings.brokers)) as admin:
        admin.delete_records({TopicPartition(settings.topic, 0): 11})
    account = cycle(settings).accounts[topic.lane(0)]
    assert (account.read, account.folded, account.lost) == (13, 11, 2)
    assert account.balanced
    public = Publications(Lake(settings.lake_root)).newest()
    offsets = Lake(settings.lake_root).scan("raw", public.tables["raw"]).select("offset").collect()["offset"]
    assert sorted(offsets) == [*range(9), 11, 12]
