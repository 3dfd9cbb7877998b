"""`twofold speed`: the speed worker."""

from __future__ import annotations

import logging
import signal
import threading

from twofold.responsiveness import responsive
from twofold.settings import load_settings
from twofold.supervision.local_parts import check_port, split_address


def speed() -> None:
    """Run the speed worker: fold live trades on top of what is published, and offer them to serving."""
    with responsive():
        from speed_layer.flight import SpeedServer
        from speed_layer.worker import SpeedWorker
        from twofold.event_log.opening import log_opener
        from twofold.lake import Lake
        from twofold.views import VIEWS

    settings = load_settings()
    check_port("The speed worker", "TWOFOLD_SPEED_ADDRESS", *split_address(settings.speed_address))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kafka").setLevel(logging.WARNING)
    worker = SpeedWorker(
        Lake(settings.lake_root),
        log_opener(settings),
        VIEWS,
        settings.sources,
        settings.default_source,
        settings.speed_memory_bytes,
    )
    server = SpeedServer(settings.speed_address, worker)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    threading.Thread(target=server.serve, name="flight", daemon=True).start()
    try:
        worker.run()
    finally:
        server.shutdown()
