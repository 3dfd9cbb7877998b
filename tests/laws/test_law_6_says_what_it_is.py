"""Law 6: every answer says what it is, and positions in successive answers never go back, restarts included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Self
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws.market import SOURCES, Market, Sending, sendings, steady_trades
from laws.parts import SOURCE, check_rows, cuts_up_to, everything_merged_soon, one_in, rows_of, run_cycle
from small_market import ROOMY_BYTES, runs

from serving.batch_side import BatchSide, load_batch_side
from serving.seam import Pair, Seam
from serving.speed_side import SpeedClient
from speed_layer import worker
from speed_layer.worker import SpeedWorker
from twofold.errors import SpeedAway
from twofold.lake import Lake
from twofold.lane import Positions, at_least
from twofold.port import free_port
from twofold.views import VIEWS

SETTLED = ("closed", "revised")
"""How long serving waits for the speed worker when it starts: longer than any test."""


class Walk:
    """A log, a lake, a speed worker behind its door and a seam, each moved and restarted in an order of chance."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._random = Random(seed)
        self._market = Market()
        self._unsent: Iterator[Sending] = iter(steady_trades(600))
        self._lake = Lake(str(folder))
        self._port = free_port()
        self._door = ExitStack()
        self._client = SpeedClient(f"127.0.0.1:{self._port}")
        self._positions: Positions = {}
        self._sequence = 0
        self.send()
        self.cycle()
        self.start_speed()
        self.start_seam()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_speed()
        self._client.close()

    def send(self) -> None:
        self._market.send(next(self._unsent) for _ in range(self._random.randint(1, 9)))

    def cycle(self) -> None:
        run_cycle(self._lake, self._market.log, max_records=self._random.choice([3, 1_000]))

    def start_speed(self) -> None:
        """Start a speed worker in place of the one there was, if any."""
        self.stop_speed()
        new = SpeedWorker(self._lake, self._market.log.open_reader, VIEWS, SOURCES, SOURCE, ROOMY_BYTES)
        self._door.enter_context(runs(new, self._port))
        self._is_speed_up = True

    def stop_speed(self) -> None:
        self._door.close()
        self._is_speed_up = False

    def start_seam(self) -> None:
        """Start serving, in place of the one there was, if any."""
        self._client.close()
        self._client = SpeedClient(f"127.0.0.1:{self._port}")
        self._seam = Seam(self._lake, self._client, VIEWS)
        self._seam.look_at_lake()

    def look(self) -> None:
        """Look at the lake, then some times at the speed worker, and ask each time."""
        self._seam.look_at_lake()
        for _ in range(self._random.randint(1, 4)):
            self._seam.look_at_speed()
            self.ask()

    def step(self) -> None:
        """Do one thing of chance, then ask."""
        often = [self.look, self.look, self.look, self.send, self.send, self.cycle]
        seldom = [self.start_speed, self.start_speed, self.stop_speed, self.start_seam]
        self._random.choice(often * 4 + seldom)()
        self.ask()

    def settle(self) -> None:
        """With everything there again, an answer has all that was sent."""
        if not self._is_speed_up:
            self.start_speed()
        self.send()
        self.cycle()
        while dict(self._positions) != self._market.log.end_offsets():
            self.look()

    def ask(self) -> None:
        """Ask, if anything can be answered; the answer is the oracle's and takes nothing back."""
        try:
            pair = self._seam.pair("live")
        except SpeedAway:
            return
        assert at_least(pair.positions, self._positions)
        assert pair.batch.publication.sequence >= self._sequence
        self._positions, self._sequence = pair.positions, pair.batch.publication.sequence
        cuts = cuts_up_to(self._lake, self._sequence)
        check_rows(pair.batch, pair.speed, self._market.oracle(), cuts, intervals_s=(60,))


@pytest.mark.parametrize("seed", range(2))
def test_answers_never_go_back_while_parts_move_and_are_restarted(seed: int, tmp_path: Path) -> None:
    with patch.object(worker, "GRACE_S", 0.2), everything_merged_soon(), Walk(tmp_path, seed) as walk:
        for _ in range(4):
            for _ in range(9):
                walk.step()
            walk.settle()


@settings(one_in(12))
@given(turns=st.lists(st.lists(sendings(), min_size=4, max_size=12), min_size=3, max_size=6))
def test_what_is_settled_stays_settled_and_revisions_only_rise(turns: list[list[Sending]]) -> None:
    market = Market()
    before: Mapping[tuple[str, ...], Any] = {}
    were_settled: set[tuple[str, ...]] = set()
    with TemporaryDirectory() as folder, everything_merged_soon():
        for sent in turns:
            market.send(sent)
            batch = load_batch_side(lake := Lake(folder), VIEWS, run_cycle(lake, market.log), None)
            rows = {key_of(row): row for row in rows_of("bars", 60, Pair(batch))}
            for key, earlier in before.items():
                row = rows[key]
                assert row["finality"] in SETTLED or earlier["finality"] not in SETTLED or may_lack_trades(batch, row)
                assert row["revisions"] >= earlier["revisions"]
                changed, rose = row["trades"] != earlier["trades"], row["revisions"] > earlier["revisions"]
                assert (changed and key in were_settled) <= rose <= changed
            assert all(row["finality"] != ("closed" if row["revisions"] else "revised") for row in rows.values())
            were_settled |= {key for key, row in rows.items() if row["finality"] in SETTLED}
            before = rows


def may_lack_trades(batch: BatchSide, row: Mapping[str, Any]) -> bool:
    """Whether a gap that is open may fall into the row's window."""
    of_market = (pl.col("venue") == row["venue"]) & (pl.col("symbol") == row["symbol"]) & (pl.col("state") == "open")
    start, end = (datetime.fromisoformat(row[name]) for name in ("window_start", "window_end"))
    return not batch.gaps.filter(of_market, pl.col("first_event") < end, pl.col("last_event") >= start).is_empty()


def key_of(row: Mapping[str, str]) -> tuple[str, ...]:
    """What a row is about."""
    return (row["venue"], row["symbol"], row["window_start"])
