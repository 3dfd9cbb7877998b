"""Compaction: cycles that rewrite at once what they merge now and then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import batch_layer.ledger
import batch_layer.partials


@contextmanager
def compacting() -> Iterator[None]:
    """Cycles rewrite every day that they touch, and the ledger."""
    with (
        patch.object(batch_layer.partials, "FILES_PER_DAY", 1),
        patch.object(batch_layer.ledger, "LEDGER_FILES", 1),
    ):
        yield
