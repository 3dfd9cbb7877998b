"""`twofold kafka`: the embedded Kafka by itself."""

from __future__ import annotations

import signal

import typer

from twofold.settings import load_settings


def kafka() -> None:
    """Run the embedded Kafka until it is stopped by Ctrl-C or SIGTERM."""
    from twofold.event_log import jars
    from twofold.event_log.embedded import EmbeddedKafka

    settings = load_settings()
    folder, cache = settings.data_folder / "kafka", jars.default_cache()
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell starts what runs in the background with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        if not jars.are_cached(cache):
            typer.echo(f"Fetching Kafka into {cache} (about 45 MB, once)")
        with EmbeddedKafka(folder, settings.kafka_port, cache) as broker:
            typer.echo(f"Kafka listens on {broker.brokers}, data in {folder.absolute()}. Stop it with Ctrl-C.")
            broker.wait()
    except KeyboardInterrupt:
        typer.echo("Kafka has stopped.")
