"""Dead letters listed, retried after the mend and folded once, through the command line and a real Kafka."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from click.testing import Result
from kafka import KafkaProducer
from small_market import time_us, trade_value
from typer.testing import CliRunner

from batch_layer.intake import take_in
from speed_layer.base import load_base
from speed_layer.base_fold import BaseFold
from twofold.cli.app import app
from twofold.event_log.opening import log_opener
from twofold.event_log.topic import Topic, ensure_topic
from twofold.lake import Lake
from twofold.publication import Publication, Publications
from twofold.settings import load_settings
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS

pytestmark = pytest.mark.integration

FRAME = b'{"e":"trade","s":"BTCUSDT","t":5,"p":"100.5","q":"2","T":%d,"m":true}' % (time_us("10:00:00") // 1000)


@dataclass(frozen=True)
class Fault:
    """A record that is refused, and the settings under which it would not be."""

    value: bytes
    headers: list[tuple[str, bytes]]
    reason: str
    mend: Mapping[str, str]
    venue: str


DESK = {"venue": "desk", "wire_format": "canonical", "ids": "unique"}
DECLARED = {name: source.model_dump(exclude_none=True) for name, source in SHIPPED_SOURCES.items()} | {"desk": DESK}
FAULTS = {
    "undeclared source": Fault(
        trade_value("10:00:00", 5),
        [("source", b"desk")],
        "unknown_source",
        {"TWOFOLD_SOURCES": json.dumps(DECLARED)},
        "desk",
    ),
    "default source of another wire format": Fault(
        FRAME, [], "missing_field", {"TWOFOLD_DEFAULT_SOURCE": "binance-spot"}, "binance"
    ),
}


@pytest.fixture
def topic(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Topic:
    """The topic that the settings name, of two partitions."""
    topic = ensure_topic(kafka, f"letters-{uuid4().hex}", 2)
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("TWOFOLD_TOPIC", topic.name)
    return topic


def run(*words: str, answer: str = "") -> Result:
    result = CliRunner().invoke(app, words, input=answer)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def plan(result: Result) -> dict[str, str]:
    """What a retry said that it sends and leaves."""
    parts = (line.partition(":") for line in result.stdout.splitlines())
    return {head: rest.strip() for head, _, rest in parts if head in {"to send", "sent before", "still refused"}}


def table(publication: Publication, name: str) -> pl.DataFrame:
    return Lake(load_settings().lake_root).scan(name, publication.tables[name]).collect()


def cycled() -> Publication:
    """The publication of one more cycle."""
    assert run("cycle").exit_code == 0
    return Publications(Lake(load_settings().lake_root)).newest()


def live_fold(publication: Publication) -> BaseFold:
    """A speed fold on a publication's base that has read to the end of the log."""
    settings = load_settings()
    base = load_base(Lake(settings.lake_root), publication, settings.sources)
    fold = BaseFold(base, VIEWS, settings.sources, settings.default_source)
    with closing(log_opener(settings)(base.cut)) as reader:
        fold.apply(take_in(reader, 1_000).batches, reader.positions, ())
    return fold


def letter_of(publication: Publication, fault: Fault) -> dict[str, Any]:
    """The dead letter that the fault's record became."""
    letters = table(publication, "dead_letters").filter(pl.col("value") == fault.value, pl.col("offset") == 0)
    return letters.row(0, named=True)


@pytest.fixture(params=FAULTS.values(), ids=FAULTS)
def fault(request: pytest.FixtureRequest, kafka: str, topic: Topic) -> Fault:
    """A record that is refused, in the log before one that no decoder takes."""
    fault: Fault = request.param
    with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
        for value in (fault.value, b"{"):
            producer.send(topic.name, value, b"BTCUSDT", fault.headers).get(timeout=60)
    return fault


def mend(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, setting in fault.mend.items():
        monkeypatch.setenv(name, setting)


NOTHING_MORE = {"to send": "0", "sent before": "1", "still refused": "1 (1 broken_json)"}


def test_a_refused_record_is_retried_after_the_mend_and_only_once(
    kafka: str, topic: Topic, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = letter_of(cycled(), fault)
    place = letter["lane"], str(letter["offset"])
    assert letter["reason"] == fault.reason
    assert letter["detail"] in run("dead-letters", "list", "--reason", fault.reason).stdout
    assert plan(run("dead-letters", "retry", *place))["still refused"] == f"1 (1 {fault.reason})"

    mend(fault, monkeypatch)
    declined = run("dead-letters", "retry", "--all", answer="n\n")
    assert (declined.exit_code, plan(declined)["to send"]) == (1, "1")
    sent = run("dead-letters", "retry", *place, answer="y\n")
    assert f"Send 1 record to topic '{topic.name}' at {kafka}?" in sent.stdout
    assert "1 sent" in sent.stderr
    assert plan(run("dead-letters", "retry", "--all", "--yes")) == NOTHING_MORE

    again = table(cycled(), "raw").sort("logged_at").row(-1, named=True)
    assert (again["key"], again["value"]) == (b"BTCUSDT", fault.value)
    headers = [(header["key"], header["value"]) for header in again["headers"]]
    assert headers == [*fault.headers, ("first_at", ":".join(place).encode())]
    assert plan(run("dead-letters", "retry", "--all", "--yes")) == NOTHING_MORE
    shown = run("dead-letters", "show", *place).stdout
    assert f"retried    at {again['lane']} {again['offset']}: folded" in shown


def test_a_retried_record_is_folded_once_live_and_then_in_batch(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cycled()
    letter = letter_of(before, fault)
    mend(fault, monkeypatch)
    assert run("dead-letters", "retry", "--all", "--yes").exit_code == 0
    live = live_fold(before).snapshot.logs["bars"].since(0)
    assert live.select("venue", "trades").rows() == [(fault.venue, 1)]

    after = cycled()
    assert table(after, "views/bars").select("venue", "trades").rows() == [(fault.venue, 1)]
    assert live_fold(after).snapshot.logs["bars"].since(0).is_empty()
    (trade,) = table(after, "trades").rows(named=True)
    assert (trade["lane"], trade["offset"]) != (letter["lane"], letter["offset"])
    accounts = after.accounts.values()
    assert all(account.balanced for account in accounts)
    assert [sum(getattr(a, fate) for a in accounts) for fate in ("read", "folded", "dead_letters")] == [3, 1, 2]
