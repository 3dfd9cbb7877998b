"""What a reader sees of a lake: it must be whole whenever one looks, and never go back."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from laws.market import Market
from laws.parts import check_rows, check_tables, cuts_up_to, run_cycle

from serving.batch_side import load_batch_side
from twofold.errors import NoLake
from twofold.lake import Lake
from twofold.lane import at_least
from twofold.publication import GENESIS, Publication, Publications
from twofold.views import VIEWS


class Public:
    """A reader of one lake, who compares all that is public with the oracle."""

    def __init__(self, folder: Path, market: Market) -> None:
        self.lake = Lake(str(folder))
        self._market = market
        self._last = GENESIS

    def newest(self) -> Publication:
        """The newest publication, or none before the lake is founded."""
        try:
            return Publications(self.lake).newest()
        except NoLake:
            return GENESIS

    def check(self) -> None:
        """Look, and compare every row and every table with the oracle at the cut."""
        newest = self.newest()
        assert newest.sequence >= self._last.sequence
        assert at_least(newest.cut, self._last.cut)
        if newest.sequence > 0:
            oracle, cuts = self._market.oracle(), cuts_up_to(self.lake, newest.sequence)
            check_rows(load_batch_side(self.lake, VIEWS, newest, None), None, oracle, cuts)
            check_tables(self.lake, newest, oracle, cuts)
            sequences = pl.read_delta(self.lake.address("publications"))["sequence"]
            assert sequences.n_unique() == len(sequences)
            assert newest.sequence == sequences.max() == self.lake.open("publications").version()
        self._last = newest

    def check_next_cycle(self) -> None:
        """A cycle after all that happened takes in everything that is left."""
        expected = self.newest().sequence + 1
        assert run_cycle(self.lake, self._market.log).sequence == expected
        self.check()
        assert self.newest().cut == self._market.log.end_offsets()
