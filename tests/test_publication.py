"""Publications: one row each, appended by compare-and-set, and a reader that looks for news cheaply."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from laws.commit_points import telling, watched

from twofold import publication
from twofold.account import Account
from twofold.edition import Edition
from twofold.errors import DecoderDiffers, LakeUnreachable, NoLake, Superseded, UnknownName
from twofold.lake import Lake, TableSpec, TableWriter
from twofold.publication import GENESIS, PUBLICATIONS, Publication, Publications, found_lake, publish
from twofold.views import VIEWS

FIRST = Publication(
    sequence=1,
    published_at=datetime(2024, 8, 9, 10, 0, 0, 123456, tzinfo=UTC),
    cut={"t/1": 7, "t/0": 2**53 + 1},
    tables={"raw": 3, "trades": 1},
    editions=(
        Edition.of(VIEWS["bars"], "served", 1, "views/bars"),
        Edition("bars", "0123456789abcdef", "retired", 1, "views/bars-0123456789abcdef"),
    ),
    decoder_hash="fedcba9876543210",
    witnesses={"binance": [3, 2, 1], "simulator": []},
    arrivals={"binance": 4},
    accounts={"t/1": Account(read=7, folded=4, duplicates=1, dead_letters=1, lost=1)},
)


def numbered(sequence: int) -> Publication:
    return Publication(sequence=sequence, published_at=FIRST.published_at, cut={"t/0": sequence})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    found_lake(lake)
    return lake


def test_it_says_whether_a_decoder_made_it_and_before_the_first_any_did() -> None:
    made = replace(GENESIS, sequence=1, decoder_hash="one")
    assert [made.made_by("one"), made.made_by("two"), GENESIS.made_by("two")] == [True, False, True]
    GENESIS.check_decoder("two")
    with pytest.raises(DecoderDiffers, match="Publication 1 was made by decoder one, and this process has decoder two"):
        made.check_decoder("two")


def test_before_the_first_publication_nothing_has_been_taken_in(lake: Lake) -> None:
    assert Publications(lake).newest() == GENESIS
    assert (GENESIS.sequence, GENESIS.cut, GENESIS.tables) == (0, {}, {})


def test_a_publication_is_read_as_it_was_published(lake: Lake) -> None:
    publish(lake, FIRST)
    assert Publications(lake).newest() == FIRST
    assert Publications(lake).at(1) == FIRST


def test_equal_publications_are_equal_rows_in_whatever_order_their_lanes_came() -> None:
    turned = Publication(**{**vars(FIRST), "cut": dict(reversed(list(FIRST.cut.items())))})
    assert turned.row() == FIRST.row()
    assert Publication.from_row(FIRST.row()) == FIRST


def test_the_newest_is_found_however_many_there_are(lake: Lake) -> None:
    follower = Publications(lake)
    for sequence in range(1, 13):
        publish(lake, numbered(sequence))
        assert follower.newest().sequence == Publications(lake).newest().sequence == sequence
    assert [follower.at(sequence).cut["t/0"] for sequence in (1, 9, 12)] == [1, 9, 12]


def test_the_state_before_the_first_can_be_asked_for(lake: Lake) -> None:
    assert Publications(lake).at(0) == GENESIS


@pytest.mark.parametrize("sequence", [-1, 2, 99])
def test_a_publication_that_does_not_exist_is_an_error_that_names_those_that_do(lake: Lake, sequence: int) -> None:
    publish(lake, FIRST)
    with pytest.raises(UnknownName, match=rf"no publication '{sequence}'.*1 to 1"):
        Publications(lake).at(sequence)


@pytest.mark.parametrize("sequence", [1, 3, 4])
def test_only_the_successor_of_the_newest_can_be_published(lake: Lake, sequence: int) -> None:
    publish(lake, FIRST)
    with pytest.raises(Superseded, match=rf"Publication {sequence} comes too late: the newest is 1"):
        publish(lake, numbered(sequence))
    assert Publications(lake).newest() == FIRST


def test_of_two_that_publish_the_same_sequence_one_is_superseded(lake: Lake) -> None:
    overtaken = False

    def overtake(_: str) -> None:
        nonlocal overtaken
        if not overtaken:
            overtaken = True
            publish(lake, FIRST)

    with watched(), telling(overtake), pytest.raises(Superseded):
        publish(lake, numbered(1))
    assert Publications(lake).newest() == FIRST


def test_looking_for_news_reads_no_rows_where_there_is_none(lake: Lake) -> None:
    publish(lake, FIRST)
    follower = Publications(lake)
    follower.newest()
    with patch.object(publication, "_last_row", side_effect=AssertionError("rows were read")):
        for _ in range(3):
            assert follower.newest() == FIRST


def test_founding_a_lake_again_changes_nothing(lake: Lake) -> None:
    publish(lake, FIRST)
    found_lake(lake)
    assert lake.open(PUBLICATIONS.name).version() == 1
    assert Publications(lake).newest() == FIRST


def test_where_no_lake_was_founded_the_error_says_how_to(tmp_path: Path) -> None:
    with pytest.raises(NoLake, match=r"no lake at .*twofold cycle.*TWOFOLD_LAKE"):
        Publications(Lake(str(tmp_path / "nowhere"))).newest()


def test_a_lake_that_goes_away_is_unreachable_until_it_is_back(lake: Lake, tmp_path: Path) -> None:
    publish(lake, FIRST)
    follower = Publications(lake)
    assert follower.newest() == FIRST
    (tmp_path / "lake").rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(LakeUnreachable):
            follower.newest()
    (tmp_path / "elsewhere").rename(tmp_path / "lake")
    publish(lake, numbered(2))
    assert follower.newest().sequence == 2


def test_a_lake_of_another_version_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    other = Lake(str(tmp_path / "other"))
    earlier = {name: dtype for name, dtype in PUBLICATIONS.schema.items() if name != "arrivals"}
    TableWriter(other, TableSpec(PUBLICATIONS.name, pl.Schema(earlier)))
    with pytest.raises(LakeUnreachable, match=r"another version of Twofold: .* no arrivals\. Begin a new lake"):
        Publications(other).newest()


def test_what_is_served_is_what_is_declared_until_something_was_published() -> None:
    assert {name: edition.view for name, edition in GENESIS.served(VIEWS).items()} == VIEWS
    changed = replace(FIRST.editions[0], hash="1", state="beside")
    published = replace(FIRST, editions=(*FIRST.editions, changed))
    assert published.served(VIEWS) == {"bars": FIRST.editions[0]}
    assert published.view_hashes == {"bars": VIEWS["bars"].hash}
