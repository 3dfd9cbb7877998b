"""A view changed under real processes: Kafka, Delta, speed worker, serving, and the commands that a user types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from eventually import eventually
from kafka import KafkaProducer
from laws.changed_bars import CHANGED_BARS
from laws.parts import cuts_up_to
from oracle import Oracle
from smoke.log import read_back

from twofold.event_log.topic import ensure_topic
from twofold.lake import Lake
from twofold.port import free_port
from twofold.publication import found_lake
from twofold.views import VIEWS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

OWN = """
from datetime import timedelta
from twofold import Count, Last, Min, Sum, View, column

bars = View(
    name="bars",
    window=timedelta(seconds=30),
    lateness=timedelta(seconds=20),
    aggregates={
        "close": Last("price"),
        "low": Min("price"),
        "volume": Sum("size"),
        "trades": Count(),
        "buys": Count(where={"side": "buy"}),
    },
    finished={"mean_size": column("volume") / column("trades")},
)
"""
ORACLES = {VIEWS["bars"].hash: ("bars", 60), CHANGED_BARS.hash: ("changed bars", 30)}


class Stage:
    """A topic and a lake, with processes over them."""

    def __init__(self, brokers: str, folder: Path) -> None:
        self.brokers = brokers
        self.folder = folder
        self.topic = ensure_topic(brokers, f"view-change-{uuid.uuid4()}", 2)
        self.lake = Lake(str(folder / "lake"))
        self.address = f"127.0.0.1:{free_port()}"
        self.environment = os.environ | {
            "TWOFOLD_DATA_FOLDER": str(folder),
            "TWOFOLD_BOOTSTRAP_SERVERS": brokers,
            "TWOFOLD_TOPIC": self.topic.name,
            "TWOFOLD_SPEED_ADDRESS": f"127.0.0.1:{free_port()}",
            "TWOFOLD_SERVING_ADDRESS": self.address,
        }
        self.sent = 0
        found_lake(self.lake)

    def send(self, count: int) -> None:
        with closing(KafkaProducer(bootstrap_servers=self.brokers)) as producer:
            for number in range(self.sent, self.sent + count):
                trade = {"symbol": f"S{number % 3}", "trade_id": number, "price": str(1 + number % 7), "size": "0.5"}
                late_us = 70_000_000 * (number % 5 == 0)
                told = {"side": "buy" if number % 2 else "sell", "event_time_us": time.time_ns() // 1000 - late_us}
                producer.send(self.topic.name, json.dumps(trade | told).encode(), partition=number % 2)
            producer.flush(timeout=60)
        self.sent += count

    def run(self, *command: str, declared: bool = False) -> str:
        """Run a command to its end; the file of views is named to it alone if at all."""
        own = {"TWOFOLD_VIEWS": str(self.folder / "views.py")} if declared else {}
        line = [sys.executable, "-m", "twofold", *command]
        done = subprocess.run(line, env=self.environment | own, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def process(self, name: str) -> Iterator[None]:
        with (self.folder / f"{name}.log").open("ab") as output:
            line = [sys.executable, "-m", "twofold", name]
            process = subprocess.Popen(line, env=self.environment, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def get(self, path: str, **parameters: str) -> httpx.Response:
        return httpx.get(f"http://{self.address}{path}", params=parameters, timeout=30)

    def is_live(self) -> bool:
        try:
            response = self.get("/v1/views/bars")
        except httpx.HTTPError:
            return False
        return response.is_success and response.json()["freshness"]["speed"] == "live"


class Asking:
    """Asks all the time from another thread, and keeps what came."""

    def __init__(self, stage: Stage) -> None:
        self.answers: list[dict[str, Any]] = []
        self.refusals: list[str] = []
        self._stage = stage
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def served_as(self, its_hash: str) -> bool:
        return bool(self.answers) and self.answers[-1]["receipt"]["view_hash"] == its_hash

    def _ask(self) -> None:
        while not self._stopping.wait(0.02):
            response = self._stage.get("/v1/views/bars")
            if response.is_success:
                self.answers.append(response.json())
            else:
                self.refusals.append(response.text)


def test_no_answer_is_wrong_or_missing_while_a_view_is_built_promoted_and_retired(kafka: str, tmp_path: Path) -> None:
    stage = Stage(kafka, tmp_path)
    (tmp_path / "views.py").write_text(OWN)
    stage.send(300)
    stage.run("cycle")
    with stage.process("speed"), stage.process("serve"):
        eventually(stage.is_live)
        with Asking(stage) as asking:
            stage.send(100)
            assert "stands beside" in stage.run("view", "build", "bars", declared=True)
            stage.send(100)
            stage.run("cycle")
            assert "not compared" in stage.run("view", "diff", "bars", declared=True)
            eventually(lambda: asking.served_as(VIEWS["bars"].hash))
            stage.send(50)
            assert "is served as" in stage.run("view", "promote", "bars", declared=True)
            eventually(lambda: asking.served_as(CHANGED_BARS.hash))
            stage.send(50)
            stage.run("cycle")
            made_again = [
                stage.get(f"/v1/receipts/{answer['receipt']['token']}").json() for answer in asking.answers[::20]
            ]
            assert "was retired" in stage.run("view", "retire", "bars", declared=True)
            eventually(lambda: asking.answers[-1]["receipt"]["sequence"] >= 6)
        old = next(each for each in asking.answers if each["receipt"]["view_hash"] == VIEWS["bars"].hash)
        gone = stage.get(f"/v1/receipts/{old['receipt']['token']}")
        charted = stage.get("/api/v3/klines", symbol="S1", interval="1m")
        described = {each["view"]: each["hash"] for each in stage.get("/v1/views").json()}

    assert asking.refusals == []
    assert [again["rows"] for again in made_again] == [
        answer["rows"] for answer in asking.answers[: len(made_again) * 20 : 20]
    ]
    assert gone.status_code == 410
    assert "was retired by publication 6" in gone.json()["detail"]
    assert charted.status_code == 400
    assert "has no open, high, notional" in charted.json()["msg"]
    assert described["bars"] == CHANGED_BARS.hash
    oracle = Oracle(read_back(kafka, stage.topic.name))
    seen = []
    for answer in asking.answers:
        receipt = answer["receipt"]
        name, grain_s = ORACLES[receipt["view_hash"]]
        cuts = cuts_up_to(stage.lake, receipt["sequence"])
        assert answer["rows"] == oracle.rows(name, grain_s, receipt["positions"], cuts)
        seen.append((receipt["view_hash"], receipt["sequence"]))
    assert sorted({sequence for _, sequence in seen}) == sorted(dict.fromkeys(sequence for _, sequence in seen))
    assert {its_hash for its_hash, _ in seen} == ORACLES.keys()
    assert [sequence for _, sequence in seen] == sorted(sequence for _, sequence in seen)
