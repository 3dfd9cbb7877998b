"""Publications: the one table that says what is public, and the compare-and-set by which it grows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from twofold.account import Account, accounts_from_json, accounts_to_json
from twofold.clock import EPOCH
from twofold.edition import Edition, editions_from_json, editions_to_json, founded
from twofold.errors import DecoderDiffers, GivenUp, LakeUnreachable, NoLake, Superseded, UnknownName
from twofold.exclusion import Exclusion, exclusions_from_json, exclusions_to_json
from twofold.lake import Lake, TableSpec, TableWriter
from twofold.lane import Positions, positions_from_json, positions_to_json
from twofold.log_identity import LogIdentity
from twofold.quality import Quality
from twofold.records import Lost
from twofold.view import View

PUBLICATIONS = TableSpec(
    "publications",
    pl.Schema(
        {
            "sequence": pl.Int64(),
            "published_at": pl.Datetime("us", "UTC"),
            "cut": pl.String(),
            "tables": pl.String(),
            "views": pl.String(),
            "decoder_hash": pl.String(),
            "witnesses": pl.String(),
            "arrivals": pl.String(),
            "accounts": pl.String(),
            "lost": pl.String(),
            "cluster_id": pl.String(),
            "topic_id": pl.String(),
            "epochs": pl.String(),
            "given_up": pl.String(),
            "released": pl.Int64(),
            "exclusions": pl.String(),
            "quality": pl.String(),
        }
    ),
)
"""Columns of the publications table; those that hold a mapping hold it as JSON with sorted keys."""


@dataclass(frozen=True)
class Publication:
    """What is public, as of one sequence number.

    Attributes:
        sequence: The version of the publications table that adds it, so that no number is ever used twice: 1 for the
            first publication, then one more each, unless a commit was torn.
        published_at: When, UTC.
        cut: Position up to which the batch side has taken everything in, per lane; exclusive.
        tables: The version of each Delta table that readers read.
        editions: The views, each with its definition and its table (`twofold.edition`).
        decoder_hash: The hash of the decoder's meaning.
        witnesses: What the watermarks stand on, per venue (`twofold.watermark`).
        arrivals: The greatest arrival time, UTC microseconds, per venue: by it the age of gaps is told.
        accounts: What became of every record below the cut, per lane.
        lost: What retention took from under its own cycle.
        log: Which cluster and topic the cut's open lanes are of.
        given_up: Sequences of earlier publications that nothing can be made of any more, in ascending order.
        released: Of publications up to this number the versions of tables need not be there any more. What answers were
            made of still is, in the newest versions.
        exclusions: Trades that do not count, in the order in which they were excluded.
        quality: What was checked of the newest cycle that took records in.
    """

    sequence: int
    published_at: datetime
    cut: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, int] = field(default_factory=dict)
    editions: tuple[Edition, ...] = ()
    decoder_hash: str = ""
    witnesses: Mapping[str, list[int]] = field(default_factory=dict)
    arrivals: Mapping[str, int] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    lost: tuple[Lost, ...] = ()
    log: LogIdentity = field(default_factory=LogIdentity)
    given_up: tuple[int, ...] = ()
    released: int = 0
    exclusions: tuple[Exclusion, ...] = ()
    quality: Quality = field(default_factory=Quality)

    def row(self) -> dict[str, Any]:
        """This publication as a row of the table."""
        return {
            "sequence": self.sequence,
            "published_at": self.published_at,
            "cut": positions_to_json(self.cut),
            "tables": _to_json(self.tables),
            "views": editions_to_json(self.editions),
            "decoder_hash": self.decoder_hash,
            "witnesses": _to_json(self.witnesses),
            "arrivals": _to_json(self.arrivals),
            "accounts": accounts_to_json(self.accounts),
            "lost": orjson.dumps(self.lost).decode(),
            "cluster_id": self.log.cluster_id,
            "topic_id": self.log.topic_id,
            "epochs": _to_json(self.log.epochs),
            "given_up": orjson.dumps(self.given_up).decode(),
            "released": self.released,
            "exclusions": exclusions_to_json(self.exclusions),
            "quality": self.quality.to_json(),
        }

    def served(self, declared: Mapping[str, View]) -> dict[str, Edition]:
        """The editions that answers are made of, by the name of the view.

        Args:
            declared: what a lake is founded with: these are served as long as nothing was published.
        """
        editions = self.editions or founded(declared, self.sequence + 1)
        return {edition.name: edition for edition in editions if edition.state == "served"}

    def edition(self, name: str, declared: Mapping[str, View]) -> Edition:
        """The edition that is served of a view; `declared` as in `served`.

        Raises:
            UnknownName: no view of that name is served; the message names those that are.
        """
        served = self.served(declared)
        if name not in served:
            raise UnknownName("view", name, served)
        return served[name]

    @property
    def excluded_by(self) -> int:
        """The number of the publication that last added to the exclusions, which is their version; 0 without any."""
        return max((exclusion.since for exclusion in self.exclusions), default=0)

    @property
    def view_hashes(self) -> dict[str, str]:
        """The name of each view that is served, and the hash of what it means."""
        return {name: edition.hash for name, edition in self.served({}).items()}

    def still_open(self, positions: Positions) -> dict[str, int]:
        """Positions without those of lanes that this publication has closed."""
        still_open = self.log.open_lanes({**positions, **self.cut})
        return {lane: offset for lane, offset in positions.items() if lane in still_open}

    def made_by(self, decoder_hash: str) -> bool:
        """Whether a decoder of that hash made it; `GENESIS` was made by none, which is any."""
        return self.decoder_hash in {"", decoder_hash}

    def check_decoder(self, decoder_hash: str) -> None:
        """See that a decoder of that hash may go on from here.

        Raises:
            DecoderDiffers: another decoder made this publication.
        """
        if not self.made_by(decoder_hash):
            raise DecoderDiffers(
                f"Publication {self.sequence} was made by decoder {self.decoder_hash[:12]}, and this process has "
                f"decoder {decoder_hash[:12]}. Run one version of Twofold in all parts: the first batch cycle of a "
                "version publishes its decoder."
            )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Publication:
        """Read a row of the table."""
        return cls(
            sequence=row["sequence"],
            published_at=row["published_at"],
            cut=positions_from_json(row["cut"]),
            tables=orjson.loads(row["tables"]),
            editions=editions_from_json(row["views"]),
            decoder_hash=row["decoder_hash"],
            witnesses=orjson.loads(row["witnesses"]),
            arrivals=orjson.loads(row["arrivals"]),
            accounts=accounts_from_json(row["accounts"]),
            lost=tuple(Lost(**gap) for gap in orjson.loads(row["lost"])),
            log=LogIdentity(row["cluster_id"], row["topic_id"], orjson.loads(row["epochs"])),
            given_up=tuple(orjson.loads(row["given_up"])),
            released=row["released"],
            exclusions=exclusions_from_json(row["exclusions"]),
            quality=Quality.from_json(row["quality"]),
        )


GENESIS = Publication(sequence=0, published_at=EPOCH)
"""What holds before anything was published: nothing taken in, empty tables."""


class Publications:
    """A reader of the publications table. Looking for news is cheap when there is none."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._table: DeltaTable | None = None
        self._birth: object = None
        self._newest = GENESIS
        self._read_version = -1

    def newest(self) -> Publication:
        """The newest publication; `GENESIS` where nothing was published yet.

        Raises:
            NoLake: there is no lake at the root.
            LakeUnreachable: the table cannot be read, or is of another version.
        """
        table = self._refreshed()
        if table.version() != self._read_version:
            self._newest = _last_row(table)
            self._read_version = table.version()
        return self._newest

    @property
    def next_sequence(self) -> int:
        """The number of the publication that may follow what was last seen as the newest."""
        return self._read_version + 1

    def at(self, sequence: int) -> Publication:
        """The publication of that sequence number; 0 is `GENESIS`.

        Raises:
            UnknownName: there is none of that number.
            GivenUp: there was one, but nothing can be made again from it.
        """
        if sequence == GENESIS.sequence:
            return GENESIS
        if sequence in self.newest().given_up:
            raise GivenUp(
                f"Publication {sequence} was given up by `twofold doctor --mend`: files that it was made of are gone, "
                "so that nothing can be made again from it. Ask anew, for an answer of the newest publication."
            )
        rows = pl.scan_delta(self._refreshed()).filter(pl.col("sequence") == sequence).collect()
        if rows.is_empty():
            raise UnknownName("publication", str(sequence), [f"1 to {self.newest().sequence}"])
        return Publication.from_row(rows.row(0, named=True))

    def _refreshed(self) -> DeltaTable:
        if self._table is None:
            if not self._lake.exists(PUBLICATIONS.name):
                raise NoLake(
                    f"There is no lake at {self._lake.root} yet. It is founded by the batch side: run `twofold cycle` "
                    "or `twofold up`, or set TWOFOLD_LAKE to where it is."
                )
            self._table = self._opened()
            self._birth = self._lake.birth(PUBLICATIONS.name)
        else:
            self._lake.look_for(PUBLICATIONS.name)
            self._refuse_another_lake()
            if self._lake.may_be_past(PUBLICATIONS.name, self._table.version()):
                try:
                    self._table.update_incremental()
                except DeltaError:
                    self._table = None  # So that the next look opens the table anew, whether or not this one fails.
                    self._table = self._opened()
        return self._table

    def _refuse_another_lake(self) -> None:
        """Numbers begin again at 1 in a lake that was made anew, so that they would be taken for those known here."""
        if self._lake.birth(PUBLICATIONS.name) != self._birth:
            raise LakeUnreachable(
                f"The lake at {self._lake.root} was made anew, or replaced by a copy, while this process ran: its "
                "publications are others under the same numbers. Restart this process, and all others that read it."
            )

    def _opened(self) -> DeltaTable:
        table = self._lake.open(PUBLICATIONS.name)
        lacking = set(PUBLICATIONS.schema) - {column.name for column in table.schema().fields}
        if lacking:
            raise LakeUnreachable(
                f"The lake at {self._lake.root} was written by another version of Twofold: its publications have no "
                f"{', '.join(sorted(lacking))}. Begin a new lake, in another TWOFOLD_DATA_FOLDER or TWOFOLD_LAKE."
            )
        return table


def _last_row(table: DeltaTable) -> Publication:
    added = pl.DataFrame(table.get_add_actions(flatten=True))
    if added.is_empty():
        return GENESIS
    newest = added["max.sequence"].max()
    rows = pl.scan_delta(table).filter(pl.col("sequence") == newest).collect()
    return Publication.from_row(rows.row(0, named=True))


def found_lake(lake: Lake) -> None:
    """Make sure that there is a lake at the root, with an empty publications table if it is new."""
    TableWriter(lake, PUBLICATIONS)


def publish(lake: Lake, publication: Publication) -> None:
    """Make a publication public, if nothing has been committed to the table since its sequence was taken.

    Raises:
        Superseded: another publication of that sequence exists already; nothing was made public.
    """
    writer = TableWriter(lake, PUBLICATIONS)
    if publication.sequence != writer.version + 1:
        raise Superseded(
            f"Publication {publication.sequence} comes too late: the newest is {writer.version} already. Nothing of "
            "this cycle is public; the next cycle starts again from the newest publication."
        )
    writer.append(pl.DataFrame([publication.row()], schema=PUBLICATIONS.schema))


def _to_json(mapping: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(mapping), option=orjson.OPT_SORT_KEYS).decode()
