"""Two speed workers and a replica as processes over a real Kafka: one is killed, and every answer is the oracle's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from random import Random

import pytest
from eventually import eventually
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from oracle import Oracle
from served import Served, running
from smoke.log import read_back
from vouched import vouching

from serving.app import make_app
from serving.seam import Seam
from serving.speed_workers import speed_of
from twofold.event_log.topic import ensure_topic
from twofold.lake import Lake
from twofold.lane import at_least
from twofold.port import free_port
from twofold.publication import found_lake
from twofold.views import VIEWS

pytestmark = pytest.mark.integration

PARTITIONS = 4


class Stage:
    """A topic, a lake, and addresses for worker 0, and for worker 1 and its replica."""

    def __init__(self, brokers: str, folder: Path) -> None:
        self.brokers = brokers
        self.folder = folder
        self.topic = ensure_topic(brokers, f"several-{uuid.uuid4()}", PARTITIONS)
        first, second, replica = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.addresses = f"{first},{second}|{replica}"
        self.sent = 0
        self._random = Random(7)
        found_lake(Lake(str(folder / "lake")))

    def send(self, count: int) -> dict[str, int]:
        """Send trades; some come again in another lane, the same or with another price. Gives the end of the log."""
        with closing(KafkaProducer(bootstrap_servers=self.brokers)) as producer:
            for number in range(self.sent, self.sent + count):
                symbol = number % 3
                self._send(producer, symbol, number, number % PARTITIONS)
                if self._random.random() < 0.3:
                    earlier = self._random.randrange(number + 1)
                    self._send(producer, earlier % 3, earlier, self._random.randrange(PARTITIONS))
            producer.flush(timeout=60)
        self.sent += count
        return self._ends()

    def oracle(self) -> Oracle:
        """An oracle over all that is in the log."""
        return Oracle(read_back(self.brokers, self.topic.name))

    @contextmanager
    def worker(self, number: int, replica: int) -> Iterator[subprocess.Popen[bytes]]:
        """Run `twofold speed`; killed in the end, if it still runs."""
        environment = os.environ | {
            "TWOFOLD_DATA_FOLDER": str(self.folder),
            "TWOFOLD_BOOTSTRAP_SERVERS": self.brokers,
            "TWOFOLD_TOPIC": self.topic.name,
            "TWOFOLD_SPEED_ADDRESS": self.addresses,
        }
        command = [sys.executable, "-m", "twofold", "speed", "--worker", str(number), "--replica", str(replica)]
        with (self.folder / "speed.log").open("ab") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    @contextmanager
    def api(self) -> Iterator[Served]:
        """Run serving."""
        speed = speed_of([worker.split("|") for worker in self.addresses.split(",")])
        lake = Lake(str(self.folder / "lake"))
        seam = Seam(lake, speed, VIEWS)
        with running(make_app(seam, vouching(lake))) as client:
            yield Served(client, seam)

    def _send(self, producer: KafkaProducer, symbol: int, trade_id: int, partition: int) -> None:
        price = self._random.choice(["1", "1", "2.5"])
        now_us = time.time_ns() // 1000
        trade = {"symbol": f"S{symbol}", "trade_id": trade_id, "price": price, "size": "1", "side": "buy"}
        producer.send(self.topic.name, json.dumps(trade | {"event_time_us": now_us}).encode(), partition=partition)

    def _ends(self) -> dict[str, int]:
        partitions = [TopicPartition(self.topic.name, number) for number in range(PARTITIONS)]
        with closing(KafkaConsumer(bootstrap_servers=self.brokers)) as consumer:
            return {self.topic.lane(p.partition): end for p, end in consumer.end_offsets(partitions).items()}


def check(stage: Stage, api: Served, end: dict[str, int]) -> dict[str, int]:
    """Wait for an answer that has all up to there, and compare it with the oracle; gives its positions."""
    answer = api.wait_until(lambda answer: at_least(answer["receipt"]["positions"], end))
    positions: dict[str, int] = answer["receipt"]["positions"]
    assert answer["rows"] == stage.oracle().rows("bars", 60, positions, [])
    return positions


def test_one_of_them_is_killed_and_every_answer_stays_exact(kafka: str, tmp_path: Path) -> None:
    stage = Stage(kafka, tmp_path)
    with ExitStack() as stack:
        first = stack.enter_context(stage.worker(0, 0))
        second = stack.enter_context(stage.worker(1, 0))
        stack.enter_context(stage.worker(1, 1))
        api = stack.enter_context(stage.api())
        positions = check(stage, api, stage.send(300))

        second.kill()
        positions = check(stage, api, positions | stage.send(300))
        assert api.bars()["freshness"]["speed"] == "live"

        first.kill()
        eventually(lambda: api.bars()["freshness"]["speed"] == "away")
        end = stage.send(300)
        assert api.bars()["receipt"]["positions"] == positions
        stack.enter_context(stage.worker(0, 0))
        check(stage, api, end)
        eventually(api.is_ready)
