"""What Java keeps of one start of Kafka, so that later ones take half as long: its ahead-of-time cache (JEP 483, 514).

Java itself sees whether a cache fits its version, its settings and the jars, and starts without it where it does not.
`python -m twofold.event_log.start_cache` fetches Kafka's jars and makes it ahead of time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from twofold.errors import EmbeddedKafkaError
from twofold.event_log.embedded import EmbeddedKafka
from twofold.event_log.jars import class_path, default_cache, start_cache
from twofold.port import free_port


def make_start_cache(cache: Path) -> Path:
    """Make it beside the jars, unless it is there, by starting a Kafka once (15 s of processor time, 70 MB).

    Where this Java makes none, there is none, and Kafka starts as it would without.

    Raises:
        EmbeddedKafkaError: Kafka's jars cannot be had, or Kafka gave up.
    """
    class_path(cache)
    made = start_cache(cache)
    if not made.exists():
        with TemporaryDirectory(prefix=".starting-", dir=cache) as scratch:
            unfinished = Path(scratch) / made.name
            with EmbeddedKafka(Path(scratch) / "kafka", free_port(), cache, [f"-XX:AOTCacheOutput={unfinished}"]):
                pass
            if unfinished.exists():
                unfinished.rename(made)
    return made


def main() -> None:
    """Fetch and make it in the default cache, and say where it is."""
    try:
        made = make_start_cache(default_cache())
    except (EmbeddedKafkaError, OSError) as error:
        sys.exit(str(error))
    typer.echo(f"Kafka's jars are in {made.parent}")


if __name__ == "__main__":
    main()
