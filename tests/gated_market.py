"""A small market whose cycles are checked before they are published."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pytest
from small_market import SmallMarket

from batch_layer.cycle import BatchCycle
from batch_layer.quality.gate import Gate
from speed_layer.base import load_base
from speed_layer.base_fold import BaseFold
from twofold.errors import CycleHeld
from twofold.hold import Hold, Holds
from twofold.publication import Publication, Publications

NOW = datetime(2024, 8, 9, 10, 5, tzinfo=UTC)


class GatedMarket(SmallMarket):
    """A small market whose cycles are checked."""

    def new_cycle(self) -> BatchCycle:
        return BatchCycle(
            self.lake,
            self.log.open_reader,
            self.views,
            self.sources,
            "simulator",
            self._hole_age_s,
            lambda: NOW,
            Gate(10.0, lambda: NOW),
        )

    @classmethod
    def poisoned(cls, folder: Path) -> Self:
        """A market with a publication, and beyond its cut trades of which half are a hundred times too high."""
        market = cls(folder)
        market.trade_well(0)
        market.cycle()
        market.trade_poison(1)
        return market

    def trade_well(self, minute: int) -> None:
        """Log six trades of two symbols, in both lanes."""
        for second in range(6):
            self.trade(f"10:{minute:02}:0{second}", price="100")
            self.trade(f"10:{minute:02}:0{second}", price="20", symbol="ETHUSDT", lane=1)

    def trade_poison(self, minute: int) -> None:
        """Log six trades that are a hundred times too high, and six good ones of another symbol, in both lanes."""
        for second in range(6):
            self.trade(f"10:{minute:02}:0{second}", price="10000")
            self.trade(f"10:{minute:02}:0{second}", price="21", symbol="ETHUSDT", lane=second % 2)

    def hold(self) -> Hold:
        """Run a cycle that is held."""
        with pytest.raises(CycleHeld):
            self.cycle()
        return Holds(self.lake).all()[-1]

    def newest(self) -> Publication:
        """The newest publication."""
        return Publications(self.lake).newest()

    def fold(self, publication: Publication) -> BaseFold:
        """The live fold on a publication's base, at the log's end."""
        fold = BaseFold(load_base(self.lake, publication, self.sources), self.views, self.sources, "simulator")
        reader = self.log.open_reader(publication.cut)
        fold.apply(reader.poll(0, 1_000), reader.positions, reader.lost)
        return fold
