"""How editions of views, and what two of them differ in, are shown on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from twofold.edition import Edition
from twofold.errors import ViewUnreadable
from twofold.publication import Publication
from twofold.view import View

if TYPE_CHECKING:
    from batch_layer.view_change.difference import Difference


def edition_table(publication: Publication, declared: Mapping[str, View]) -> Table:
    """What a publication carries of views, and has retired, and below it what is declared and not carried."""
    table = Table(title=f"Views, publication {publication.sequence}")
    for name in ("view", "hash", "state", "since", "grain", "keys", "columns", "table"):
        table.add_column(name, justify="right" if name == "since" else "left", overflow="fold")
    for edition in sorted(publication.editions, key=lambda each: each.name):
        table.add_row(edition.name, edition.hash, edition.state, str(edition.since), *_shape(edition), edition.table)
    carried = {edition.hash for edition in publication.editions if edition.is_carried}
    for view in declared.values():
        if view.hash not in carried:
            state = "declared, not built" if publication.editions else "declared"
            table.add_row(view.name, view.hash, state, "", *_columns(view), "")
    return table


def difference_lines(found: Difference, served: Edition, beside: Edition, address: str) -> Iterator[str]:
    """A summary of a comparison, line by line."""
    differ = "equal" if found.is_none else "different"
    yield f"{served.name} at publication {found.publication}: {served.hash} (served) and {beside.hash} are {differ}."
    by = f"by {', '.join(found.keys)}, each {found.interval}"
    yield f"compared         {', '.join(found.measures) or 'no column'}, {by}"
    for state, columns in found.apart.items():
        if columns:
            yield f"only {state:11} {', '.join(columns)} (not compared)"
    yield f"equal rows       {found.equal:,}"
    yield f"differing rows   {found.found['both']:,}"
    yield f"rows only served {found.found['served']:,}"
    yield f"rows only beside {found.found['beside']:,}"
    for measure, rows in found.differing.items():
        if rows:
            yield f"  {measure:14} differs in {rows:,} rows"
    yield f"The rows that differ are the Delta table {address}."


def _shape(edition: Edition) -> tuple[str, str, str]:
    if not edition.is_carried:
        return "", "", ""
    try:
        return _columns(edition.view)
    except ViewUnreadable:
        return "", "", "not known to this version of Twofold"


def _columns(view: View) -> tuple[str, str, str]:
    grain = str(view.window) if not view.lateness else f"{view.window}, {view.lateness} late"
    return grain, ", ".join(view.keys), ", ".join(view.columns)
