import socket
from pathlib import Path

import pytest

from twofold.errors import PortTaken
from twofold.port import free_port
from twofold.settings import Settings
from twofold.supervision.local_parts import check_ports, local_environment, local_parts


def settings(**changes: object) -> Settings:
    ports = {
        "kafka_port": free_port(),
        "prefect_port": free_port(),
        "speed_address": f"127.0.0.1:{free_port()}",
        "serving_address": f"127.0.0.1:{free_port()}",
    }
    return Settings(**(ports | changes))


def test_what_a_part_needs_comes_before_it_so_that_it_stops_after_it() -> None:
    seen: set[str] = set()
    for part in local_parts(settings(), ["simulate"]):
        assert seen.issuperset(part.needs)
        seen.add(part.name)


def test_kafka_stops_last_and_the_source_first() -> None:
    names = [part.name for part in local_parts(settings(), ["simulate"])]
    assert (names[0], names[-1]) == ("kafka", "source")


def test_another_kafka_is_not_started_and_not_waited_for() -> None:
    parts = local_parts(settings(bootstrap_servers="broker:9092"), ["simulate"])
    assert "kafka" not in {part.name for part in parts}
    assert all("kafka" not in part.needs for part in parts)


def test_the_batch_side_stands_back_for_the_live_side() -> None:
    stands_back = {part.name for part in local_parts(settings(), ["simulate"]) if part.stands_back}
    assert stands_back == {"prefect", "deployments"}


def test_only_the_source_may_come_to_an_end() -> None:
    assert [part.name for part in local_parts(settings(), ["simulate"]) if not part.endless] == ["source"]


def test_every_speed_worker_and_replica_that_is_listed_is_a_part() -> None:
    mine = settings(speed_address="127.0.0.1:1,127.0.0.1:2|127.0.0.1:3")
    commands = {part.name: part.command[-4:] for part in local_parts(mine, ["simulate"]) if "speed" in part.name}
    assert commands == {
        "speed-0-0": ("--worker", "0", "--replica", "0"),
        "speed-1-0": ("--worker", "1", "--replica", "0"),
        "speed-1-1": ("--worker", "1", "--replica", "1"),
    }
    assert "speed" in {part.name for part in local_parts(settings(), ["simulate"])}


def test_prefect_keeps_its_files_in_the_data_folder_and_talks_to_its_own_server(tmp_path: Path) -> None:
    mine = settings(data_folder=tmp_path)
    environment = local_environment(mine, {"PATH": "/bin", "PREFECT_API_URL": "https://elsewhere"})
    assert environment["PATH"] == "/bin"
    assert environment["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert environment["PREFECT_API_URL"] == f"http://127.0.0.1:{mine.prefect_port}/api"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kafka_port", "{}"),
        ("prefect_port", "{}"),
        ("speed_address", "127.0.0.1:{}"),
        ("serving_address", "127.0.0.1:{}"),
        ("speed_metrics_address", "127.0.0.1:{}"),
    ],
)
def test_a_taken_port_is_told_with_the_setting_that_moves_it(name: str, value: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{port}.*TWOFOLD_{name.upper()}\. Nothing was started"):
            check_ports(settings(**{name: value.format(port)}))


def test_free_ports_are_no_obstacle() -> None:
    check_ports(settings())


def test_the_embedded_kafka_s_port_does_not_matter_when_another_kafka_is_used() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        check_ports(settings(bootstrap_servers="broker:9092", kafka_port=taken.getsockname()[1]))
