"""Rates: how many requests a caller may make, by a token bucket for each.

The bucket is the one number of the generic cell rate algorithm (ITU-T I.371): the time at which it would be full again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import monotonic

MOST_CALLERS = 10_000
"""Buckets that are kept; those go first that were used the longest time ago, and are full again by then."""

BURST_S = 2.0
"""How many seconds' worth of requests a caller may make at once that made none before."""


class Rates:
    """The buckets of all callers.

    Args:
        per_s: requests a second that one may make in the long run.
        now_s: a clock in seconds that never goes back.
    """

    def __init__(self, per_s: float, now_s: Callable[[], float] = monotonic) -> None:
        self._cost_s = 1 / per_s
        self._burst = max(1, int(per_s * BURST_S))
        self._slack_s = (self._burst - 1) * self._cost_s + 1e-9  # so that no rounding takes one away
        self._now_s = now_s
        self._full_at_s: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """Count a request, unless it is one too many: then for how many seconds to wait, else 0."""
        now_s = self._now_s()
        full_at_s = max(self._full_at_s.get(caller, now_s), now_s)
        wait_s = full_at_s - now_s - self._slack_s
        if wait_s > 0:
            return wait_s
        self._full_at_s[caller] = full_at_s + self._cost_s
        self._full_at_s.move_to_end(caller)
        if len(self._full_at_s) > MOST_CALLERS:
            self._full_at_s.popitem(last=False)
        return 0.0

    def headers(self, wait_s: float) -> dict[str, str]:
        """What a refusal tells (draft-ietf-httpapi-ratelimit-headers-10, and Retry-After of RFC 9110)."""
        seconds = max(1, ceil(wait_s))
        policy = f'"requests";q={self._burst};w={ceil(self._burst * self._cost_s)}'
        return {"Retry-After": str(seconds), "RateLimit-Policy": policy, "RateLimit": f'"requests";r=0;t={seconds}'}
