import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from twofold.errors import EmbeddedKafkaError
from twofold.event_log import jars
from twofold.event_log.embedded import EmbeddedKafka

pytestmark = pytest.mark.integration

LARGE = bytes(9 * 1024**2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def broker(folder: Path, port: int | None = None) -> EmbeddedKafka:
    return EmbeddedKafka(folder, port or free_port(), jars.default_cache())


def java_on(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if str(folder) in " ".join(process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def until(what: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_what_was_written_is_read_after_a_restart_on_other_ports(tmp_path: Path) -> None:
    with broker(tmp_path) as first:
        admin = KafkaAdminClient(bootstrap_servers=first.brokers)
        admin.create_topics([NewTopic("trades", 1, 1)])
        admin.close()
        producer = KafkaProducer(bootstrap_servers=first.brokers, max_request_size=2 * len(LARGE))
        producer.send("trades", LARGE).get(timeout=30)
        producer.close()
    assert not java_on(tmp_path)
    with broker(tmp_path) as second:
        consumer = KafkaConsumer(bootstrap_servers=second.brokers, auto_offset_reset="earliest")
        consumer.assign([TopicPartition("trades", 0)])
        read: list[bytes] = []
        until(lambda: bool(read.extend(r.value for rs in consumer.poll(500).values() for r in rs) or read))
        consumer.close()
    assert read == [LARGE]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, EmbeddedKafka]]:
    folder = tmp_path_factory.mktemp("kafka")
    with broker(folder) as running:
        yield folder, running


def test_a_topic_is_not_made_by_a_typo(running: tuple[Path, EmbeddedKafka]) -> None:
    admin = KafkaAdminClient(bootstrap_servers=running[1].brokers)
    producer = KafkaProducer(bootstrap_servers=running[1].brokers, max_block_ms=2000)
    with pytest.raises(KafkaError):
        producer.send("tradse", b"value")
    producer.close()
    assert "tradse" not in admin.list_topics()
    admin.close()


def test_it_listens_on_loopback_only(running: tuple[Path, EmbeddedKafka]) -> None:
    listening = {
        connection.laddr.ip
        for process in java_on(running[0])
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_a_taken_port_is_told_with_the_setting_that_changes_it(
    running: tuple[Path, EmbeddedKafka], tmp_path: Path
) -> None:
    port = int(running[1].brokers.rpartition(":")[2])
    with pytest.raises(EmbeddedKafkaError, match=rf"127\.0\.0\.1:{port}.*TWOFOLD_KAFKA_PORT"):
        broker(tmp_path, port).start()
    assert not java_on(tmp_path)


def test_a_folder_has_one_broker(running: tuple[Path, EmbeddedKafka]) -> None:
    with pytest.raises(EmbeddedKafkaError, match="Another embedded Kafka runs on"):
        broker(running[0]).start()
    admin = KafkaAdminClient(bootstrap_servers=running[1].brokers)
    admin.close()


def test_a_broker_that_gives_up_leaves_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\ncluster.id=x\nnode.id=77\n")
    with pytest.raises(EmbeddedKafkaError, match=r"gave up while starting(.|\n)*77"):
        broker(tmp_path).start()
    assert not java_on(tmp_path)


def test_jars_that_cannot_be_kept_are_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(EmbeddedKafkaError, match="TWOFOLD_BOOTSTRAP_SERVERS"):
        EmbeddedKafka(tmp_path / "kafka", free_port(), tmp_path / "cache").start()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_java_ends_with_the_command_however_that_ends(ending: signal.Signals, tmp_path: Path) -> None:
    environment = {"TWOFOLD_DATA_FOLDER": str(tmp_path), "TWOFOLD_KAFKA_PORT": str(free_port())}
    command = subprocess.Popen(
        [sys.executable, "-c", "from twofold.cli.kafka import kafka; kafka()"],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # as in a terminal, where Ctrl-C goes to a whole group
    )
    assert command.stdout is not None
    with command.stdout:
        assert "Kafka listens on" in command.stdout.readline()
        assert java_on(tmp_path)
        os.killpg(command.pid, ending)
        code = command.wait(timeout=60)
    assert code == (-ending if ending == signal.SIGKILL else 0)
    until(lambda: not java_on(tmp_path))
