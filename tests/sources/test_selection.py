"""Which declared source the records of a file or a market come from."""

from __future__ import annotations

import pytest

from twofold.errors import CaptureError, UnknownName
from twofold.settings import Settings
from twofold.source import Source
from twofold.sources.selection import select_source

SPOT = Source(venue="binance", wire_format="binance", ids="contiguous")
FUTURES = Source(venue="binance-futures", wire_format="binance", ids="contiguous")
DESK = Source(venue="desk", wire_format="canonical", ids="unique")


def test_the_shipped_sources_are_chosen_by_format() -> None:
    assert select_source(Settings(), "binance") == "binance-spot"
    assert select_source(Settings(), "canonical") == "simulator"


def test_the_default_source_goes_first_where_it_has_the_format() -> None:
    settings = Settings(sources={"spot": SPOT, "futures": FUTURES}, default_source="futures")
    assert select_source(settings, "binance") == "futures"


def test_a_name_decides() -> None:
    settings = Settings(sources={"spot": SPOT, "futures": FUTURES}, default_source="futures")
    assert select_source(settings, "binance", "spot") == "spot"


def test_several_sources_of_a_format_need_a_name() -> None:
    settings = Settings(sources={"spot": SPOT, "futures": FUTURES, "desk": DESK}, default_source="desk")
    with pytest.raises(CaptureError, match=r"futures, spot\. Name one with --source"):
        select_source(settings, "binance")


def test_a_format_that_no_source_has_is_refused() -> None:
    with pytest.raises(CaptureError, match="none"):
        select_source(Settings(sources={"desk": DESK}, default_source="desk"), "binance")


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UnknownName, match=r"Did you mean 'binance-spot'"):
        select_source(Settings(), "binance", "binance-sport")


def test_a_source_of_another_format_is_refused() -> None:
    with pytest.raises(CaptureError, match="declares 'canonical'"):
        select_source(Settings(), "binance", "simulator")
