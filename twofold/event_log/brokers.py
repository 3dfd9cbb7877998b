"""Brokers: how to get hold of them, and what to say when nobody answers, or nobody lets us in."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from kafka import KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    KafkaConnectionError,
    KafkaError,
    RetriableError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from twofold.errors import EventLogDenied, EventLogError, EventLogUnreachable, SettingsError
from twofold.event_log.security import PLAIN, Security

ANSWER_TIMEOUT_MS = 5_000
"""How long a broker may take to answer anything but a fetch."""

_DEFAULT_PORT = 9092
_BAD_CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"

for _name in ("kafka.protocol.parser", "kafka.net.connection"):  # at DEBUG they write requests, with a password in one
    logging.getLogger(_name).setLevel(logging.INFO)


def unreachable(brokers: str, cause: Exception) -> EventLogUnreachable:
    """Make the error that says that no broker answers, and why."""
    return EventLogUnreachable(
        f"No Kafka broker answers at {brokers} ({cause or type(cause).__name__}). Start one with `twofold kafka`, or "
        "set TWOFOLD_BOOTSTRAP_SERVERS to brokers that run, as `host:port,…`, and TWOFOLD_KAFKA_SECURITY_PROTOCOL to "
        "what they take."
    )


def refusal(brokers: str, cause: KafkaError) -> EventLogError:
    """Make the error that says that a broker does not do what it was asked to."""
    if isinstance(cause, AuthorizationError):
        return EventLogDenied(
            f"Kafka at {brokers} does not let this user do that: {cause}. Give the user of TWOFOLD_KAFKA_USER the "
            "right there, or name another."
        )
    return EventLogError(f"Kafka at {brokers} refuses: {cause}. Check its settings, and the rights there.")


def knock(brokers: str, security: Security = PLAIN) -> None:
    """See that at least one of the brokers takes a connection and lets us in.

    The client library starts a thread before it first connects and leaves it behind when that fails, and tells of a
    wrong password only that it took too long: knock first.

    Raises:
        EventLogUnreachable: none does.
        EventLogDenied: it does not know user name and password, or is not the one that its certificate is for.
        SettingsError: an address is not `host:port`.
    """
    reason: Exception | None = None
    for host, port in _addresses(brokers):
        try:
            socket.create_connection((host, port), timeout=ANSWER_TIMEOUT_MS / 1000).close()
            if security.protocol != "PLAINTEXT":
                _introduce(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", security)
        except (OSError, RetriableError) as error:
            reason = error
        else:
            return
    raise unreachable(brokers, reason or OSError("no address given"))


@contextmanager
def in_our_words(brokers: str) -> Iterator[None]:
    """Turn the client library's errors into Twofold's.

    Raises:
        EventLogUnreachable: no broker answers in time.
        EventLogDenied: the user may not do that.
        EventLogError: the broker refuses.
    """
    try:
        yield
    except RetriableError as error:
        raise unreachable(brokers, error) from error
    except KafkaError as error:
        raise refusal(brokers, error) from error


@contextmanager
def administer(brokers: str, security: Security = PLAIN) -> Iterator[KafkaAdminClient]:
    """Open an admin client, and say in Twofold's words what goes wrong while it is used.

    Raises:
        EventLogUnreachable: no broker answers in time.
        EventLogDenied: the brokers do not let us in, or not do that.
        EventLogError: the broker refuses.
        SettingsError: an address is not `host:port`.
    """
    knock(brokers, security)
    with in_our_words(brokers):
        client = KafkaAdminClient(
            client_id="twofold",
            bootstrap_servers=brokers.split(","),
            bootstrap_timeout_ms=ANSWER_TIMEOUT_MS,
            request_timeout_ms=ANSWER_TIMEOUT_MS,
            **security.client_options(),
        )
        with closing(client):
            yield client


def _introduce(address: str, security: Security) -> None:
    """Open one connection as the library's clients do, and see why where it does not come about."""
    try:
        try:
            _connect(address, security)
        except _HungUp:  # it may have been the network
            _connect(address, security)
    except (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, _HungUp) as error:
        raise EventLogDenied(
            f"Kafka at {address} does not take user {security.user!r} with its password by {security.mechanism}. Set "
            "TWOFOLD_KAFKA_USER, TWOFOLD_KAFKA_PASSWORD and TWOFOLD_KAFKA_SASL_MECHANISM to what the cluster knows."
        ) from error
    except KafkaError as error:
        if _BAD_CERTIFICATE in str(error):
            raise EventLogDenied(
                f"What answers at {address} cannot prove to be that broker: {error}. Set TWOFOLD_KAFKA_CA_FILE to the "
                "certificates of whoever signs those of the brokers, and name brokers as their certificates do."
            ) from error
        if isinstance(error, RetriableError):
            raise
        raise refusal(address, error) from error


class _HungUp(Exception):
    """A broker that had answered went when it was told a user name and a password.

    A broker that does not take them says so and hangs up; of a connection by TLS the library passes over what came
    together with the end.
    """


def _connect(address: str, security: Security) -> None:
    net = NetworkSelector()
    manager = KafkaConnectionManager(
        net,
        bootstrap_servers=address,
        client_id="twofold",
        request_timeout_ms=ANSWER_TIMEOUT_MS,
        **security.client_options(),
    )

    async def connect() -> None:
        (node,) = manager.cluster.bootstrap_brokers()
        connection = manager.get_connection(
            node.node_id, timeout_ms=ANSWER_TIMEOUT_MS, pop_on_close=False, refresh_metadata_on_err=False
        )
        try:
            await connection
        except KafkaConnectionError as error:
            if security.has_sasl and connection.broker_version_data is not None:
                raise _HungUp from error
            raise

    try:
        net.run(connect)
    finally:
        manager.close()
        net.close()


def _addresses(brokers: str) -> Iterator[tuple[str, int]]:
    for address in filter(None, (part.strip() for part in brokers.split(","))):
        host, colon, port = address.rpartition(":")
        if not colon:
            host, port = address, str(_DEFAULT_PORT)
        if not host or not port.isdecimal():
            raise SettingsError(
                f"TWOFOLD_BOOTSTRAP_SERVERS: {address!r} is not the address of a broker. Write `host:port,host:port,…`."
            )
        yield host.strip("[]"), int(port)
