"""Our side: the speed worker's fold from an empty base to the end of a topic, with ledger and dead letters on.

Run as `python ours.py BROKERS TOPIC RESULT`; writes one JSON object to RESULT.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import orjson

from twofold.responsiveness import responsive

with responsive():  # as `twofold speed` does
    from speed_layer.base import Base
    from speed_layer.base_fold import BaseFold
    from speed_layer.reading import Reading
    from twofold.event_log.opening import log_opener
    from twofold.fold import finished, merge
    from twofold.settings import Settings
    from twofold.views import VIEWS

_LOOK_S = 0.01


def main(brokers: str, topic: str, result: Path) -> None:
    """Fold the topic and write bars, account and times."""
    settings = Settings(bootstrap_servers=brokers, topic=topic)
    bars = VIEWS["bars"]
    reading = Reading(
        BaseFold(Base(), VIEWS, settings.sources, settings.default_source), log_opener(settings), lambda: False
    )
    started_cpu_s, started_s = time.process_time(), time.monotonic()
    reading.start()
    while reading.ready_at_s is None and reading.failure is None:
        time.sleep(_LOOK_S)
    if reading.failure is not None:
        raise reading.failure
    took_s = time.monotonic() - started_s
    reading.stop()
    reading.join()
    snapshot = reading.fold.snapshot
    rows = finished(bars, merge(bars, snapshot.logs["bars"].since(0)))
    result.write_bytes(
        orjson.dumps(
            {
                "start_up_cpu_s": started_cpu_s,
                "took_s": took_s,
                "rows": rows.to_dicts(),
                "accounts": snapshot.accounts,
            },
            default=str,
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
