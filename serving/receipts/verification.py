"""Verification: some of what was answered is made again later, beside serving, and compared.

Of an answer only its token and a hash are kept. One that comes out otherwise is an incident: it is logged as an error,
counted, and shown.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from serving.receipts.remaking import MadeAgain, Remaker
from twofold.clock import Clock, utc_now
from twofold.errors import TwofoldError

WAITING = 256
"""Samples that wait at most; the oldest go first."""

AT_ONCE = 8
"""Samples that are checked in one round at most: the newest of them."""

PAUSE_S = 60.0
"""Seconds between two rounds."""

_INCIDENTS = 32

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """An answer, as it is remembered: by its token and the SHA-256 of its rows and receipt, in hexadecimal."""

    token: str
    sha256: str


@dataclass(frozen=True)
class Outcome:
    """What came of a sample: whether it was the same, or why it could not be made again."""

    token: str
    same: bool = False
    why_not_made: str | None = None


Check = Callable[[Sequence[Sample]], Iterable[Outcome]]
"""Makes samples again and compares them; it may raise `TwofoldError` where nothing can be checked at all."""


@dataclass(frozen=True)
class Incident:
    """An answer that came out otherwise, and when that was found, RFC 3339 in UTC."""

    token: str
    found_at: str


@dataclass
class _Counts:
    same: int = 0
    different: int = 0
    not_made: int = 0
    incidents: deque[Incident] = field(default_factory=lambda: deque(maxlen=_INCIDENTS))
    last_reason: str | None = None


class Verification:
    """Takes samples of what is answered, and checks them now and then in a thread of its own.

    Args:
        share: the part of the answers that is taken; 0 for none.
        check: makes samples again and compares them.
        random: decides which are taken.
        clock: says when an incident was found.
    """

    def __init__(self, share: float, check: Check, random: Random | None = None, clock: Clock = utc_now) -> None:
        self._share = share
        self._check = check
        self._random = random or Random()  # noqa: S311  # which answers are sampled is no secret
        self._clock = clock
        self._waiting: deque[Sample] = deque(maxlen=WAITING)
        self._counts = _Counts()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="verification", daemon=True)

    def offer(self, token: str, given: Callable[[], MadeAgain]) -> None:
        """Say that an answer is about to be given; it may be taken as a sample, and then is asked for."""
        if self._random.random() < self._share:
            self._waiting.append(Sample(token, digest(given())))

    def start(self) -> None:
        """Start checking, if any samples are taken."""
        if self._share > 0:
            self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; a round that is under way ends by itself."""
        self._stopping.set()

    def check_some(self) -> None:
        """Check some of the samples that wait."""
        samples = [self._waiting.pop() for _ in range(min(AT_ONCE, len(self._waiting)))]
        for outcome in self._check(samples) if samples else ():
            self._take_note(outcome)

    def shown(self) -> dict[str, Any]:
        """What has come of it so far, as JSON data."""
        counts = self._counts
        return {
            "share": self._share,
            "waiting": len(self._waiting),
            "same": counts.same,
            "different": counts.different,
            "not_made": counts.not_made,
            "why_not_made": counts.last_reason,
            "incidents": [asdict(incident) for incident in counts.incidents],
        }

    def _take_note(self, outcome: Outcome) -> None:
        counts = self._counts
        if outcome.why_not_made is not None:
            counts.not_made += 1
            counts.last_reason = outcome.why_not_made
        elif outcome.same:
            counts.same += 1
        else:
            counts.different += 1
            counts.incidents.append(Incident(outcome.token, self._clock().isoformat().replace("+00:00", "Z")))
            log.error(
                "An answer that was made again came out otherwise than it was given. Its receipt: `twofold receipt "
                "show %s`. Look at the lake with `twofold doctor`.",
                outcome.token,
            )

    def _run(self) -> None:
        while not self._stopping.wait(PAUSE_S):
            try:
                self.check_some()
            except TwofoldError as error:
                log.warning("Answers could not be made again. %s", error)
            except Exception:
                log.exception("Making answers again failed; trying again with the next")


def digest(given: MadeAgain) -> str:
    """The SHA-256 of rows and receipt, in hexadecimal."""
    return hashlib.sha256(b"\n".join(given)).hexdigest()


def check_with(remaker: Remaker, samples: Iterable[Sample]) -> Iterable[Outcome]:
    """Make samples again here, one after the other."""
    for sample in samples:
        try:
            again = remaker.make_again(sample.token)
        except TwofoldError as error:
            yield Outcome(sample.token, why_not_made=str(error))
        else:
            yield Outcome(sample.token, same=digest(again) == sample.sha256)
