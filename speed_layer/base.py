"""The base of a speed fold: cut, log, ledger and exclusions of one publication, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from twofold.decoding import DECODER_HASH
from twofold.exclusion import Exclusion, reaching
from twofold.horizon import horizons_us, is_remembered
from twofold.lake import Lake
from twofold.lane import Positions
from twofold.ledger import INTERVAL_SCHEMA, Ledger
from twofold.log_identity import LogIdentity
from twofold.publication import Publication
from twofold.source import Source
from twofold.tables import LEDGER


@dataclass(frozen=True)
class Base:
    """What a speed fold starts from; with the positions it determines the fold's state (law 4)."""

    sequence: int = 0
    cut: Positions = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    log: LogIdentity = field(default_factory=LogIdentity)
    exclusions: tuple[Exclusion, ...] = ()


def load_base(lake: Lake, publication: Publication, sources: Mapping[str, Source]) -> Base:
    """The base that a publication gives to a fold of these sources.

    Raises:
        DecoderDiffers: another decoder made the publication, so that the two sides would not agree on what is a trade.
        LakeUnreachable: the ledger cannot be read.
    """
    publication.check_decoder(DECODER_HASH)
    version = publication.tables.get(LEDGER.name)
    files = [] if version is None else lake.files(LEDGER.name, version)
    known = is_remembered("first_id", "first_arrival", publication.arrivals, horizons_us(sources))
    ledger = Ledger(lake.read_files(LEDGER.name, files, INTERVAL_SCHEMA.names(), known)) if files else Ledger()
    exclusions = reaching(publication.exclusions, publication.cut)
    return Base(publication.sequence, publication.cut, ledger, publication.log, exclusions)
