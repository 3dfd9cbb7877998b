"""Brokers: how to get hold of them, and what to say when nobody answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, RetriableError

from twofold.errors import EventLogError, EventLogUnreachable, SettingsError

ANSWER_TIMEOUT_MS = 5_000
"""How long a broker may take to answer anything but a fetch."""

_DEFAULT_PORT = 9092


def unreachable(brokers: str, cause: Exception) -> EventLogUnreachable:
    """Make the error that says that no broker answers, and why."""
    return EventLogUnreachable(
        f"No Kafka broker answers at {brokers} ({cause or type(cause).__name__}). Start one with `twofold kafka`, or "
        "set TWOFOLD_BOOTSTRAP_SERVERS to brokers that run, as `host:port,…`."
    )


def refusal(brokers: str, cause: KafkaError) -> EventLogError:
    """Make the error that says that a broker does not do what it was asked to."""
    return EventLogError(f"Kafka at {brokers} refuses: {cause}. Check its settings, and the rights there.")


def knock(brokers: str) -> None:
    """See that at least one of the brokers takes a connection.

    The client library starts a thread before it first connects and leaves it behind when that fails: knock first.

    Raises:
        EventLogUnreachable: none does.
        SettingsError: an address is not `host:port`.
    """
    refusal: OSError | None = None
    for host, port in _addresses(brokers):
        try:
            socket.create_connection((host, port), timeout=ANSWER_TIMEOUT_MS / 1000).close()
        except OSError as error:
            refusal = error
        else:
            return
    raise unreachable(brokers, refusal or OSError("no address given"))


@contextmanager
def in_our_words(brokers: str) -> Iterator[None]:
    """Turn the client library's errors into Twofold's.

    Raises:
        EventLogUnreachable: no broker answers in time.
        EventLogError: the broker refuses.
    """
    try:
        yield
    except RetriableError as error:
        raise unreachable(brokers, error) from error
    except KafkaError as error:
        raise refusal(brokers, error) from error


@contextmanager
def administer(brokers: str) -> Iterator[KafkaAdminClient]:
    """Open an admin client, and say in Twofold's words what goes wrong while it is used.

    Raises:
        EventLogUnreachable: no broker answers in time.
        EventLogError: the broker refuses.
        SettingsError: an address is not `host:port`.
    """
    knock(brokers)
    with in_our_words(brokers):
        client = KafkaAdminClient(
            client_id="twofold",
            bootstrap_servers=brokers.split(","),
            bootstrap_timeout_ms=ANSWER_TIMEOUT_MS,
            request_timeout_ms=ANSWER_TIMEOUT_MS,
        )
        with closing(client):
            yield client


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
