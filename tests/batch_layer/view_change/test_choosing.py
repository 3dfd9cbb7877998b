"""Which edition is meant by a name, and a hash or what is declared."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from batch_layer.view_change.choosing import declared_view, to_compare, to_promote, to_retire
from twofold.edition import Edition, EditionState
from twofold.errors import UnknownName, ViewDiffers
from twofold.publication import GENESIS, Publication
from twofold.view import View
from twofold.views import VIEWS

BARS = VIEWS["bars"]
LATER, LATEST = (replace(BARS, lateness=timedelta(seconds=seconds)) for seconds in (1, 2))


def carrying(*editions: tuple[View, EditionState]) -> Publication:
    """A publication with editions of bars."""
    tables = {view.hash: f"views/{view.name}-{view.hash}" for view, _ in editions}
    made = [Edition.of(view, state, 1, tables[view.hash]) for view, state in editions]
    return replace(GENESIS, sequence=1, editions=tuple(made))


DECLARED = {"bars": LATER}


def test_what_is_declared_is_built_promoted_and_compared() -> None:
    publication = carrying((BARS, "served"), (LATER, "beside"), (LATEST, "beside"))
    assert declared_view("bars", DECLARED) is LATER
    assert to_promote(publication, DECLARED, "bars", None).hash == LATER.hash
    assert to_compare(publication, DECLARED, "bars", None).hash == LATER.hash


def test_the_one_beside_is_compared_when_what_is_declared_is_served() -> None:
    assert to_compare(carrying((LATER, "served"), (BARS, "beside")), DECLARED, "bars", None).hash == BARS.hash


def test_a_hash_may_be_cut_short() -> None:
    publication = carrying((BARS, "served"), (LATER, "beside"))
    assert to_promote(publication, DECLARED, "bars", BARS.hash[:6]).hash == BARS.hash
    with pytest.raises(UnknownName, match=BARS.hash):
        to_promote(publication, DECLARED, "bars", "zz")
    with pytest.raises(UnknownName, match=LATER.hash):
        to_promote(publication, DECLARED, "bars", "")


def test_names_that_do_not_exist_are_told_with_those_that_do() -> None:
    publication = carrying((BARS, "served"))
    with pytest.raises(UnknownName, match=r"declared view 'bar'.*Did you mean 'bars'"):
        declared_view("bar", DECLARED)
    for choose in (to_promote, to_compare, to_retire):
        with pytest.raises(UnknownName, match=r"view in the lake 'bar'.*Known: bars"):
            choose(publication, DECLARED, "bar", "0")


def test_what_was_not_built_cannot_be_promoted_or_compared() -> None:
    publication = carrying((BARS, "served"), (LATEST, "beside"), (replace(BARS, lateness=timedelta(1)), "beside"))
    with pytest.raises(ViewDiffers, match=rf"declared as {LATER.hash}, which was not built.*twofold view build bars"):
        to_promote(publication, DECLARED, "bars", None)
    with pytest.raises(ViewDiffers, match=LATEST.hash):
        to_compare(publication, DECLARED, "bars", None)
    with pytest.raises(ViewDiffers, match="Nothing stands beside"):
        to_compare(carrying((BARS, "served")), DECLARED, "bars", None)


def test_the_one_beside_that_is_not_declared_is_retired() -> None:
    chosen = to_retire(carrying((LATER, "served"), (BARS, "beside")), DECLARED, "bars", None)
    assert chosen is not None
    assert chosen.hash == BARS.hash


def test_nothing_is_left_to_retire_once_it_has_gone() -> None:
    publication = carrying((LATER, "served"), (BARS, "retired"))
    assert to_retire(publication, DECLARED, "bars", None) is None
    assert to_retire(publication, DECLARED, "bars", BARS.hash) is None


def test_what_is_served_or_declared_is_not_retired_by_chance() -> None:
    with pytest.raises(ViewDiffers, match=rf"served as {BARS.hash}\. Promote another edition first"):
        to_retire(carrying((BARS, "served"), (LATER, "beside")), DECLARED, "bars", BARS.hash)
    with pytest.raises(ViewDiffers, match=rf"Say by its hash.*{LATER.hash} \(beside\)"):
        to_retire(carrying((BARS, "served"), (LATER, "beside")), DECLARED, "bars", None)
