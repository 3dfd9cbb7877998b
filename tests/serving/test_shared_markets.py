from decimal import Decimal

import polars as pl
from trade_maker import trade_row, trades_frame

from serving.shared_markets import intervals, markets_of_both, settle
from twofold.account import Account
from twofold.ledger import INTERVAL_SCHEMA, Ledger
from twofold.views import VIEWS


def ids(*spans: tuple[str, int, int]) -> pl.DataFrame:
    return pl.DataFrame([("test", *span) for span in spans], schema=INTERVAL_SCHEMA, orient="row")


def test_markets_are_shared_whose_ids_overlap_and_no_others() -> None:
    seen = Ledger(ids(("A", 5, 9), ("B", 1, 4), ("C", 7, 7)))
    assert markets_of_both(ids(("A", 9, 12), ("B", 5, 8), ("C", 1, 6), ("D", 1, 1)), seen) == {("test", "A")}
    assert markets_of_both(ids(("C", 1, 9)), seen) == {("test", "C")}
    assert markets_of_both(ids(), seen) == set()


def test_a_ledger_takes_intervals_as_they_stand_in_a_frame() -> None:
    ledger = Ledger()
    ledger.add(intervals(ids(("A", 1, 3), ("B", 9, 9))))
    assert ledger.frame.equals(ids(("A", 1, 3), ("B", 9, 9)))


def test_of_all_copies_the_least_is_folded_and_the_accounts_are_put_right() -> None:
    first = [
        trade_row(1, price="5", arrival_us=2, lane="t/0", offset=1),
        trade_row(1, price="6", arrival_us=9, lane="t/0", offset=0),
        trade_row(2, price="8", arrival_us=1, lane="t/0", offset=2),
    ]
    second = [
        trade_row(1, price="7", arrival_us=3, lane="t/1"),
        trade_row(2, price="9", arrival_us=0, lane="t/1", offset=1),
    ]
    settled = settle([trades_frame(first), trades_frame(second)], VIEWS)
    (bar,) = settled.partials["bars"].select("low", "high", "trades").rows()
    assert bar == (Decimal(5), Decimal(9), 2)
    assert settled.moves == {
        "t/0": Account(folded=-1, duplicates=1),
        "t/1": Account(folded=-1, duplicates=1),
    }
