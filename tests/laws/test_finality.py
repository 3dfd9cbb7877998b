"""Finality, where ids are missing: exact at every answer, and made again from publication, partials and positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from laws.holes import scripts_with_holes
from laws.market import Market, Sending
from laws.parts import (
    SteppedWorker,
    check_rows,
    check_tables,
    cuts_up_to,
    everything_merged_soon,
    one_in,
    rows_of,
    run_cycle,
)
from small_market import SmallMarket

from serving.batch_side import load_batch_side
from serving.seam import Pair
from twofold.lake import Lake
from twofold.lane import Positions
from twofold.publication import Publication, Publications, found_lake
from twofold.views import VIEWS


@settings(one_in(10))
@given(script=scripts_with_holes())
def test_with_holes_every_row_and_every_gap_is_the_oracles(script: list[list[Sending]]) -> None:
    market = Market()
    with TemporaryDirectory() as folder, everything_merged_soon():
        lake = Lake(folder)
        for sequence, turn in enumerate(script, start=1):
            market.send(turn)
            publication = run_cycle(lake, market.log)
            oracle, cuts = market.oracle(), cuts_up_to(lake, sequence)
            check_rows(load_batch_side(lake, VIEWS, publication, None), None, oracle, cuts)
            check_tables(lake, publication, oracle, cuts)


class Days:
    """A market of one symbol whose minutes before 10:05 are over, and what its rows say."""

    def __init__(self, folder: Path, hole_age_s: float = 3600.0) -> None:
        self.market = SmallMarket(folder, hole_age_s=hole_age_s)
        for number in range(3):
            self.market.trade(f"10:05:0{number}", symbol="ETHUSDT", trade_id=number)

    def finality(self, interval_s: int = 60) -> dict[str, tuple[str, int]]:
        """Run a cycle; finality and revisions of BTCUSDT, by the minute at which the window starts."""
        batch = load_batch_side(self.market.lake, VIEWS, self.market.cycle(), None)
        rows = rows_of("bars", interval_s, Pair(batch))
        return {
            row["window_start"][11:16]: (row["finality"], row["revisions"])
            for row in rows
            if row["symbol"] == "BTCUSDT"
        }


@pytest.fixture
def days(tmp_path: Path) -> Days:
    return Days(tmp_path)


def test_a_row_stays_provisional_while_a_missing_trade_may_fall_into_it(days: Days) -> None:
    for clock, trade_id in (("09:59:30", 1), ("10:00:30", 2), ("10:02:30", 5), ("10:03:30", 6)):
        days.market.trade(clock, trade_id=trade_id)
    expected = {"09:59": "closed", "10:00": "provisional", "10:02": "provisional", "10:03": "closed"}
    assert days.finality() == {minute: (finality, 0) for minute, finality in expected.items()}


@pytest.mark.parametrize("lane", [0, 1])
def test_what_fills_a_hole_closes_its_rows_without_a_revision(days: Days, lane: int) -> None:
    days.market.trade("10:00:10", trade_id=1)
    days.market.trade("10:00:30", trade_id=3)
    assert days.finality() == {"10:00": ("provisional", 0)}
    days.market.trade("10:00:20", trade_id=2, lane=lane, arrives="10:06:00")
    assert days.finality() == {"10:00": ("closed", 0)}


def test_a_hole_keeps_a_coarser_row_open_wherever_in_it_it_may_fall(days: Days) -> None:
    for clock, trade_id in (("09:50:30", 1), ("10:01:30", 2), ("10:02:30", 4), ("10:04:30", 5)):
        days.market.trade(clock, trade_id=trade_id)
    assert days.finality(300) == {"09:50": ("closed", 0), "10:00": ("provisional", 0)}


def test_a_dead_letter_that_says_its_id_closes_the_row_and_a_good_copy_revises_it(days: Days) -> None:
    days.market.trade("10:00:10", trade_id=1)
    days.market.trade("10:00:30", trade_id=3)
    assert days.finality() == {"10:00": ("provisional", 0)}
    days.market.broken("10:06:00", 2)
    assert days.finality() == {"10:00": ("closed", 0)}
    days.market.trade("10:00:20", trade_id=2, arrives="10:07:00")
    assert days.finality() == {"10:00": ("revised", 1)}


def test_a_lost_id_closes_the_row_and_revises_it_if_it_comes_after_all(tmp_path: Path) -> None:
    days = Days(tmp_path, hole_age_s=600)
    days.market.trade("10:00:10", trade_id=1)
    days.market.trade("10:00:30", trade_id=3)
    assert days.finality() == {"10:00": ("provisional", 0)}
    days.market.trade("10:10:30", trade_id=4)
    assert days.finality()["10:00"] == ("provisional", 0)
    days.market.trade("10:10:31", trade_id=5)
    assert days.finality()["10:00"] == ("closed", 0)
    days.market.trade("10:00:20", trade_id=2, arrives="10:11:00")
    assert days.finality()["10:00"] == ("revised", 1)


def test_a_hole_that_is_found_late_opens_a_closed_row_again_and_what_fills_it_revises(days: Days) -> None:
    days.market.trade("10:00:10", trade_id=1)
    assert days.finality() == {"10:00": ("closed", 0)}
    days.market.trade("10:05:30", trade_id=3)
    assert days.finality()["10:00"] == ("provisional", 0)
    days.market.trade("10:00:20", trade_id=2, arrives="10:06:00")
    assert days.finality()["10:00"] == ("revised", 1)


def test_revisions_are_counted_through_compaction_and_only_where_no_hole_held_the_row(days: Days) -> None:
    with everything_merged_soon():
        days.market.trade("10:00:01", trade_id=1)
        days.market.trade("10:00:09", trade_id=9)
        days.finality()
        found = []
        for trade_id in (5, 3, 7, 2, 4, 6, 8, 10, 11, 12):
            days.market.trade("10:00:05", trade_id=trade_id, arrives="10:06:00")
            found.append(days.finality()["10:00"])
        files = days.market.lake.files("views/bars", Publications(days.market.lake).newest().tables["views/bars"])
    assert found == [("provisional", 0)] * 6 + [("closed", 0), ("revised", 1), ("revised", 2), ("revised", 3)]
    assert len(files) <= 2


@dataclass(frozen=True)
class Given:
    """An answer as it was given: where it stood, and what each of its rows said."""

    sequence: int
    positions: Positions
    interval_s: int
    labels: Mapping[tuple[str, str, str], tuple[str, int]]


def labels_of(pair: Pair, interval_s: int) -> dict[tuple[str, str, str], tuple[str, int]]:
    rows = rows_of("bars", interval_s, pair)
    return {(row["venue"], row["symbol"], row["window_start"]): (row["finality"], row["revisions"]) for row in rows}


@settings(one_in(25))
@given(script=scripts_with_holes(turns=5))
def test_finality_is_made_again_from_publication_partials_and_positions_alone(script: list[list[Sending]]) -> None:
    market = Market()
    answers: list[Given] = []
    with TemporaryDirectory() as folder, everything_merged_soon():
        lake = Lake(folder)
        found_lake(lake)
        worker = SteppedWorker(lake, market.log)
        for turn in script:
            publication = Publications(lake).newest()
            batch = load_batch_side(lake, VIEWS, publication, None)
            worker.start(publication)
            for part in (turn[:4], turn[4:]):
                market.send(part)
                worker.step(publication.sequence, [(0, 2), (2, 2), (1, 1)])
                pair = Pair(batch, worker.client.follow(publication.sequence, None, 0))
                answers += [
                    Given(publication.sequence, pair.positions, interval_s, labels_of(pair, interval_s))
                    for interval_s in (60, 300)
                ]
            run_cycle(lake, market.log, max_records=7)
        for answer in answers:
            assert labels_again(Lake(folder), market, answer) == answer.labels


def labels_again(lake: Lake, market: Market, answer: Given) -> dict[tuple[str, str, str], tuple[str, int]]:
    """The labels of an old answer, by the tables at its publication's versions and the log from its cut on."""
    publication = Publications(lake).at(answer.sequence)
    length = timedelta(seconds=answer.interval_s)
    sides = [table(lake, publication, "views/bars"), live_partials(lake, market, publication, answer)]
    partials = pl.concat(sides, how="diagonal")
    gaps = table(lake, publication, "gaps").to_dicts()
    counted: Counter[tuple[str, str, datetime]] = Counter()
    live = set()
    for row in partials.iter_rows(named=True):
        start = row["window_start"].timestamp() // answer.interval_s * answer.interval_s
        window = (row["venue"], row["symbol"], datetime.fromtimestamp(start, row["window_start"].tzinfo))
        counted[window] += row["revisions"]
        live |= {window} if row["live"] else set()
    found = {}
    for (venue, symbol, start), revisions in counted.items():
        times = publication.witnesses.get(venue, [])
        past = len(times) > 2 and (start + length).timestamp() * 10**6 <= times[2]
        missing = any(
            (gap["venue"], gap["symbol"], gap["state"]) == (venue, symbol, "open")
            and gap["first_event"] < start + length
            and gap["last_event"] >= start
            for gap in gaps
        )
        settled = past and not missing and (venue, symbol, start) not in live
        finality = ("revised" if revisions else "closed") if settled else "provisional"
        found[venue, symbol, start.isoformat().replace("+00:00", "Z")] = (finality, revisions)
    return found


def table(lake: Lake, publication: Publication, name: str) -> pl.DataFrame:
    version = publication.tables.get(name)
    return pl.DataFrame() if version is None else lake.scan(name, version).collect().with_columns(live=False)


def live_partials(lake: Lake, market: Market, publication: Publication, answer: Given) -> pl.DataFrame:
    worker = SteppedWorker(lake, market.log.up_to(answer.positions))
    worker.start(publication)
    worker.step_to_end(publication.sequence)
    return worker.client.follow(publication.sequence, None, 0).partials("bars").with_columns(live=True)
