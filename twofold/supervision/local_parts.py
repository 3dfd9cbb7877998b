"""The parts of a Twofold on one machine, made from the settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import httpx

from twofold.errors import PortTaken
from twofold.port import listens, obstacle
from twofold.settings import Settings
from twofold.supervision.part import Part

_LOOPBACK = "127.0.0.1"
_PROBE_TIMEOUT_S = 1.0


def local_parts(settings: Settings, source: Sequence[str]) -> list[Part]:
    """List the parts in the order in which they start; they stop in the reverse order.

    Args:
        settings: where each part listens.
        source: the `twofold` command, with its arguments, that sends trades.
    """
    kafka = Part(
        "kafka",
        _twofold("kafka"),
        is_ready=lambda: listens(_LOOPBACK, settings.kafka_port),
        stop_within_s=25,
    )
    log = (kafka.name,) if settings.embedded_kafka else ()
    prefect = Part(
        "prefect",
        (sys.executable, "-m", "prefect", "server", "start", "--host", _LOOPBACK, "--port", str(settings.prefect_port)),
        is_ready=lambda: _answers(f"{prefect_address(settings)}/api/health"),
        stands_back=True,
    )
    return [
        *([kafka] if settings.embedded_kafka else []),
        prefect,
        Part("serving", _twofold("serve"), needs=log, is_ready=lambda: _answers(f"{serving_url(settings)}/healthz")),
        *_speed_parts(settings, log),
        Part("deployments", _twofold("deployments"), needs=(*log, prefect.name), stands_back=True),
        Part("source", _twofold(*source), needs=log, endless=False),
    ]


def _speed_parts(settings: Settings, needs: tuple[str, ...]) -> Iterator[Part]:
    """The speed workers; one by itself is `speed`, of several each bears its number and its replica's."""
    workers = settings.speed_workers
    for worker, replicas in enumerate(workers):
        for replica, address in enumerate(replicas):
            alone = len(workers) == len(replicas) == 1
            name = "speed" if alone else f"speed-{worker}-{replica}"
            command = _twofold("speed", "--worker", str(worker), "--replica", str(replica))
            place = split_address(address)
            yield Part(name, command, needs=needs, is_ready=partial(listens, *place))


def local_environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every part: what this process inherited, and where Prefect's server and files are."""
    home = settings.data_folder.absolute() / "prefect"
    return {
        **inherited,
        "PREFECT_API_URL": f"{prefect_address(settings)}/api",
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_RUNNER_POLL_FREQUENCY": "2",
        # A run that was killed before it began keeps its slot for so many seconds; this is the least that is allowed.
        "PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": "30",
        "DO_NOT_TRACK": "1",
    }


def check_ports(settings: Settings) -> None:
    """Make sure that every part can listen where it is to.

    Raises:
        PortTaken: one cannot; the message names the port and the setting that moves it.
    """
    for part, setting, host, port in _addresses(settings):
        check_port(part, setting, host, port)


def check_port(part: str, setting: str, host: str, port: int) -> None:
    """Make sure that one part can listen where it is to.

    Raises:
        PortTaken: it cannot; the message names the port and the setting that moves it.
    """
    if why := obstacle(host, port):
        raise PortTaken(
            f"{part} is to listen on {host}:{port}, but: {why}. Stop what uses the port (a Twofold that was "
            f"stopped just now needs some seconds), or choose another by {setting}. Nothing was started."
        )


def serving_url(settings: Settings) -> str:
    """Where the serving API answers on this machine."""
    return f"http://{settings.serving_address}"


def prefect_address(settings: Settings) -> str:
    """Where Prefect's pages are."""
    return f"http://{_LOOPBACK}:{settings.prefect_port}"


def _addresses(settings: Settings) -> Iterator[tuple[str, str, str, int]]:
    if settings.embedded_kafka:
        yield "Kafka", "TWOFOLD_KAFKA_PORT", _LOOPBACK, settings.kafka_port
    yield "The Prefect server", "TWOFOLD_PREFECT_PORT", _LOOPBACK, settings.prefect_port
    for worker, replicas in enumerate(settings.speed_workers):
        for replica, address in enumerate(replicas):
            yield "The speed worker", "TWOFOLD_SPEED_ADDRESS", *split_address(address)
            if metrics := settings.speed_tells_metrics_at(worker, replica):
                yield "The speed worker", "TWOFOLD_SPEED_METRICS_ADDRESS", *split_address(metrics)
    yield "The serving API", "TWOFOLD_SERVING_ADDRESS", *split_address(settings.serving_address)


def split_address(address: str) -> tuple[str, int]:
    """Host and port of an address such as `127.0.0.1:18080`."""
    host, _, port = address.rpartition(":")
    return host, int(port)


def _twofold(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "twofold", *arguments)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=_PROBE_TIMEOUT_S).is_success
    except httpx.HTTPError:
        return False
