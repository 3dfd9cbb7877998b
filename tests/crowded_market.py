"""A market whose lake has small files enough for maintenance to join."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_market import SmallMarket

import batch_layer.maintenance.compaction


def crowded_market(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SmallMarket:
    """Three cycles over the lake that the settings name; two small files are enough to be joined."""
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(folder))
    monkeypatch.setattr(batch_layer.maintenance.compaction, "FILES", 2)
    market = SmallMarket(folder)
    for minute in range(3):
        market.trade(f"10:0{minute}:00")
        market.cycle()
    return market
