"""Names in a question: one, several, or all that fit a pattern; equal choices are written in one way."""

import re
from fnmatch import fnmatchcase

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.names import canonical_names, names
from twofold.errors import QueryError, UnknownName

NAMES = st.text("ab*", min_size=1, max_size=6)
PLAIN = st.text("ab", max_size=8)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("ETHUSDT,BTCUSDT,ETHUSDT", "BTCUSDT,ETHUSDT"),
        ("BTCUSDT,*USDT", "*USDT"),
        ("BTC*,B*,ETHUSDT", "B*,ETHUSDT"),
        ("B**T", "B*T"),
        ("*", None),
        ("BTCUSDT,*", None),
        ("", ""),
        ("BTCUSDT,", ",BTCUSDT"),
    ],
)
def test_equal_choices_are_written_in_one_way(text: str, canonical: str | None) -> None:
    assert canonical_names("symbol", text) == canonical


@given(st.lists(NAMES, min_size=1, max_size=4), PLAIN)
def test_the_canonical_form_asks_for_the_same_names(asked: list[str], name: str) -> None:
    canonical = canonical_names("symbol", ",".join(asked))
    fits = any(fnmatchcase(name, pattern) for pattern in asked)
    assert (canonical is None or names(canonical).fit(name)) is fits


@given(st.lists(NAMES, min_size=1, max_size=3), st.lists(PLAIN, max_size=5))
def test_rows_are_chosen_as_names_are(asked: list[str], column: list[str]) -> None:
    wanted = names(canonical_names("symbol", ",".join(asked)) or "*")
    frame = pl.DataFrame({"symbol": pl.Series(column, dtype=pl.String)})
    assert frame.filter(wanted.rows(frame, "symbol"))["symbol"].to_list() == [n for n in column if wanted.fit(n)]


def test_a_pattern_of_many_parts_takes_no_longer_for_each() -> None:
    assert not names("*a" * 5_000 + "b").fit("a" * 10_000)


@pytest.mark.parametrize("symbol", ["btc", "X*", "BTC*,X", ".", "B.C"])
def test_what_is_not_known_is_named_with_what_is(symbol: str) -> None:
    with pytest.raises(UnknownName, match=r"no symbol .* Known: BTC, ETH"):
        names(symbol).check("symbol", ["ETH", "BTC"])


def test_a_long_name_is_not_repeated_whole() -> None:
    with pytest.raises(UnknownName) as refused:
        names("x" * 9_000).check("symbol", ["BTC"])
    assert len(str(refused.value)) < 200


def test_too_many_names_are_refused_with_what_to_write() -> None:
    with pytest.raises(QueryError, match=re.escape("symbol names 101; one question takes 100. Write a pattern")):
        canonical_names("symbol", ",".join(map(str, range(101))))
