"""Retention: which publications' table versions stay as they are, and what that spares of each table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
import polars as pl

from twofold.lake import Lake
from twofold.publication import PUBLICATIONS, Publication


@dataclass(frozen=True)
class Retention:
    """What stays.

    Attributes:
        released: The last publication whose table versions need not stay; those before it need not either.
        kept: How many publications' versions stay.
        floors: The least version of each table that one of them names; those of tables that none names are not here.
    """

    released: int
    kept: int
    floors: Mapping[str, int]

    def with_kept(self, versions: Mapping[str, int]) -> Retention:
        """The same, with versions that stay though no publication names them, as those of what is held."""
        least = {name: min(version, self.floors.get(name, version)) for name, version in versions.items()}
        return replace(self, floors={**self.floors, **least})


def retention_of(lake: Lake, newest: Publication, since: datetime) -> Retention:
    """What stays for the publications since a time. The newest stays, and what was released once is not taken back.

    Raises:
        LakeUnreachable: the publications cannot be read.
    """
    table = lake.scan(PUBLICATIONS.name, lake.open(PUBLICATIONS.name).version())
    rows = table.filter(pl.col("sequence") <= newest.sequence).select("sequence", "published_at", "tables").collect()
    old = rows.filter((pl.col("published_at") < since) & (pl.col("sequence") < newest.sequence))["sequence"].max()
    released = max(newest.released, old if isinstance(old, int) else 0)
    stay = rows.filter((pl.col("sequence") > released) & ~pl.col("sequence").is_in(newest.given_up))
    floors: dict[str, int] = {}
    for tables in stay["tables"]:
        for name, version in orjson.loads(tables).items():
            floors[name] = min(version, floors.get(name, version))
    return Retention(released, stay.height, floors)
