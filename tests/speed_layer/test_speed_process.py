"""`twofold speed` as a process of its own, over a real Kafka."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from expositions import figures, read_exposition
from kafka import KafkaProducer
from small_market import trade_value

from serving.speed_side import SpeedClient, SpeedSide
from twofold.errors import SpeedError
from twofold.event_log.topic import Topic, ensure_topic
from twofold.lake import Lake
from twofold.lane import at_least
from twofold.port import free_port
from twofold.publication import found_lake

pytestmark = pytest.mark.integration


class Station:
    """A topic, a lake, and a place for the worker to listen."""

    def __init__(self, brokers: str, folder: Path) -> None:
        self.brokers = brokers
        self.folder = folder
        self.topic: Topic = ensure_topic(brokers, f"speed-{uuid.uuid4()}", 2)
        self.address = f"127.0.0.1:{free_port()}"
        self.sent = 0
        found_lake(Lake(str(folder / "lake")))

    def send(self, count: int) -> dict[str, int]:
        """Send trades to both lanes, and give the end of the log."""
        with closing(KafkaProducer(bootstrap_servers=self.brokers)) as producer:
            for number in range(self.sent, self.sent + count):
                value = trade_value(f"10:00:{number % 60:02}", number)
                producer.send(self.topic.name, value, partition=number % 2)
            producer.flush(timeout=60)
        self.sent += count
        return {self.topic.lane(partition): (self.sent + 1 - partition) // 2 for partition in (0, 1)}

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run `twofold speed`; killed in the end, if it still runs."""
        environment = os.environ | {
            "TWOFOLD_DATA_FOLDER": str(self.folder),
            "TWOFOLD_BOOTSTRAP_SERVERS": self.brokers,
            "TWOFOLD_TOPIC": self.topic.name,
            "TWOFOLD_SPEED_ADDRESS": self.address,
        }
        with (self.folder / "speed.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "twofold", "speed"], env=environment, stdout=output, stderr=output
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def wait_for(self, end: dict[str, int]) -> SpeedSide:
        """The worker's state on the first base, once it has come so far."""

        def look() -> SpeedSide | None:
            client = SpeedClient(self.address)
            with closing(client):
                try:
                    state = client.follow(0, None, 0)
                except SpeedError:
                    return None
            return state if state.header.state == "live" and at_least(state.header.positions, end) else None

        return eventually(look)


@pytest.fixture
def station(kafka: str, tmp_path: Path) -> Station:
    return Station(kafka, tmp_path)


def trades(state: SpeedSide) -> int:
    return sum(int(frame["trades"].sum()) for frame in state.frames["bars"])


def test_it_tells_its_metrics_where_it_is_told_to(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TWOFOLD_SPEED_METRICS_ADDRESS", place)
    end = station.send(10)
    with station.worker():
        station.wait_for(end)
        told = read_exposition(httpx.get(f"http://{place}/metrics").text)
    assert sum(figures(told, "twofold_worker_lane_records").values()) == 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_it_is_asked_to(station: Station, number: signal.Signals) -> None:
    end = station.send(10)
    with station.worker() as process:
        assert trades(station.wait_for(end)) == 10
        process.send_signal(number)
        assert process.wait(timeout=30) == 0


def test_it_can_be_killed_at_any_time_and_begins_cold_without_going_back(station: Station) -> None:
    seen: list[SpeedSide] = []
    for _ in range(2):
        end = station.send(100)
        with station.worker() as process:
            seen.append(station.wait_for(end))
            process.send_signal(signal.SIGKILL)
            process.wait()
    with station.worker():
        seen.append(station.wait_for({}))
    before, after, last = seen
    assert at_least(after.header.positions, before.header.positions)
    assert at_least(last.header.positions, after.header.positions)
    assert [trades(state) for state in seen] == [100, 200, 200]
    assert len({state.header.incarnation for state in seen}) == 3
