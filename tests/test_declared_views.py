"""The views that are declared, shipped or in a file of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from twofold.errors import DeclarationError
from twofold.views import VIEWS
from twofold.views.declared import declared_views

OWN = """
from datetime import timedelta
from twofold import Count, Sum, View, column

minutes = timedelta(minutes=1)
flow = View("flow", minutes, {"n": Count(), "size": Sum("size")}, {"mean": column("size") / column("n")})
bars = View(name="bars", window=5 * minutes, aggregates={"n": Count()})
"""


def declared(folder: Path, text: str) -> list[str]:
    file = folder / "views.py"
    file.write_text(text)
    return list(declared_views(file))


def test_without_a_file_they_are_the_shipped_ones() -> None:
    assert declared_views(None) == VIEWS


def test_those_of_a_file_come_beside_and_in_place_of_the_shipped_ones(tmp_path: Path) -> None:
    assert declared(tmp_path, OWN) == ["bars", "taker_flow", "flow"]
    assert list(declared_views(tmp_path / "views.py")["bars"].columns) == ["n"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "defines no view"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("from twofold import View\n1 / 0", "ZeroDivisionError"),
        (OWN.replace('"flow"', '"bars"'), "'bars' twice"),
        (OWN.replace('Sum("size")', 'Sum("siz")'), "'siz', which does not exist; there are: notional, price, size"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        declared(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"nowhere\.py cannot be read.*TWOFOLD_VIEWS names a file"):
        declared_views(tmp_path / "nowhere.py")
