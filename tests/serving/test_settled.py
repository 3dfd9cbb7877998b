"""Settled rows: what is kept of the batch side by itself."""

from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from serving import settled
from serving.settled import Settled


def rows(count: int) -> pl.DataFrame:
    return pl.DataFrame({"row": range(count)})


class Maker:
    """Makes rows, and counts how often."""

    def __init__(self, count: int = 1) -> None:
        self.times = 0
        self._count = count

    def __call__(self) -> pl.DataFrame:
        self.times += 1
        return rows(self._count)


def test_rows_are_made_once() -> None:
    kept, maker = Settled(), Maker()
    assert kept.rows("question", maker) is kept.rows("question", maker)
    assert maker.times == 1


def test_each_question_has_its_own() -> None:
    kept = Settled()
    assert kept.rows("one", Maker(1)).height == 1
    assert kept.rows("two", Maker(2)).height == 2


def test_where_there_is_no_room_the_others_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "MOST_ROWS", 10)
    kept, first, second = Settled(), Maker(6), Maker(6)
    kept.rows("first", first)
    kept.rows("second", second)
    kept.rows("second", second)
    kept.rows("first", first)
    assert (first.times, second.times) == (2, 1)


def test_what_is_larger_than_the_room_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "MOST_ROWS", 10)
    kept, maker = Settled(), Maker(11)
    assert kept.rows("large", maker).height == kept.rows("large", maker).height == 11
    assert maker.times == 2


def test_many_may_ask_at_once() -> None:
    kept = Settled()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: kept.rows(number % 3, Maker(number % 3)).height, range(300)))
    assert found == [number % 3 for number in range(300)]
