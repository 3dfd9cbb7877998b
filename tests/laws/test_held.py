"""A cycle that fails its checks is held: not public, not lost, not counted twice, and answers say what they are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from gated_market import GatedMarket
from import_maker import import_file, lines, take_in
from laws.parts import SteppedWorker
from small_market import LANES, SmallMarket, trade_value
from vouched import given_of, vouching

from batch_layer.maintenance.maintenance import Maintenance
from batch_layer.releasing import exclude, failing_ones, release
from serving.answer import answer
from serving.batch_side import load_batch_side
from serving.query import Query
from serving.seam import Pair
from serving.speed_side import SpeedSide
from serving.state import State
from twofold.account import Account, add_accounts
from twofold.errors import CycleHeld, ExclusionRefused, UnknownName
from twofold.exclusion import Exclusion
from twofold.hold import Holds
from twofold.publication import Publication
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS

MINUTE_US = 60_000_000


@pytest.fixture
def market(tmp_path: Path) -> GatedMarket:
    """A market with a publication, and beyond its cut trades of which every other one is a hundred times too high."""
    return GatedMarket.poisoned(tmp_path)


def closes(market: SmallMarket, publication: Publication) -> dict[tuple[str, str], str]:
    """The close of each bar of a publication by itself."""
    batch = load_batch_side(market.lake, VIEWS, publication, None)
    rows = answer(Query(VIEWS["bars"], MINUTE_US, base="published"), Pair(batch, mode="unused")).json_rows()
    return {(row["symbol"], row["window_start"][11:16]): row["close"].rstrip("0").rstrip(".") for row in rows}


def test_a_poisoned_cycle_is_held_and_the_last_good_publication_stays(market: GatedMarket) -> None:
    before = market.newest()
    hold = market.hold()
    assert market.newest() == before
    assert (hold.number, hold.parent, hold.records) == (1, before.sequence, 12)
    assert (dict(hold.begins), dict(hold.cut)) == ({LANES[0]: 6, LANES[1]: 6}, {LANES[0]: 15, LANES[1]: 9})
    assert [(each.check, each.table, each.failed) for each in hold.quality.failed] == [
        ("price_near_published", "trades", 6)
    ]
    assert [(each.lane, each.symbol, each.trades) for each in hold.failing] == [(LANES[0], "BTCUSDT", 6)]


def test_while_one_is_held_no_cycle_goes_on_and_nothing_is_held_twice(market: GatedMarket) -> None:
    market.hold()
    market.trade("10:02:00", price="100")
    with pytest.raises(CycleHeld, match="waits"):
        market.cycle()
    assert [hold.number for hold in Holds(market.lake).all()] == [1]


def test_what_is_released_counts_once_and_cycles_go_on_from_it(market: GatedMarket) -> None:
    hold = market.hold()
    market.trade("10:02:00", price="10001")
    released = release(market.lake, market.new_cycle, hold.number)
    assert released.cut == {**hold.cut}
    assert closes(market, released)["BTCUSDT", "10:01"] == "10000"
    assert [each.check for each in released.quality.failed] == ["price_near_published"]
    assert Holds(market.lake).open_on(released) == ()
    after = market.cycle()
    assert sum(account.folded for account in after.accounts.values()) == 25
    assert market.lake.scan("raw", after.tables["raw"]).collect().unique(["lane", "offset"]).height == 25
    assert market.lake.scan("raw", after.tables["raw"]).collect().height == 25


def test_what_is_released_is_not_open_any_more(market: GatedMarket) -> None:
    hold = market.hold()
    release(market.lake, market.new_cycle, hold.number)
    with pytest.raises(UnknownName, match="no open hold '1'"):
        release(market.lake, market.new_cycle, hold.number)


def test_what_failed_is_excluded_and_law_5_counts_it(market: GatedMarket) -> None:
    hold = market.hold()
    published = exclude(market.lake, market.new_cycle, hold.number, failing_ones(hold, "a feed gone wild"))
    assert closes(market, published) == {
        ("BTCUSDT", "10:00"): "100",
        ("ETHUSDT", "10:00"): "20",
        ("ETHUSDT", "10:01"): "21",
    }
    accounts = published.accounts
    assert accounts[LANES[0]] == Account(read=15, folded=9, excluded=6)
    assert accounts[LANES[1]] == Account(read=9, folded=9)
    assert all(account.balanced for account in accounts.values())
    assert [(each.symbol, each.since, each.reason) for each in published.exclusions] == [
        ("BTCUSDT", published.sequence, "a feed gone wild")
    ]
    assert published.quality.failed == ()
    assert market.lake.scan("raw", published.tables["raw"]).collect().height == 24


def test_excluded_ids_fill_their_places_as_those_of_dead_letters_do(market: GatedMarket) -> None:
    hold = market.hold()
    published = exclude(market.lake, market.new_cycle, hold.number, failing_ones(hold, ""))
    gaps = market.lake.scan("gaps", published.tables["gaps"]).collect()
    unusable = gaps.filter(pl.col("symbol") == "BTCUSDT", pl.col("state") == "unusable")
    assert unusable["first_id"].to_list() == [13, 15, 17, 19, 21, 23]


def test_a_range_that_reaches_beyond_the_hold_is_applied_by_both_sides(market: GatedMarket) -> None:
    hold = market.hold()
    reaching = Exclusion(LANES[0], hold.begins[LANES[0]], 18, "BTCUSDT")
    published = exclude(market.lake, market.new_cycle, hold.number, [reaching])
    for second in range(6):
        market.trade(f"10:02:0{second}", price="10000" if second < 3 else "101")
    fold = market.fold(published)
    live = fold.snapshot.accounts[LANES[0]]
    assert live == Account(read=6, folded=3, excluded=3)
    after = market.cycle()
    added = add_accounts(published.accounts, fold.snapshot.accounts)
    assert after.accounts == added
    assert closes(market, after)["BTCUSDT", "10:02"] == "101"


def test_an_exclusion_that_does_not_mend_it_publishes_nothing(market: GatedMarket) -> None:
    hold, before = market.hold(), market.newest()
    begin = hold.begins[LANES[0]]
    with pytest.raises(ExclusionRefused, match="fails still"):
        exclude(market.lake, market.new_cycle, 1, [Exclusion(LANES[0], begin, begin + 1)])
    assert market.newest() == before
    assert Holds(market.lake).open_on(before) == (hold,)


@pytest.mark.parametrize(
    ("lane", "first", "end", "why"),
    [("elsewhere/0", 6, 7, "nothing of lane"), (LANES[0], 0, 9, "public and stays"), (LANES[0], 99, 100, "within")],
)
def test_an_exclusion_of_what_is_not_held_is_refused(
    market: GatedMarket, lane: str, first: int, end: int, why: str
) -> None:
    market.hold()
    with pytest.raises(ExclusionRefused, match=why):
        exclude(market.lake, market.new_cycle, 1, [Exclusion(lane, first, end)])


@pytest.mark.parametrize("settle", ["release", "exclude"])
def test_receipts_from_before_still_verify(market: GatedMarket, settle: str) -> None:
    """Answers of both sides, before the hold, during it, and after it, each come out byte for byte again."""
    receipts = vouching(market.lake, market.log.open_reader)
    given = []

    def take(publication: Publication, held: int) -> None:
        batch = load_batch_side(market.lake, VIEWS, publication, None)
        speed = _speed_side(market, publication)
        for view in VIEWS.values():
            for pair in (Pair(batch, speed, held=held), Pair(batch, mode="unused")):
                query = Query(view, MINUTE_US)
                found = answer(query, pair)
                given.append((receipts.signer.sign(query, State.of(pair)), given_of(receipts, found)))

    before = market.newest()
    take(before, 0)
    hold = market.hold()
    take(before, hold.number)
    held = given[-4:]
    assert b'"finality":"held"' in held[0][1].rows
    if settle == "release":
        after = release(market.lake, market.new_cycle, hold.number)
    else:
        after = exclude(market.lake, market.new_cycle, hold.number, failing_ones(hold, ""))
    market.trade("10:02:00", price="100")
    take(after, 0)
    market.cycle()
    for token, told in given:
        assert vouching(market.lake, market.log.open_reader).remaker.make_again(token) == told
    assert (b'"exclusions":2' in given[-1][1].receipt) == (settle == "exclude")


def test_the_log_may_forget_what_is_held_and_imports_and_maintenance_keep_it(
    market: GatedMarket, tmp_path: Path
) -> None:
    hold = market.hold()
    values = [trade_value(f"09:00:{second:02}", 1_000 + second, price="99") for second in range(20)]
    file = import_file(lines(tmp_path / "trades.ndjson", *values))
    assert [step.account.folded for step in take_in(file, market.lake, market.new_cycle)] == [20]
    for lane, end in market.log.end_offsets().items():
        market.log.trim(lane, end)
    future = datetime(2199, 1, 1, tzinfo=UTC)
    for _ in range(2):
        job = Maintenance(market.lake, 0.0, lambda: future)
        job.clean(job.publish(job.compact()))
    assert Holds(market.lake).open_on(market.newest()) == (hold,)
    released = release(market.lake, market.new_cycle, hold.number)
    assert released.accounts[LANES[0]] == Account(read=15, folded=15)
    assert released.accounts[file.lane] == Account(read=20, folded=20)
    assert market.lake.scan("trades", released.tables["trades"]).collect().height == 44


def test_an_import_that_fails_is_held_by_itself_and_live_cycles_go_on(market: GatedMarket, tmp_path: Path) -> None:
    values = [trade_value(f"10:00:1{second}", 1_000 + second, price="9000") for second in range(5)]
    file = import_file(lines(tmp_path / "trades.ndjson", *values))
    for _ in range(2):
        with pytest.raises(CycleHeld):
            take_in(file, market.lake, market.new_cycle)
    hold = Holds(market.lake).open_on(market.newest())[0]
    assert dict(hold.cut) == {file.lane: 5}
    release(market.lake, market.new_cycle, market.hold().number)
    released = release(market.lake, market.new_cycle, hold.number)
    assert released.accounts[file.lane] == Account(read=5, folded=5)
    assert sum(account.read for account in released.accounts.values()) == 29
    assert take_in(file, market.lake, market.new_cycle) == []


def _speed_side(market: GatedMarket, publication: Publication) -> SpeedSide:
    """What the speed worker says at the log's end."""
    worker = SteppedWorker(market.lake, market.log, sources=SHIPPED_SOURCES)
    worker.start(publication)
    worker.step_to_end(publication.sequence)
    return worker.client.follow(publication.sequence, None, 0)
