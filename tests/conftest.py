import socket
from collections.abc import Iterator

import pytest
from hypothesis import settings

from twofold.event_log import jars
from twofold.event_log.embedded import EmbeddedKafka

# The same examples each time, so that a failing test tells of the change at hand. New ones, and many more of them:
# pytest --hypothesis-profile=thorough --timeout=0
settings.register_profile("steady", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Kafka that all tests of a session share; each makes topics of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka"), port, jars.default_cache()) as running:
        yield running.brokers
