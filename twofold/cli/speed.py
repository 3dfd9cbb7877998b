"""`twofold speed`: the speed worker."""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import ExitStack
from typing import Annotated

import typer

from twofold.lane import Share
from twofold.responsiveness import responsive
from twofold.settings import load_settings
from twofold.supervision.local_parts import check_port, split_address


def speed(
    worker: Annotated[int, typer.Option(help="Which of the workers in TWOFOLD_SPEED_ADDRESS, from 0 on.")] = 0,
    replica: Annotated[int, typer.Option(help="Which of that worker's replicas, from 0 on.")] = 0,
) -> None:
    """Run the speed worker: fold live trades on top of what is published, and offer them to serving.

    Of several workers each takes the lanes of every so many-th partition; a replica folds the same as its worker does.
    """
    with responsive():
        from speed_layer.flight import SpeedServer
        from speed_layer.heartbeat import beating
        from speed_layer.metrics import telling_metrics
        from speed_layer.worker import SpeedWorker
        from twofold.event_log.opening import log_opener
        from twofold.lake import Lake
        from twofold.views.declared import declared_views

    settings = load_settings()
    address = settings.speed_listens_at(worker, replica)
    share = Share(worker, len(settings.speed_workers))
    check_port("The speed worker", "TWOFOLD_SPEED_ADDRESS", *split_address(address))
    metrics = settings.speed_tells_metrics_at(worker, replica)
    if metrics:
        check_port("The speed worker", "TWOFOLD_SPEED_METRICS_ADDRESS", *split_address(metrics))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("kafka", "httpx"):  # httpx would tell of each heartbeat
        logging.getLogger(name).setLevel(logging.WARNING)
    folding = SpeedWorker(
        Lake(settings.lake_root),
        log_opener(settings, share),
        declared_views(settings.views),
        settings.sources,
        settings.default_source,
        settings.speed_memory_bytes,
        share,
    )
    server = SpeedServer(address, folding)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: folding.stop())
    threading.Thread(target=server.serve, name="flight", daemon=True).start()
    memory_bytes = settings.speed_memory_bytes
    try:
        with ExitStack() as beside:
            if metrics:
                beside.enter_context(telling_metrics(folding, memory_bytes, *split_address(metrics)))
            beside.enter_context(beating(folding, f"{worker}.{replica}", settings.topic, os.environ))
            folding.run()
    finally:
        server.shutdown()
