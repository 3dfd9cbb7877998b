import socket
from collections.abc import Iterator

import pytest

from twofold.event_log import jars
from twofold.event_log.embedded import EmbeddedKafka


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Kafka that all tests of a session share; each makes topics of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka"), port, jars.default_cache()) as running:
        yield running.brokers
