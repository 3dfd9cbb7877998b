"""Definitions of views as data: what is written is read as the same, and what is not known is told."""

from __future__ import annotations

import pytest
from laws.changed_bars import CHANGED_BARS

from twofold.definition import AGGREGATES, read, written
from twofold.edition import Edition, carried, editions_from_json, editions_to_json, founded
from twofold.errors import ViewUnreadable
from twofold.view import View
from twofold.views import VIEWS


@pytest.mark.parametrize("view", [*VIEWS.values(), CHANGED_BARS])
def test_a_view_is_read_as_it_was_written(view: View) -> None:
    again = read(written(view), view.hash)
    assert again == view
    assert again.hash == view.hash
    assert [*again.columns] == [*view.columns]
    assert again.described == view.described


def test_every_aggregate_has_a_name() -> None:
    assert set(AGGREGATES) == {"count", "sum", "min", "max", "first", "last"}


@pytest.mark.parametrize(
    ("part", "other", "said"),
    [
        ('"sum"', '"median"', "KeyError: 'median'"),
        ('"window_us":60000000', '"window_us":7000000', "does not divide a day"),
        ('["/",', '["*",', r"there is no operator '\*'"),
        ('"keys"', '"key"', "KeyError: 'keys'"),
        ("{", "[", "JSONDecodeError"),
    ],
)
def test_what_is_not_known_is_told_with_the_definition(part: str, other: str, said: str) -> None:
    view = VIEWS["bars"]
    with pytest.raises(ViewUnreadable, match=rf"{view.hash}.*does not know.*{said}.*Run the version that built it"):
        read(written(view).replace(part, other), view.hash)


def test_a_definition_that_means_something_else_here_is_refused() -> None:
    view = VIEWS["bars"]
    with pytest.raises(ViewUnreadable, match=f"built as 0123, and its definition means {view.hash}"):
        read(written(view), "0123")


def test_editions_are_read_as_they_were_written() -> None:
    editions = (*founded(VIEWS, 7), Edition("bars", "0123", "retired", 9, "views/bars-0123"))
    assert editions_from_json(editions_to_json(editions)) == editions
    assert [edition.view for edition in carried(editions)] == [*VIEWS.values()]
    assert [edition.spec.name for edition in carried(editions)] == ["views/bars", "views/taker_flow"]
