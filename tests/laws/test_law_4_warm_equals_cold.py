"""Law 4: what the speed layer holds is a function of base and positions, however it got there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from laws.market import LANES, SOURCES, Market, Sending, sendings
from laws.parts import (
    SOURCE,
    SteppedWorker,
    check_accounts,
    check_rows,
    everything_merged_soon,
    one_in,
    rows_of,
    run_cycle,
)
from memory_log import MemoryLog, Poll
from polars.testing import assert_frame_equal

from serving.batch_side import load_batch_side
from serving.seam import Pair
from speed_layer.base import Base
from speed_layer.base_fold import BaseFold
from speed_layer.reading import Reading
from twofold.account import Account
from twofold.decoding import decode
from twofold.fold import merge
from twofold.lake import Lake
from twofold.lane import Positions
from twofold.ledger import Ledger
from twofold.publication import Publications, found_lake
from twofold.views import VIEWS

POLLS = st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5)), max_size=4), max_size=8)
EVERYTHING: Poll = [(place, 2**62) for place in range(len(LANES))]


def fold_from(base: Base, log: MemoryLog, polls: Sequence[Poll]) -> BaseFold:
    """A fold that has read what `polls` say, by the speed layer's own steps."""
    reading = Reading(BaseFold(base, VIEWS, SOURCES, SOURCE), log.open_reader, lambda: False)
    reader = log.open_reader(base.cut, polls)
    for _ in polls:
        reading._step(reader)
    return reading.fold


def base_at(log: MemoryLog, cut: Positions) -> Base:
    """A base as a publication at that cut would give it."""
    below = log.up_to(cut).open_reader({}).poll(0, 2**62)
    told_apart = Ledger().sort_out(decode(below, SOURCES, SOURCE).trades)
    return Base(1, cut, Ledger(told_apart.added.frame))


def check_same(warm: BaseFold, cold: BaseFold) -> None:
    """Both hold the same: positions, ids, newest event, partials to the bit, and the accounts."""
    assert dict(warm.snapshot.positions) == dict(cold.snapshot.positions)
    assert warm.snapshot.newest_event_us == cold.snapshot.newest_event_us
    assert_frame_equal(warm._ledger.frame, cold._ledger.frame)
    for name, view in VIEWS.items():
        held = [merge(view, fold.snapshot.logs[name].since(0)).sort(view.group) for fold in (warm, cold)]
        assert_frame_equal(held[0], held[1])
    assert all(account.balanced for account in warm.snapshot.accounts.values())
    assert with_records(warm.snapshot.accounts) == with_records(cold.snapshot.accounts)


def with_records(accounts: Mapping[str, Account]) -> dict[str, Account]:
    """The accounts of lanes of which anything was read."""
    return {lane: account for lane, account in accounts.items() if account != Account()}


@given(
    sent=st.lists(sendings(otherwise=True), min_size=10, max_size=60),
    cut=st.tuples(*[st.integers(0, 12)] * 3),
    polls=POLLS,
)
def test_any_micro_batches_fold_to_what_one_cold_batch_folds_to(
    sent: list[Sending], cut: tuple[int, ...], polls: list[Poll]
) -> None:
    market = Market()
    market.send(sent)
    ends = market.log.end_offsets()
    base = base_at(market.log, {lane: min(at, ends[lane]) for lane, at in zip(LANES, cut, strict=True)})
    with everything_merged_soon():
        warm = fold_from(base, market.log, polls)
        cold = fold_from(base, market.log.up_to(warm.snapshot.positions), [EVERYTHING])
        check_same(warm, cold)


@settings(one_in(4))
@given(sent=st.lists(sendings(otherwise=True), min_size=10, max_size=60), polls=POLLS)
def test_after_any_micro_batch_the_least_copy_of_each_trade_counts(sent: list[Sending], polls: list[Poll]) -> None:
    market = Market()
    market.send(sent)
    with TemporaryDirectory() as folder, everything_merged_soon():
        lake = Lake(folder)
        found_lake(lake)
        worker = SteppedWorker(lake, market.log)
        batch = load_batch_side(lake, VIEWS, Publications(lake).newest(), None)
        worker.start(batch.publication)
        speed = None
        for poll in (*polls, EVERYTHING):
            worker.step(0, poll)
            speed = worker.client.follow(0, speed, 0)
            check_rows(batch, speed, market.oracle(), [], (300,))
            check_accounts(batch, speed, market.oracle(), [])


@settings(one_in(10))
@given(
    sent=st.lists(st.lists(sendings(), min_size=5, max_size=15), min_size=2, max_size=4),
    max_records=st.sampled_from([4, 9, 1_000]),
    polls=POLLS,
)
def test_a_moved_cut_gives_the_same_rows_and_takes_no_state_along(
    sent: list[list[Sending]], max_records: int, polls: list[Poll]
) -> None:
    market = Market()
    with TemporaryDirectory() as folder, everything_merged_soon():
        lake = Lake(folder)
        found_lake(lake)
        worker = SteppedWorker(lake, market.log)
        batch = load_batch_side(lake, VIEWS, Publications(lake).newest(), None)
        worker.start(batch.publication)
        for sendings_of_turn in sent:
            market.send(sendings_of_turn)
            for poll in polls:
                worker.step(batch.publication.sequence, poll)
            worker.step_to_end(batch.publication.sequence)
            before = Pair(batch, worker.client.follow(batch.publication.sequence, None, 0))
            batch = load_batch_side(lake, VIEWS, run_cycle(lake, market.log, max_records=max_records), batch)
            worker.start(batch.publication)
            worker.step_to_end(batch.publication.sequence)
            after = Pair(batch, worker.client.follow(batch.publication.sequence, None, 0))
            assert dict(before.positions) == dict(after.positions)
            for view in VIEWS:
                assert values_of(rows_of(view, 60, before)) == values_of(rows_of(view, 60, after))
            cold = worker.fold(batch.publication.sequence).base
            check_same(worker.fold(batch.publication.sequence), fold_from(cold, market.log, [EVERYTHING]))


def values_of(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows without what changes when the same trades become public."""
    return [{name: row[name] for name in row if name not in ("finality", "revisions")} for row in rows]
