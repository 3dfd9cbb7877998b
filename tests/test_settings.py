"""The settings: defaults, and errors that name the variable and what it takes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from twofold.errors import SettingsError
from twofold.settings import Settings, load_settings
from twofold.source import SHIPPED_SOURCES


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TWOFOLD_")]:
        monkeypatch.delenv(name)


def test_without_variables_everything_is_local() -> None:
    settings = load_settings()
    assert settings.lake_root == str(Path(".twofold") / "lake")
    assert settings.embedded_kafka
    assert settings.brokers == "127.0.0.1:19092"
    assert settings.sources == SHIPPED_SOURCES
    assert settings.default_source in settings.sources


@pytest.mark.parametrize("address", ["speed_address", "serving_address"])
def test_nothing_listens_beyond_this_machine_unless_told_to(address: str) -> None:
    assert getattr(load_settings(), address).startswith("127.0.0.1:")


def test_variables_set_what_they_are_named_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", "/data")
    monkeypatch.setenv("TWOFOLD_KAFKA_PORT", "9999")
    monkeypatch.setenv("TWOFOLD_DEFAULT_SOURCE", " binance-spot ")
    settings = load_settings()
    assert settings.lake_root == "/data/lake"
    assert settings.brokers == "127.0.0.1:9999"
    assert settings.default_source == "binance-spot"


def test_any_broker_and_any_lake_by_one_setting_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_BOOTSTRAP_SERVERS", "kafka-1:9092,kafka-2:9092")
    monkeypatch.setenv("TWOFOLD_LAKE", "s3://bucket/lake")
    settings = load_settings()
    assert (settings.brokers, settings.embedded_kafka) == ("kafka-1:9092,kafka-2:9092", False)
    assert settings.lake_root == "s3://bucket/lake"


def test_sources_are_declared_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_SOURCES", '{"mine": {"venue": "x", "wire_format": "canonical", "ids": "unique"}}')
    monkeypatch.setenv("TWOFOLD_DEFAULT_SOURCE", "mine")
    source = load_settings().sources["mine"]
    assert (source.venue, source.wire_format, source.ids, source.collected_header) == ("x", "canonical", "unique", None)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("TWOFOLD_KAFKA_PORT", "0", "greater than or equal to 1"),
        ("TWOFOLD_KAFKA_PORT", "http", "valid integer"),
        ("TWOFOLD_PARTITIONS", "-1", "greater than or equal to 1"),
        ("TWOFOLD_CYCLE_INTERVAL_S", "0", "greater than 0"),
        ("TWOFOLD_TOPIC", "my topic", "match pattern"),
        ("TWOFOLD_SPEED_MEMORY_BYTES", "1", "greater than or equal to"),
        ("TWOFOLD_SOURCES", "mine", "not JSON"),
        ("TWOFOLD_SOURCES", "[]", "valid dictionary"),
        ("TWOFOLD_SOURCES", '{"x": {"venue": "A B", "wire_format": "canonical", "ids": "unique"}}', "x.venue: String"),
        ("TWOFOLD_SOURCES", '{"x": {"venue": "a", "wire_format": "fix", "ids": "unique"}}', "'canonical' or 'binance'"),
        ("TWOFOLD_SOURCES", '{"x": {"venue": "a", "wire_format": "binance"}}', "x.ids: Field required"),
        ("TWOFOLD_DEFAULT_SOURCE", "bitstamp", "Known: binance-spot, simulator"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_would(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert name in str(refused.value)
    assert complaint in str(refused.value)


def test_all_that_does_not_fit_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_PARTITIONS", "many")
    monkeypatch.setenv("TWOFOLD_PREFECT_PORT", "70000")
    with pytest.raises(SettingsError, match=r"(?s)TWOFOLD_PARTITIONS.*TWOFOLD_PREFECT_PORT"):
        load_settings()


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().topic = "other"  # type: ignore[misc]  # the mistake that is tested


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:", ":18080", "127.0.0.1:http", "http://127.0.0.1:1"])
@pytest.mark.parametrize("name", ["TWOFOLD_SPEED_ADDRESS", "TWOFOLD_SERVING_ADDRESS", "TWOFOLD_SPEED_METRICS_ADDRESS"])
def test_an_address_is_a_host_and_a_port(monkeypatch: pytest.MonkeyPatch, name: str, address: str) -> None:
    monkeypatch.setenv(name, address)
    with pytest.raises(SettingsError, match=name):
        load_settings()


def test_several_speed_workers_and_replicas_stand_in_one_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().speed_workers == [["127.0.0.1:18815"]]
    monkeypatch.setenv("TWOFOLD_SPEED_ADDRESS", "a:1,b:2|c:3")
    settings = load_settings()
    assert settings.speed_workers == [["a:1"], ["b:2", "c:3"]]
    assert [settings.speed_listens_at(0, 0), settings.speed_listens_at(1, 1)] == ["a:1", "c:3"]
    for worker, replica, words in ((2, 0, "no speed worker 2.*has 2"), (0, 1, "no replica 1 of speed worker 0.*has 1")):
        with pytest.raises(SettingsError, match=words):
            settings.speed_listens_at(worker, replica)


def test_each_speed_worker_and_replica_tells_its_metrics_at_a_port_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().speed_tells_metrics_at(0, 0) == ""
    monkeypatch.setenv("TWOFOLD_SPEED_ADDRESS", "a:1,b:2|c:3")
    monkeypatch.setenv("TWOFOLD_SPEED_METRICS_ADDRESS", "127.0.0.1:18816")
    settings = load_settings()
    told = [settings.speed_tells_metrics_at(*which) for which in ((0, 0), (1, 0), (1, 1))]
    assert told == ["127.0.0.1:18816", "127.0.0.1:18817", "127.0.0.1:18818"]
    with pytest.raises(SettingsError, match="no speed worker 2"):
        settings.speed_tells_metrics_at(2, 0)


@pytest.mark.parametrize("addresses", ["a:1,", "a:1||b:2", "a:1;b:2", "a:1, b:2", "a:1,a:1", "a:1|b:2,b:2"])
def test_addresses_of_speed_workers_are_parted_by_commas_and_bars_and_none_comes_twice(
    monkeypatch: pytest.MonkeyPatch, addresses: str
) -> None:
    monkeypatch.setenv("TWOFOLD_SPEED_ADDRESS", addresses)
    with pytest.raises(SettingsError, match=r"TWOFOLD_SPEED_ADDRESS.*(commas|an address of its own)"):
        load_settings()


KEYED = {"venue": "chain", "wire_format": "canonical", "ids": "opaque"}


@pytest.mark.parametrize(
    "others",
    [
        {"more": KEYED | {"ids": "unique"}},
        {"more": KEYED | {"horizon_s": 60}},
    ],
)
def test_sources_of_one_venue_that_tell_repeats_otherwise_are_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, others: dict[str, object]
) -> None:
    monkeypatch.setenv("TWOFOLD_SOURCES", json.dumps({"dex": KEYED, "other": KEYED} | others))
    monkeypatch.setenv("TWOFOLD_DEFAULT_SOURCE", "dex")
    with pytest.raises(SettingsError, match=r"TWOFOLD_SOURCES.*opaque ids with one `horizon_s`.*chain"):
        load_settings()


def test_a_wire_format_whose_ids_are_numbers_cannot_be_declared_opaque(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_SOURCES", json.dumps({"dex": KEYED | {"wire_format": "binance"}}))
    with pytest.raises(SettingsError, match=r"TWOFOLD_SOURCES.dex.*only `canonical` has opaque ones"):
        load_settings()


@pytest.mark.parametrize("origins", ["*", "https://a.example/", "a.example", "https://a.example,null"])
def test_an_origin_is_a_scheme_and_a_host(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("TWOFOLD_ALLOWED_ORIGINS", origins)
    with pytest.raises(SettingsError, match=r"TWOFOLD_ALLOWED_ORIGINS: .*is no origin"):
        load_settings()


def test_origins_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().origins == frozenset()
    monkeypatch.setenv("TWOFOLD_ALLOWED_ORIGINS", "https://a.example, http://127.0.0.1:3000")
    assert load_settings().origins == {"https://a.example", "http://127.0.0.1:3000"}


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"BOOTSTRAP_SERVERS": "kafka:9093", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "TWOFOLD_KAFKA_USER"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "TWOFOLD_BOOTSTRAP_SERVERS"),
        ({"BOOTSTRAP_SERVERS": "kafka:9093", "KAFKA_PASSWORD": "s3cret"}, "are not sent"),
        ({"BOOTSTRAP_SERVERS": "kafka:9093", "KAFKA_SECURITY_PROTOCOL": "TLS"}, "TWOFOLD_KAFKA_SECURITY_PROTOCOL"),
    ],
)
def test_how_to_connect_to_kafka_must_be_whole(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, str], complaint: str
) -> None:
    for name, value in more.items():
        monkeypatch.setenv(f"TWOFOLD_{name}", value)
    with pytest.raises(SettingsError, match=complaint) as refused:
        load_settings()
    assert "s3cret" not in str(refused.value)
