"""The errors: one tree, and messages that say what exists."""

from __future__ import annotations

import inspect
import re

import pytest

from twofold import errors
from twofold.errors import BaseGone, TwofoldError, UnknownName

CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]


def test_every_error_is_a_twofold_error() -> None:
    assert all(issubclass(each, TwofoldError) for each in CLASSES)


def test_the_drawn_tree_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    stack: list[str] = ["TwofoldError"]
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]  # the module has a docstring
        if found := re.match(r"^ {4}([ │├└─]+)([A-Z]\w+) ?", line):
            depth = len(found[1]) // 4
            drawn[found[2]] = stack[depth - 1]
            stack[depth:] = [found[2]]
    assert drawn == {each.__name__: each.__mro__[1].__name__ for each in CLASSES if each is not TwofoldError}


def test_an_unknown_name_says_what_exists_and_what_is_near() -> None:
    error = UnknownName("symbol", "BTCUSD", ["ETHUSDT", "BTCUSDT"])
    assert str(error) == "There is no symbol 'BTCUSD'. Did you mean 'BTCUSDT'? Known: BTCUSDT, ETHUSDT."
    assert (error.kind, error.name, error.exist) == ("symbol", "BTCUSD", ["BTCUSDT", "ETHUSDT"])


@pytest.mark.parametrize(("exist", "known"), [((), "none"), (("b", "a"), "a, b")])
def test_an_unknown_name_that_nothing_is_near_to_makes_no_guess(exist: tuple[str, ...], known: str) -> None:
    assert str(UnknownName("view", "zzzz", exist)) == f"There is no view 'zzzz'. Known: {known}."


def test_a_base_that_is_gone_says_which_are_held_and_what_to_do() -> None:
    error = BaseGone(3, [5, 4])
    assert (error.sequence, error.held) == (3, [4, 5])
    assert "publication 3" in str(error)
    assert "[4, 5]" in str(error)
    assert "Load the newest publication" in str(error)
