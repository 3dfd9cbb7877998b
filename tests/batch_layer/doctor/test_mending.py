"""Mends on real lakes: broken in one place, mended, and compared with the oracle, before and after the next cycle."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import polars as pl
import pytest
from lake_files import TABLES, LakeFiles, cut_in_half, damage_inside, empty
from laws.parts import check_rows, check_tables, cuts_up_to
from oracle import Oracle, OracleRecord
from small_market import LANES, SmallMarket
from vouched import given_of, vouching

from batch_layer.doctor import Definitions, Mend, examine, mends
from batch_layer.doctor.mending import MoveAside
from batch_layer.doctor.rebuild import Rebuild
from serving.answer import answer
from serving.batch_side import load_batch_side
from serving.query import Query
from serving.seam import Pair
from twofold.account import Account
from twofold.errors import EventLogUnreachable, GivenUp, LakeError
from twofold.lake import TableWriter
from twofold.lane import Positions
from twofold.publication import Publication, Publications, publish
from twofold.records import RecordReader
from twofold.source import SHIPPED_SOURCES
from twofold.tables import TRADES
from twofold.views import VIEWS

NOON = datetime(2024, 8, 9, 12, tzinfo=UTC)
DEFINITIONS = Definitions(SHIPPED_SOURCES, "simulator")


def no_kafka(_: Positions) -> RecordReader:
    raise EventLogUnreachable("No Kafka broker answers.")


def offered(market: SmallMarket) -> list[Mend]:
    return mends(examine(market.lake, market.log.open_reader, SHIPPED_SOURCES), DEFINITIONS)


def mend_all(market: SmallMarket, *, rebuild: bool = True) -> list[str]:
    """Carry out the first mend that is offered until there is none; returns what was done, in words."""
    done: list[str] = []
    while left := [mend for mend in offered(market) if rebuild or not isinstance(mend, Rebuild)]:
        assert len(done) < 10
        left[0].carry_out(market.lake, lambda: NOON.replace(second=len(done)))
        done.append(left[0].sentence)
    return done


def newest(market: SmallMarket) -> Publication:
    return Publications(market.lake).newest()


def check_answers(market: SmallMarket) -> None:
    """Every answer, and every table, is what the oracle makes of the log up to the cut."""
    records = market.log.records
    oracle = Oracle(OracleRecord(r.lane, r.offset, r.timestamp_ms, r.key, r.value, r.headers) for r in records)
    public = newest(market)
    cuts = cuts_up_to(market.lake, public.sequence)
    check_rows(load_batch_side(market.lake, VIEWS, public, None), None, oracle, cuts)
    if public.tables:
        check_tables(market.lake, public, oracle, cuts)


def check_gone_back(market: SmallMarket, to: int, *, given_up: tuple[int, ...]) -> None:
    """What an earlier publication said is public under a number that was never used before."""
    then, now = Publications(market.lake).at(to), newest(market)
    assert replace(now, sequence=to, published_at=then.published_at, given_up=()) == then
    assert (now.sequence, now.given_up) == (4, given_up)
    for number in given_up:
        with pytest.raises(GivenUp, match=f"Publication {number} was given up"):
            Publications(market.lake).at(number)


def check_goes_on(market: SmallMarket) -> None:
    """What is public is right, the next cycle takes in all that is left, and the lake is sound after it."""
    check_answers(market)
    market.trade("10:08:00")
    assert market.cycle().cut == market.log.end_offsets()
    check_answers(market)
    examination = examine(market.lake, market.log.open_reader, SHIPPED_SOURCES)
    assert (examination.findings, examination.unchecked) == ([], [])


def revised(market: SmallMarket) -> None:
    """Another cycle, with a trade for a closed window, one that was there, one that stands twice, and conflicts."""
    again = market.trade("10:09:00")
    market.cycle()
    market.trade("10:00:30", arrives="10:09:01")
    market.trade("10:09:00", trade_id=again, lane=1)
    for lane in (0, 1):
        market.trade("10:09:02", trade_id=77_777, lane=lane)
        market.trade("10:09:0" + str(3 * lane), trade_id=again, lane=lane, price="7")
        market.trade("10:09:02", trade_id=77_777, lane=lane, side="sell")
    market.cycle()


def test_nothing_is_offered_where_the_lake_is_sound(market: SmallMarket) -> None:
    assert offered(market) == []


@pytest.mark.parametrize("table", [*TABLES, "publications"])
@pytest.mark.parametrize("tear", [empty, cut_in_half])
def test_a_torn_last_commit_is_mended_by_going_back(
    market: SmallMarket, files: LakeFiles, table: str, tear: Callable[[Path], None]
) -> None:
    before = newest(market)
    tear(files.commit(table, 3))
    done = mend_all(market)
    assert done[0].startswith("Go back to publication 2, the last that can be read whole: publish what it said as 4")
    assert "Kafka still has them all." in done[0]
    assert len(done) == (1 if table == "publications" else 2)
    check_gone_back(market, 2, given_up=(3,))
    check_goes_on(market)
    assert newest(market).cut[LANES[1]] == before.cut[LANES[1]]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("tear", [empty, cut_in_half])
def test_a_torn_commit_that_no_publication_names_is_moved_aside_alone(
    market: SmallMarket, files: LakeFiles, table: str, tear: Callable[[Path], None]
) -> None:
    before = newest(market)
    market.trade("10:04:00")
    market.poison()
    market.cycle()
    tear(files.commit(table, 4))
    files.commit("publications", 4).unlink()
    (done,) = mend_all(market)
    assert done.startswith(f"Put commits that do nothing in the place of those of table {table}, version 4")
    assert newest(market) == before
    check_goes_on(market)


def test_a_hole_is_mended_by_going_back_below_it(market: SmallMarket, files: LakeFiles) -> None:
    files.commit("views/bars", 2).unlink()
    mend_all(market)
    check_gone_back(market, 1, given_up=(2, 3))
    check_goes_on(market)


def test_where_nothing_is_whole_everything_is_taken_in_anew(market: SmallMarket, files: LakeFiles) -> None:
    files.added("raw", 1).unlink()
    (going_back,) = offered(market)
    assert going_back.sentence.startswith("Go back to the state before the first publication")
    mend_all(market)
    check_gone_back(market, 0, given_up=(1, 2, 3))
    check_goes_on(market)


def test_where_a_table_cannot_even_be_emptied_nothing_is_offered(market: SmallMarket, files: LakeFiles) -> None:
    files.commit("raw", 0).unlink()
    assert offered(market) == []


def test_a_table_that_is_gone_is_made_anew_only_with_all_others(market: SmallMarket, files: LakeFiles) -> None:
    shutil.rmtree(files.root / "ledger")
    (going_back,) = offered(market)
    assert going_back.sentence.startswith("Go back to the state before the first publication")
    mend_all(market)
    check_goes_on(market)


def test_a_row_of_publications_that_cannot_be_read_is_mended_by_going_back(
    market: SmallMarket, files: LakeFiles
) -> None:
    cut_in_half(files.added("publications", 3))
    mend_all(market)
    check_gone_back(market, 2, given_up=(3,))
    check_goes_on(market)


def test_an_empty_commit_of_publications_that_cycles_went_on_after_needs_no_mend(
    market: SmallMarket, files: LakeFiles
) -> None:
    empty(files.commit("publications", 3))
    assert market.cycle().sequence == 4
    assert examine(market.lake, market.log.open_reader, SHIPPED_SOURCES).findings == []
    check_goes_on(market)


@pytest.mark.parametrize("table", TABLES[1:])
def test_a_lost_data_file_is_rebuilt_from_raw(market: SmallMarket, files: LakeFiles, table: str) -> None:
    revised(market)
    before = newest(market)
    files.added(table, 2).unlink()
    offered(market)[0].carry_out(market.lake, lambda: NOON)
    after = newest(market)
    assert (after.sequence, after.published_at, after.cut, after.accounts, after.witnesses) == (
        6,
        NOON,
        before.cut,
        before.accounts,
        before.witnesses,
    )
    check_answers(market)
    market.trade("10:08:00")
    market.cycle()
    check_answers(market)
    left = examine(market.lake, market.log.open_reader, SHIPPED_SOURCES).findings
    assert [str(finding).split("Publications ")[1][:6] for finding in left] == ["2 to 5"]
    (giving_up,) = mend_all(market)
    assert giving_up.startswith(f"Give up publications 2 to 5, of whose tables {table} cannot be read")
    assert replace(newest(market), given_up=()) == replace(
        Publications(market.lake).at(7), sequence=8, published_at=NOON
    )
    assert newest(market).given_up == (2, 3, 4, 5)
    check_goes_on(market)


def test_a_rebuild_counts_what_retention_took_as_before(market: SmallMarket, files: LakeFiles) -> None:
    for _ in range(4):
        market.trade("10:04:00")
    market.log.trim(LANES[0], newest(market).cut[LANES[0]] + 2)
    before = market.cycle()
    assert before.accounts[LANES[0]].lost == 2
    files.added("ledger", 1).unlink()
    mend_all(market)
    assert newest(market).accounts == before.accounts


def test_tables_that_do_not_agree_are_rebuilt(market: SmallMarket) -> None:
    before = newest(market)
    writer = TableWriter(market.lake, TRADES)
    writer.append(writer.rows().collect()[:2])
    publish(market.lake, Publication(**{**vars(before), "sequence": 4, "tables": {**before.tables, "trades": 4}}))
    mend_all(market)
    assert newest(market).sequence == 5
    check_goes_on(market)


def test_what_is_damaged_inside_is_rebuilt(market: SmallMarket, files: LakeFiles) -> None:
    damage_inside(files.added("trades", 2))
    assert mend_all(market)[0].startswith("Rebuild from raw")
    check_goes_on(market)


def test_earlier_answers_are_made_again_also_from_what_was_rebuilt(market: SmallMarket, files: LakeFiles) -> None:
    market.trade("10:02:40", trade_id=2_000)
    market.cycle()
    market.trade("10:00:40", trade_id=1_999)  # fills a gap that was open, and comes late
    market.cycle()
    receipts, publications = vouching(market.lake), Publications(market.lake)
    batches = [load_batch_side(market.lake, VIEWS, publications.at(number), None) for number in range(1, 6)]
    asked = Query(VIEWS["bars"], 60_000_000)
    before = [given_of(receipts, answer(asked, Pair(batch, mode="unused"))) for batch in batches]
    files.added("trades", 2).unlink()
    files.added("gap_log", 1).unlink()
    offered(market)[0].carry_out(market.lake, lambda: NOON)
    assert newest(market).sequence == 6
    remaker = vouching(market.lake).remaker
    assert [remaker.make_again(orjson.loads(given.receipt)["token"]) for given in before] == before


def test_a_raw_that_is_damaged_inside_stops_a_rebuild_with_an_error(market: SmallMarket, files: LakeFiles) -> None:
    damage_inside(files.added("raw", 2))
    (rebuild,) = offered(market)
    with pytest.raises(LakeError):
        rebuild.carry_out(market.lake, lambda: NOON)
    assert newest(market).sequence == 3


def test_what_is_broken_and_cannot_be_rebuilt_is_gone_back_from(market: SmallMarket, files: LakeFiles) -> None:
    cut_in_half(files.added("trades", 3))
    assert [type(mend) for mend in offered(market)] == [Rebuild, MoveAside]
    mend_all(market, rebuild=False)
    check_gone_back(market, 2, given_up=(3,))
    check_goes_on(market)


def test_nothing_is_rebuilt_by_another_decoder(market: SmallMarket, files: LakeFiles) -> None:
    before = newest(market)
    publish(market.lake, Publication(**{**vars(before), "sequence": 4, "decoder_hash": "another"}))
    files.added("trades", 3).unlink()
    assert [type(mend) for mend in offered(market)] == [MoveAside]


def test_a_rebuild_that_does_not_come_out_as_published_publishes_nothing(market: SmallMarket, files: LakeFiles) -> None:
    before = newest(market)
    accounts = {**before.accounts, LANES[0]: before.accounts[LANES[0]] + Account(read=1, duplicates=1)}
    publish(market.lake, Publication(**{**vars(before), "sequence": 4, "accounts": accounts}))
    files.added("trades", 3).unlink()
    rebuild = offered(market)[0]
    with pytest.raises(LakeError, match=r"not what publication 4 says.*Go back instead"):
        rebuild.carry_out(market.lake, lambda: NOON)
    assert newest(market).sequence == 4


@pytest.mark.parametrize("tear", [empty, cut_in_half])
def test_a_broken_checkpoint_is_moved_aside(
    market: SmallMarket, files: LakeFiles, tear: Callable[[Path], None]
) -> None:
    before = newest(market)
    tear(files.checkpoint("trades"))
    (done,) = mend_all(market)
    assert done.startswith("Move aside _last_checkpoint, 00000000000000000003.checkpoint.parquet of table trades.")
    assert newest(market) == before
    check_goes_on(market)


def test_checkpoints_beyond_a_torn_commit_go_with_it(market: SmallMarket, files: LakeFiles) -> None:
    cut_in_half(files.checkpoint("trades"))
    empty(files.commit("trades", 3))
    mend_all(market)
    assert sorted(path.name for path in files.log("trades").iterdir()) == [f"{n:020d}.json" for n in range(4)]
    check_goes_on(market)


def test_what_is_moved_aside_is_kept_as_it_stood(market: SmallMarket, files: LakeFiles) -> None:
    commit = files.commit("raw", 3)
    cut_in_half(commit)
    content = commit.read_bytes()
    mend_all(market)
    aside = files.root / ".doctor" / "20240809T120001.000000Z" / commit.relative_to(files.root)
    assert aside.read_bytes() == content


def test_records_that_kafka_has_no_longer_are_named_before_the_cut_goes_back(
    market: SmallMarket, files: LakeFiles
) -> None:
    first = Publications(market.lake).at(2).cut[LANES[0]]
    market.log.trim(LANES[0], first + 1)
    empty(files.commit("raw", 3))
    (going_back,) = offered(market)
    assert f"these offsets will be lost: {LANES[0]} {first} to {first}." in going_back.sentence
    assert going_back.may_lose


def test_where_the_topic_was_made_anew_what_it_held_is_named_as_lost(market: SmallMarket, files: LakeFiles) -> None:
    market.log = type(market.log)(["other/0"])
    empty(files.commit("raw", 3))
    assert f"these offsets will be lost: {LANES[0]}" in offered(market)[0].sentence


def test_what_cannot_be_moved_is_an_error_that_says_so(market: SmallMarket, files: LakeFiles) -> None:
    empty(files.commit("publications", 3))
    (files.root / ".doctor").touch()
    with pytest.raises(LakeError, match="Not every file could be moved aside"):
        offered(market)[0].carry_out(market.lake, lambda: NOON)


def test_what_other_engines_keep_beside_a_commit_goes_with_it(market: SmallMarket, files: LakeFiles) -> None:
    beside = files.log("raw") / f".{3:020d}.json.crc"
    beside.touch()
    empty(files.commit("raw", 3))
    mend_all(market)
    assert not beside.exists()


def test_where_kafka_does_not_answer_it_is_said_that_records_may_be_lost(market: SmallMarket, files: LakeFiles) -> None:
    empty(files.commit("raw", 3))
    going_back = mends(examine(market.lake, no_kafka, SHIPPED_SOURCES), DEFINITIONS)[0]
    assert "Kafka did not answer" in going_back.sentence
    assert going_back.may_lose


def test_a_property_is_no_matter_for_a_mend(market: SmallMarket, files: LakeFiles) -> None:
    files.change_action("raw", 0, "metaData", lambda action: action["configuration"].update({"delta.appendOnly": "1"}))
    assert offered(market) == []


def test_scratch_of_a_cycle_is_left_to_the_next(market: SmallMarket) -> None:
    TableWriter(market.lake, TRADES).append(pl.DataFrame(schema=TRADES.schema))
    assert offered(market) == []
