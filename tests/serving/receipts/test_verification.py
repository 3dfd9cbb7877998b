"""Some of what was answered is made again by itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import pytest
from eventually import eventually

from serving.receipts import verification as module
from serving.receipts.remaking import MadeAgain
from serving.receipts.verification import AT_ONCE, WAITING, Outcome, Sample, Verification, digest
from twofold.errors import ReceiptError

GIVEN = MadeAgain(b"[]", b"{}")


class Checking:
    """Finds equal what it is not told otherwise of, and remembers what it was given."""

    def __init__(self, **otherwise: Outcome) -> None:
        self.checked: list[Sample] = []
        self._otherwise = otherwise

    def __call__(self, samples: Sequence[Sample]) -> list[Outcome]:
        self.checked += samples
        return [self._otherwise.get(sample.token, Outcome(sample.token, same=True)) for sample in samples]


def verification(share: float, checking: Checking) -> Verification:
    return Verification(share, checking, Random(1), lambda: datetime(2026, 1, 2, tzinfo=UTC))


def test_the_share_of_answers_is_taken_and_nothing_is_kept_but_token_and_hash() -> None:
    checking = Checking()
    sampling = verification(0.1, checking)
    for number in range(1_000):
        sampling.offer(f"t{number}", lambda: GIVEN)
    assert 70 < sampling.shown()["waiting"] < 130
    sampling.check_some()
    assert len(checking.checked) == AT_ONCE
    assert {sample.sha256 for sample in checking.checked} == {digest(GIVEN)}


def test_the_ring_is_bounded_and_the_newest_are_checked_first() -> None:
    checking = Checking()
    sampling = verification(1.0, checking)
    for number in range(WAITING + 10):
        sampling.offer(f"t{number}", lambda: GIVEN)
    assert sampling.shown()["waiting"] == WAITING
    sampling.check_some()
    assert checking.checked[0].token == f"t{WAITING + 9}"


def test_a_share_of_nothing_takes_nothing_and_starts_no_thread() -> None:
    sampling = verification(0.0, Checking())
    sampling.offer("t", lambda: GIVEN)
    sampling.start()
    sampling.stop()
    assert sampling.shown() == {
        "share": 0.0,
        "waiting": 0,
        "same": 0,
        "different": 0,
        "not_made": 0,
        "why_not_made": None,
        "incidents": [],
    }


def test_an_answer_that_comes_out_otherwise_is_an_incident(caplog: pytest.LogCaptureFixture) -> None:
    sampling = verification(1.0, Checking(bad=Outcome("bad"), gone=Outcome("gone", why_not_made="records are gone")))
    for token in ("good", "bad", "gone", "fine"):
        sampling.offer(token, lambda: GIVEN)
    with caplog.at_level(logging.INFO):
        sampling.check_some()
    shown = sampling.shown()
    assert (shown["same"], shown["different"], shown["not_made"]) == (2, 1, 1)
    assert shown["incidents"] == [{"token": "bad", "found_at": "2026-01-02T00:00:00Z"}]
    assert shown["why_not_made"] == "records are gone"
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "twofold receipt show bad" in record.getMessage()


def test_the_thread_checks_by_itself_and_goes_on_after_a_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    checking, failures = Checking(), [ReceiptError("no process"), RuntimeError("unforeseen")]

    def check(samples: Sequence[Sample]) -> list[Outcome]:
        if failures:
            raise failures.pop()
        return checking(samples)

    sampling = Verification(1.0, check)
    for number in range(3 * AT_ONCE):
        sampling.offer(f"t{number}", lambda: GIVEN)
    sampling.start()
    try:
        eventually(lambda: sampling.shown()["same"] == AT_ONCE)
    finally:
        sampling.stop()
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
