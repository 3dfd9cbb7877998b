"""Law 5: per lane, folded + duplicates + dead letters + lost = records read; nothing is dropped in silence."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws.commit_points import crash_after
from laws.market import LANES, SOURCES, Market, Sending, sendings, steady_trades
from laws.parts import SOURCE, SteppedWorker, check_rows, check_tables, cuts_up_to, one_in, run_cycle
from memory_log import Poll

from serving.batch_side import load_batch_side
from speed_layer.base import Base
from speed_layer.base_fold import BaseFold
from speed_layer.reading import Reading
from twofold.account import Account, add_accounts
from twofold.decoding import decode
from twofold.lake import Lake
from twofold.publication import Publications
from twofold.views import VIEWS

SENDINGS = sendings(otherwise=True)
TRIM = st.tuples(st.integers(0, 2), st.integers(0, 12))
EVERYTHING: Poll = [(place, 2**62) for place in range(len(LANES))]


def trimmed(market: Market, trim: tuple[int, int]) -> None:
    """Let retention take some of a lane, up to what is there."""
    lane = LANES[trim[0]]
    market.log.trim(lane, min(trim[1], market.log.end_offsets()[lane]))


def every_record_lies_somewhere(lake: Lake) -> None:
    """The newest publication's tables hold each record of `raw` as a trade, a dead letter or a repeat, and once."""
    newest = Publications(lake).newest()
    rows = {name: lake.scan(name, newest.tables[name]).collect() for name in ("raw", "trades", "dead_letters")}
    for lane, account in newest.accounts.items():
        counts = {name: int((frame["lane"] == lane).sum()) for name, frame in rows.items()}
        assert account.balanced
        assert counts["raw"] == account.read - account.lost
        assert (counts["trades"], counts["dead_letters"]) == (account.folded, account.dead_letters)
        assert account.duplicates == counts["raw"] - counts["trades"] - counts["dead_letters"]


@settings(one_in(10))
@given(turns=st.lists(st.tuples(st.lists(SENDINGS, min_size=3, max_size=12), TRIM), min_size=1, max_size=4))
def test_the_batch_side_accounts_for_every_offset(turns: list[tuple[list[Sending], tuple[int, int]]]) -> None:
    market = Market()
    with TemporaryDirectory() as folder:
        lake = Lake(folder)
        for sent, trim in turns:
            market.send([sending for sending in sent if not sending.marker])
            trimmed(market, trim)
            published = run_cycle(lake, market.log, max_records=8)
            every_record_lies_somewhere(lake)
            for lane, end in published.cut.items():
                assert published.accounts.get(lane, Account()).read == end


@pytest.mark.parametrize("commits", [1, 2, 5])
def test_what_a_killed_cycle_kept_is_not_lost_when_retention_takes_it(tmp_path: Path, commits: int) -> None:
    lake, market = Lake(str(tmp_path)), Market()
    market.send(steady_trades(9))
    run_cycle(lake, market.log)
    market.send(
        [Sending(lane=n % 3, gap_ms=900, trade_id=100 + n, not_a_trade=4 if n == 3 else None) for n in range(9)]
    )
    oracle = market.oracle()
    with crash_after(commits):
        run_cycle(lake, market.log)
    for lane, end in market.log.end_offsets().items():
        market.log.trim(lane, end)
    published = run_cycle(lake, market.log)
    assert all(account.lost == 0 for account in published.accounts.values())
    every_record_lies_somewhere(lake)
    cuts = cuts_up_to(lake, published.sequence)
    check_tables(lake, published, oracle, cuts)
    check_rows(load_batch_side(lake, VIEWS, published, None), None, oracle, cuts)


@given(sent=st.lists(SENDINGS, min_size=5, max_size=40), trims=st.lists(TRIM, max_size=4), size=st.integers(1, 5))
def test_the_speed_side_accounts_for_every_offset(sent: list[Sending], trims: list[tuple[int, int]], size: int) -> None:
    market = Market()
    market.send([sending for sending in sent if not sending.marker])
    fold = BaseFold(Base(), VIEWS, SOURCES, SOURCE)
    reading = Reading(fold, market.log.open_reader, lambda: False)
    reader = market.log.open_reader({})
    for trim in trims:
        trimmed(market, trim)
        reader.tell([(trim[0], size)])
        reading._step(reader)
    reader.tell(EVERYTHING)
    reading._step(reader)
    accounts = fold.snapshot.accounts
    assert all(account.balanced for account in accounts.values())
    assert {lane: accounts.get(lane, Account()).read for lane in LANES} == market.log.end_offsets()
    assert sum(a.lost for a in accounts.values()) == sum(gap.next_offset - gap.first_offset for gap in reader.lost)


@given(sent=st.lists(SENDINGS, min_size=1, max_size=40))
def test_every_record_is_decoded_to_a_trade_or_a_dead_letter_and_to_one_only(sent: list[Sending]) -> None:
    market = Market()
    market.send(sent)
    decoded = decode(market.log.open_reader({}).poll(0, 2**62), SOURCES, SOURCE)
    places = [*decoded.trades.select("lane", "offset").rows(), *decoded.rejected.select("lane", "offset").rows()]
    assert sorted(places) == sorted((record.lane, record.offset) for record in market.log.records)


@settings(one_in(20))
@given(sent=st.lists(SENDINGS, min_size=20, max_size=40), size=st.integers(1, 6))
def test_both_sides_together_account_for_what_is_below_the_positions(sent: list[Sending], size: int) -> None:
    market = Market()
    market.send([sending for sending in sent if not sending.marker])
    with TemporaryDirectory() as folder:
        lake = Lake(folder)
        publication = run_cycle(lake, market.log, max_records=10)
        worker = SteppedWorker(lake, market.log)
        worker.start(publication)
        worker.step(1, [(place, size) for place in range(len(LANES))])
        speed = worker.client.follow(1, None, 0)
        accounts = add_accounts(publication.accounts, speed.accounts)
        assert {lane: account.read for lane, account in accounts.items() if account.read} == {
            lane: position for lane, position in speed.header.positions.items() if position
        }
        assert all(account.balanced for account in accounts.values())
