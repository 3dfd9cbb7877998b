"""Vouching for answers: each gets a token, some are checked later, and any can be made again."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from serving.answer import Answer
from serving.receipts.remaking import MadeAgain, Remaker
from serving.receipts.token import TokenSigner
from serving.receipts.verification import Verification
from serving.writing import rows_json


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

    def vouch(self, page: Answer) -> bytes:
        """The receipt of an answer, as JSON; by its token, answer and receipt can be made again."""
        token = self.signer.sign(page.query, page.state)
        receipt = orjson.dumps({**page.receipt(), "token": token})
        self.verification.offer(token, lambda: MadeAgain(rows_json(page.rows), receipt))
        return receipt
