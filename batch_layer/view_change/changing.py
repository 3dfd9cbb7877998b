"""One publication that changes which editions of views there are, or what is done with them, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from batch_layer.turn import turn
from twofold.clock import Clock
from twofold.edition import Edition
from twofold.errors import NoLake
from twofold.lake import Lake
from twofold.publication import Publication, Publications, publish

TURN_WAIT_S = 300.0
"""Seconds that other cycles are waited for."""


class Changed(NamedTuple):
    """What a command about views came to.

    Attributes:
        publication: The newest one by now.
        edition: The edition that it was about, as that one has it.
        is_new: Whether it made the publication; else all was so already.
    """

    publication: Publication
    edition: Edition
    is_new: bool


class Change(NamedTuple):
    """What a publication is to have otherwise than the one before.

    Attributes:
        editions: All editions.
        tables: All versions of tables.
    """

    editions: Sequence[Edition]
    tables: Mapping[str, int]


def newest_published(publications: Publications) -> Publication:
    """The newest publication, of which views can be changed.

    Raises:
        NoLake: nothing was published yet.
    """
    newest = publications.newest()
    if not newest.editions:
        raise NoLake(
            "Nothing was published yet, so there is no view to change: the first batch cycle founds the lake with the "
            "views as they are declared. Run `twofold cycle` or `twofold up`."
        )
    return newest


def change(
    lake: Lake, clock: Clock, wanted: Callable[[Publication, int], Change | None], name: str, its_hash: str
) -> Changed:
    """Publish what is wanted, on exactly the parent that it was wanted of.

    Args:
        lake: which lake.
        clock: says when it is published.
        wanted: says of the newest publication, and of the number that is to follow, what is to change; None: nothing.
        name: of the view that it is about.
        its_hash: of the edition that it is about.

    Raises:
        NoLake: nothing was published yet.
        TurnTaken: batch cycles have been at work all the time.
        Superseded: another writer published first; nothing of this is public.
    """
    with turn(lake, TURN_WAIT_S):
        publications = Publications(lake)
        parent = newest_published(publications)
        found = wanted(parent, publications.next_sequence)
        if found is None:
            return Changed(parent, edition_of(parent, name, its_hash), is_new=False)
        publication = replace(
            parent,
            sequence=publications.next_sequence,
            published_at=clock(),
            editions=tuple(found.editions),
            tables=found.tables,
            lost=(),  # from under its own cycle
        )
        publish(lake, publication)
    return Changed(publication, edition_of(publication, name, its_hash), is_new=True)


def edition_of(publication: Publication, name: str, its_hash: str) -> Edition:
    """The edition of that hash, retired ones among them."""
    return next(each for each in publication.editions if (each.name, each.hash) == (name, its_hash))
