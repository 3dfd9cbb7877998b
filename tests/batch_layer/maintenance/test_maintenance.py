"""Files are joined and removed, and nothing that anyone may ask for changes or goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from lake_files import LakeFiles
from laws.commit_points import crash_after
from laws.parts import rows_of
from small_market import SmallMarket
from vouched import given_of, vouching

import batch_layer.maintenance.compaction
import twofold.lake
from batch_layer.doctor import Definitions, examine
from batch_layer.doctor.rebuild import plan_rebuild
from batch_layer.end_of_day.making import Asked, make_end_of_day
from batch_layer.maintenance.maintenance import Maintenance, Tidied
from batch_layer.maintenance.report import about, by_table
from serving.answer import answer
from serving.batch_side import load_batch_side
from serving.query import Query
from serving.seam import Pair
from serving.state import State
from twofold.errors import GivenUp, LakeUnreachable, NoLake
from twofold.lake import Lake
from twofold.publication import Publication, Publications
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS

DEFINITIONS = Definitions(SHIPPED_SOURCES, "simulator")
CYCLES = 10
DAY_S = 86_400.0


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallMarket]:
    """Ten small cycles, each with trades of two lanes and a broken record; files are joined from four on."""
    monkeypatch.setattr(batch_layer.maintenance.compaction, "FILES", 4)
    monkeypatch.setattr(twofold.lake, "CHECKPOINT_EVERY", 4)
    market = SmallMarket(tmp_path)
    for minute in range(CYCLES):
        for second in range(4):
            market.trade(f"10:{minute:02}:0{second}", lane=second % 2, price=str(100 + second))
        market.poison(clock=f"10:{minute:02}:09")
        market.cycle()
    return market


def later(hours: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def maintain(market: SmallMarket, retention_s: float = 0.0, hours: float = 2.0) -> tuple[Publication, list[Tidied]]:
    """Maintain as if so many hours had passed."""
    job = Maintenance(market.lake, retention_s, lambda: later(hours))
    publication = job.publish(job.compact())
    return publication, job.clean(publication)


def rows(market: SmallMarket) -> list[object]:
    newest = Publications(market.lake).newest()
    pair = Pair(load_batch_side(market.lake, VIEWS, newest, None), mode="unused")
    return [rows_of(view, 60, pair) for view in VIEWS]


def contents(market: SmallMarket, table: str) -> pl.DataFrame:
    version = Publications(market.lake).newest().tables[table]
    return market.lake.scan(table, version).sort("lane", "offset").collect()


def sound(market: SmallMarket) -> bool:
    found = examine(market.lake, market.log.open_reader, SHIPPED_SOURCES)
    assert (found.findings, found.unchecked) == ([], [])
    return True


def test_small_files_are_joined_and_no_row_changes(market: SmallMarket) -> None:
    tables = {name: contents(market, name) for name in ("raw", "trades", "dead_letters")}
    before = rows(market)
    publication, tidied = maintain(market, DAY_S)
    assert publication.sequence == CYCLES + 1
    assert {name: contents(market, name) for name in tables}.keys() == tables.keys()
    assert all(contents(market, name).equals(frame) for name, frame in tables.items())
    assert rows(market) == before
    counts = {each.table: (each.before, each.after) for each in tidied}
    assert counts["raw"] == counts["trades"] == counts["dead_letters"] == (CYCLES, 1)
    assert counts["views/bars"] == (CYCLES, 1)
    assert sound(market)


def test_only_what_is_public_differs_by_versions_of_tables(market: SmallMarket) -> None:
    before = Publications(market.lake).newest()
    after, _ = maintain(market, DAY_S)
    assert (after.cut, after.accounts, after.witnesses, after.log) == (
        before.cut,
        before.accounts,
        before.witnesses,
        before.log,
    )
    assert after.tables["ledger"] == before.tables["ledger"]


def test_what_is_tidy_is_left_and_nothing_is_published(market: SmallMarket) -> None:
    maintain(market, DAY_S)
    publication, tidied = maintain(market, DAY_S)
    assert publication.sequence == CYCLES + 1
    assert {each.before - each.after for each in tidied} == {0}


def test_what_a_publication_within_retention_names_is_spared(market: SmallMarket) -> None:
    _, tidied = maintain(market, DAY_S)
    assert {(each.removed.data, each.removed.log) for each in tidied} == {((), ())}
    for sequence in range(1, CYCLES + 2):
        publication = Publications(market.lake).at(sequence)
        for table, version in publication.tables.items():
            market.lake.scan(table, version).collect()


def test_what_none_names_goes_with_the_log_before_it(market: SmallMarket) -> None:
    files = LakeFiles(market.lake)
    maintain(market, DAY_S)
    size = sum(path.stat().st_size for path in files.root.glob("raw/*.parquet"))
    publication, tidied = maintain(market)
    raw = next(each for each in tidied if each.table == "raw")
    assert (len(raw.removed.data), publication.released) == (CYCLES, CYCLES)
    assert raw.removed.data_bytes == size - sum(path.stat().st_size for path in files.root.glob("raw/*.parquet"))
    assert {Path(path).name for path in raw.removed.log} >= {f"{version:020}.json" for version in range(8)}
    assert not files.commit("raw", 7).exists()
    assert files.commit("raw", 8).exists()
    with pytest.raises(LakeUnreachable):
        market.lake.scan("raw", Publications(market.lake).at(1).tables["raw"]).collect()
    assert sound(market)


def test_a_lake_that_was_cleaned_goes_on(market: SmallMarket) -> None:
    maintain(market, DAY_S)
    maintain(market)
    market.trade("10:30:00")
    publication = market.cycle()
    assert publication.cut == market.log.end_offsets()
    assert contents(market, "trades").height == 4 * CYCLES + 1
    assert sound(market)


def test_files_that_no_version_ever_named_go_too_and_only_when_they_are_old(market: SmallMarket) -> None:
    stray = Path(market.lake.root, "trades", "part-of-a-killed-cycle.parquet")
    stray.write_bytes(b"half a file")
    maintain(market, hours=0.5)
    assert stray.exists()
    maintain(market)
    assert not stray.exists()


def test_answers_of_released_publications_are_made_again(market: SmallMarket) -> None:
    receipts = vouching(market.lake)
    given_then = []
    for sequence in (1, 5, CYCLES):
        pair = Pair(load_batch_side(market.lake, VIEWS, Publications(market.lake).at(sequence), None), mode="unused")
        query = Query(VIEWS["bars"], 60_000_000)
        given_then.append((receipts.signer.sign(query, State.of(pair)), given_of(receipts, answer(query, pair))))
    maintain(market, DAY_S)
    maintain(market)
    remaker = vouching(market.lake).remaker
    assert [remaker.make_again(token) for token, _ in given_then] == [given for _, given in given_then]


def test_an_end_of_day_of_a_released_publication_is_refused_by_name(market: SmallMarket) -> None:
    day = datetime(2024, 8, 9, tzinfo=UTC).date()
    make_end_of_day(market.lake, Asked(day), 3)
    maintain(market)
    with pytest.raises(GivenUp, match=r"publication 3 are not kept any more.*a later publication"):
        make_end_of_day(market.lake, Asked(day), 3)
    make_end_of_day(market.lake, Asked(day))


@pytest.mark.parametrize("commits", range(9))
def test_a_killed_run_leaves_what_was_public_and_the_next_one_goes_on(market: SmallMarket, commits: int) -> None:
    before = rows(market)
    with crash_after(commits):
        maintain(market, DAY_S)
    assert rows(market) == before
    assert sound(market)
    market.trade("10:30:00")
    market.cycle()
    _, tidied = maintain(market, DAY_S)
    assert {each.after for each in tidied if each.table in {"raw", "trades"}} <= {1, 2}
    assert contents(market, "raw").height == 5 * CYCLES + 1
    assert sound(market)


def test_a_cycle_is_made_again_from_raw_that_was_joined(market: SmallMarket) -> None:
    maintain(market, DAY_S)
    maintain(market)
    market.trade("10:30:00")
    market.cycle()
    before = rows(market)
    found = examine(market.lake, market.log.open_reader, SHIPPED_SOURCES)
    plan = plan_rebuild(found, DEFINITIONS)
    assert plan is not None
    plan.carry_out(market.lake, lambda: later(3))
    assert rows(market) == before
    assert sound(market)


def test_what_would_be_done_is_foretold_and_nothing_written(market: SmallMarket) -> None:
    files = {path: path.stat().st_mtime_ns for path in Path(market.lake.root).rglob("*") if path.is_file()}
    job = Maintenance(market.lake, DAY_S, lambda: later(2))
    told = {row["table"]: row["to be joined"] for row in by_table(job.foretell(), is_done=False)}
    assert told["raw"] == told["views/bars"] == CYCLES
    assert told["ledger"] == 0
    assert files == {path: path.stat().st_mtime_ns for path in Path(market.lake.root).rglob("*") if path.is_file()}
    assert about(job.retention).startswith(f"The table versions of {CYCLES} publications stay, from publication 1 on.")


def test_without_a_lake_there_is_nothing_to_maintain(tmp_path: Path) -> None:
    with pytest.raises(NoLake):
        Maintenance(Lake(str(tmp_path / "none")), DAY_S)


def test_a_lake_addressed_as_a_store_is_maintained_alike(market: SmallMarket) -> None:
    market.lake = Lake(f"file://{market.lake.root}")
    maintain(market, DAY_S)
    _, tidied = maintain(market)
    raw = next(each for each in tidied if each.table == "raw")
    assert (raw.after, len(raw.removed.data)) == (1, CYCLES)
    assert contents(market, "raw").height == 5 * CYCLES
