"""Editions of views: what a publication carries of each, definition included.

A view may change while its name stays. Each meaning that it has, or has had, is an edition, known by the view's hash,
with a table of its own. Of those of one name one is served; cycles add to the others too, which stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from twofold.definition import read, written
from twofold.lake import TableSpec
from twofold.tables import view_table
from twofold.view import View

EditionState = Literal["served", "beside", "retired"]
"""Answers are made of it; it is kept up to date beside that one; or it has been, and no more than its name is kept."""


@dataclass(frozen=True)
class Edition:
    """One meaning of a view.

    Attributes:
        name: The view's name.
        hash: The view's hash, which tells editions apart.
        state: What is done with it.
        since: The number of the publication that first had it in this state.
        table: The table of its partials; of a retired one, where they were.
        definition: The view as `twofold.definition` writes it; empty for a retired one.
    """

    name: str
    hash: str
    state: EditionState
    since: int
    table: str
    definition: str = ""

    @classmethod
    def of(cls, view: View, state: EditionState, since: int, table: str) -> Edition:
        """An edition of a view."""
        return cls(view.name, view.hash, state, since, table, written(view))

    @property
    def is_carried(self) -> bool:
        """Whether cycles add to it."""
        return self.state != "retired"

    @property
    def view(self) -> View:
        """The view.

        Raises:
            ViewUnreadable: this version of Twofold does not know what it is made of.
        """
        return read(self.definition, self.hash)

    @property
    def spec(self) -> TableSpec:
        """The table of its partials.

        Raises:
            ViewUnreadable: as `view`.
        """
        return view_table(self.view, self.table)


def founded(views: Mapping[str, View], sequence: int) -> tuple[Edition, ...]:
    """The editions that a lake begins with, at its first publication: of each view as it is declared."""
    return tuple(Edition.of(view, "served", sequence, view_table(view).name) for view in views.values())


def carried(editions: Iterable[Edition]) -> list[Edition]:
    """Those that cycles add to."""
    return [edition for edition in editions if edition.is_carried]


def editions_to_json(editions: Iterable[Edition]) -> str:
    """Editions as a publication has them."""
    rows = [
        {
            "name": each.name,
            "hash": each.hash,
            "state": each.state,
            "since": each.since,
            "table": each.table,
            "definition": orjson.Fragment(each.definition or "null"),
        }
        for each in editions
    ]
    return orjson.dumps(rows).decode()


def editions_from_json(text: str) -> tuple[Edition, ...]:
    """Read what `editions_to_json` wrote."""
    return tuple(_edition(row) for row in orjson.loads(text))


def _edition(row: dict[str, Any]) -> Edition:
    definition = row.pop("definition")
    return Edition(**row, definition="" if definition is None else orjson.dumps(definition).decode())
