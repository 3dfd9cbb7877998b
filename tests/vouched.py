"""What makes receipts and makes answers again, over a lake and a log of a test's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serving.answer import Answer
from serving.receipts.above_cut import Declared
from serving.receipts.remaking import MadeAgain, Remaker
from serving.receipts.token import TokenSigner
from serving.receipts.verification import Verification, check_with
from serving.receipts.vouching import Receipts
from serving.writing import rows_json
from twofold.errors import EventLogUnreachable
from twofold.lake import Lake
from twofold.lane import Positions
from twofold.records import OpenReader, RecordReader
from twofold.source import SHIPPED_SOURCES, Source
from twofold.view import View
from twofold.views import VIEWS

KEYS = ("the key of receipts in tests, which is long enough",)


def vouching(
    lake: Lake,
    open_reader: OpenReader | None = None,
    *,
    keys: Sequence[str] = KEYS,
    views: Mapping[str, View] = VIEWS,
    sources: Mapping[str, Source] = SHIPPED_SOURCES,
    share: float = 0.0,
) -> Receipts:
    """Receipts of a lake; without a reader there is no event log. Samples are checked in this process."""
    signer = TokenSigner(keys)
    remaker = Remaker(lake, Declared(open_reader or _no_log, sources, "simulator"), views, signer)
    return Receipts(signer, remaker, Verification(share, lambda samples: check_with(remaker, samples)))


def given_of(receipts: Receipts, made: Answer) -> MadeAgain:
    """Rows and receipt of an answer as they are given."""
    return MadeAgain(rows_json(made.rows), receipts.vouch(made))


def _no_log(start: Positions) -> RecordReader:
    raise EventLogUnreachable(f"There is no event log to read from {dict(start)} in this test.")
