"""The routes about receipts: an old answer made again, and what came of those that were checked."""

from __future__ import annotations

from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Path, Response

from serving.receipts.vouching import Receipts
from serving.reply import json_reply
from serving.routes.described import AnswerAgain, Verified, described

PROBLEMS = (
    "receipt_invalid",
    "publication_unknown",
    "meaning_differs",
    "view_retired",
    "records_gone",
    "given_up",
    "too_much",
    "arithmetic_overflow",
    "not_ready",
)
"""What may come instead of an answer that is made again."""

AT_ONCE = 2
"""Answers that are made again at the same time; others wait, so that new answers do not."""


def add_receipts(app: FastAPI, receipts: Receipts) -> None:
    """Add the routes."""
    limiter = CapacityLimiter(AT_ONCE)

    @app.get(
        "/v1/receipts/{token}",
        summary="The rows and the receipt of an earlier answer, made again",
        tags=["receipts"],
        responses=described(AnswerAgain, *PROBLEMS),
    )
    async def make_again(token: Annotated[str, Path(description="The `token` of the answer's receipt.")]) -> Response:
        again = await to_thread.run_sync(receipts.remaker.make_again, token, limiter=limiter)
        body = b'{"rows":%b,"receipt":%b}' % again
        return Response(body, media_type="application/json")

    @app.get(
        "/v1/verification",
        summary="What came of the answers that were made again by themselves",
        tags=["receipts"],
        responses=described(Verified),
    )
    async def read_verification() -> Response:
        return json_reply(receipts.verification.shown())
