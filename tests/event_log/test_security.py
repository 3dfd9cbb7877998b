"""Clients of a Kafka that asks for TLS and a password."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from eventually import eventually
from pydantic import SecretStr
from secured_kafka import USER, Secured, certificates, secured_kafka

from twofold.errors import EventLogDenied, EventLogUnreachable, SettingsError
from twofold.event_log.reader import LogReader
from twofold.event_log.security import Security
from twofold.event_log.topic import describe_topic
from twofold.port import free_port
from twofold.sources.message import Message
from twofold.sources.writer import TradeWriter, wait_for_topic

pytestmark = pytest.mark.integration

WRONG = "the wrong password 4711"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


def written_and_read(brokers: str, security: Security) -> list[bytes | None]:
    """Values that were written to a topic of their own, as they are read."""
    topic, values = f"secured-{uuid4().hex}", [b"one", b"two", b"three"]
    wait_for_topic(brokers, topic, 1, tell=print, security=security)
    with TradeWriter(brokers, topic, security) as writer:
        for value in values:
            writer.write(Message(b"key", value, []))
    read: list[bytes | None] = []
    with LogReader(brokers, topic, {}, security=security) as reader:
        eventually(lambda: read.extend(v for batch in reader.poll(200, 100) for v in batch.values) or len(read) >= 3)
    return read


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_records_go_there_and_back_with_a_password_over_tls(kafka: Secured, mechanism: str) -> None:
    security = replace(kafka.security, mechanism=mechanism)  # type: ignore[arg-type]  # one of those that there are
    assert written_and_read(kafka.secure, security) == [b"one", b"two", b"three"]


def test_records_go_there_and_back_over_tls_alone(kafka: Secured) -> None:
    assert written_and_read(kafka.encrypted, Security("SSL", kafka.ca_file)) == [b"one", b"two", b"three"]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_a_wrong_password_is_told_with_what_to_set_and_no_secret(
    kafka: Secured, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    security = replace(kafka.security, mechanism=mechanism, password=SecretStr(WRONG))  # type: ignore[arg-type]  # likewise
    before = threading.active_count()
    for attempt in (
        lambda: describe_topic(kafka.secure, "probe", security),
        lambda: LogReader(kafka.secure, "probe", {}, security=security),
        lambda: TradeWriter(kafka.secure, "probe", security),
        lambda: wait_for_topic(kafka.secure, "probe", 1, tell=print, security=security),
    ):
        with pytest.raises(EventLogDenied, match=f"(?s){USER}.*TWOFOLD_KAFKA_PASSWORD") as denied:
            attempt()
        assert WRONG not in "".join(traceback.format_exception(denied.value))
    assert WRONG not in caplog.text
    assert threading.active_count() == before


def test_a_user_that_there_is_not_is_told_likewise(kafka: Secured) -> None:
    with pytest.raises(EventLogDenied, match="'nobody'"):
        describe_topic(kafka.secure, "probe", replace(kafka.security, user="nobody"))


def test_a_mechanism_that_the_cluster_lacks_is_told(kafka: Secured) -> None:
    with pytest.raises(EventLogDenied, match="SCRAM-SHA-512"):
        describe_topic(kafka.secure, "probe", replace(kafka.security, mechanism="SCRAM-SHA-512"))


def test_brokers_that_others_vouch_for_are_not_believed(kafka: Secured, tmp_path: Path) -> None:
    strange = certificates(tmp_path / "strange")
    for ca_file in (strange, None):
        with pytest.raises(EventLogDenied, match=r"(?s)cannot prove to be that broker.*TWOFOLD_KAFKA_CA_FILE"):
            describe_topic(kafka.secure, "probe", replace(kafka.security, ca_file=ca_file))


def test_a_broker_under_a_name_that_its_certificate_lacks_is_not_believed(kafka: Secured) -> None:
    port = kafka.secure.rpartition(":")[2]
    with pytest.raises(EventLogDenied, match="name brokers as their certificates do"):
        describe_topic(f"localhost:{port}", "probe", kafka.security)


def test_whoever_does_not_ask_for_tls_is_told_that_the_broker_may(kafka: Secured) -> None:
    with pytest.raises(EventLogUnreachable, match="TWOFOLD_KAFKA_SECURITY_PROTOCOL"):
        describe_topic(kafka.secure, "probe")


def test_nothing_listens_is_told_as_without_tls() -> None:
    with pytest.raises(EventLogUnreachable):
        describe_topic(f"127.0.0.1:{free_port()}", "probe", Security("SSL"))


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"protocol": "SASL_SSL"}, "KAFKA_USER and TWOFOLD_KAFKA_PASSWORD"),
        ({"protocol": "SASL_SSL", "user": "me"}, "KAFKA_PASSWORD"),
        ({"user": "me", "password": SecretStr(WRONG)}, "not sent while TWOFOLD_KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
        ({"protocol": "SSL", "password": SecretStr(WRONG)}, "not sent"),
        ({"protocol": "SSL", "ca_file": Path("nowhere.pem")}, "no certificates in nowhere.pem"),
        ({"protocol": "SSL", "ca_file": Path(__file__)}, "no certificates in"),
        ({"ca_file": Path(__file__)}, "of no use"),
    ],
)
def test_what_is_contradictory_is_refused_and_shows_no_password(parts: dict[str, object], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as refused:
        Security(**parts)  # type: ignore[arg-type]  # the mistakes that are tested
    assert WRONG not in str(refused.value)


def test_java_s_clients_are_told_the_same(kafka: Secured) -> None:
    security = replace(kafka.security, password=SecretStr('a "quoted" pass\\word'))
    options = security.java_options()
    assert options["security.protocol"] == "SASL_SSL"
    assert options["ssl.truststore.certificates"] == kafka.ca_file.read_text()
    assert options["sasl.jaas.config"] == (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="twofold" password="a \\"quoted\\" pass\\\\word";'
    )
    assert Security().java_options() == {"security.protocol": "PLAINTEXT"}
    assert "quoted" not in repr(security)
