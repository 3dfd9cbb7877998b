import socket
import threading
from collections.abc import Iterator

import pytest

from twofold.errors import EventLogUnreachable, SettingsError
from twofold.event_log.brokers import administer, knock


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def refusing() -> Iterator[str]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{unused.getsockname()[1]}"


def test_one_broker_that_answers_is_enough(listening: socket.socket, refusing: str) -> None:
    knock(f"{refusing}, 127.0.0.1:{listening.getsockname()[1]}")


def test_none_that_answers_is_unreachable_and_leaves_no_thread(refusing: str) -> None:
    before = threading.active_count()
    with pytest.raises(EventLogUnreachable, match=refusing), administer(refusing):
        pass
    assert threading.active_count() == before


def test_something_that_listens_and_is_no_broker_is_unreachable(listening: socket.socket) -> None:
    with pytest.raises(EventLogUnreachable), administer(f"127.0.0.1:{listening.getsockname()[1]}"):
        pass


@pytest.mark.parametrize("brokers", ["localhost:kafka", ":9092", "127.0.0.1:9092,localhost:"])
def test_an_address_that_is_none_is_named_with_its_setting(brokers: str) -> None:
    with pytest.raises(SettingsError, match=r"TWOFOLD_BOOTSTRAP_SERVERS: .*host:port"):
        knock(brokers)


@pytest.mark.parametrize("brokers", ["", " , "])
def test_no_address_is_unreachable(brokers: str) -> None:
    with pytest.raises(EventLogUnreachable, match="no address"):
        knock(brokers)
