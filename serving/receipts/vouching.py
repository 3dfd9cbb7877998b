"""Vouching for answers: each gets a token, some are checked later, and any can be made again."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from serving.answer import Answer
from serving.receipts.remaking import MadeAgain, Remaker
from serving.receipts.token import TokenSigner
from serving.receipts.verification import Verification


@dataclass(frozen=True)
class Receipts:
    """What serving has to do with receipts.

    Attributes:
        signer: makes tokens and reads them.
        remaker: makes answers again.
        verification: checks a part of what was answered.
    """

    signer: TokenSigner
    remaker: Remaker
    verification: Verification

    def vouch(self, made: Answer) -> MadeAgain:
        """Rows and receipt of an answer, as JSON; by the receipt's token both can be made again."""
        token = self.signer.sign(made.query, made.pair)
        given = MadeAgain(orjson.dumps(made.json_rows()), orjson.dumps({**made.receipt(), "token": token}))
        self.verification.offer(token, given)
        return given
