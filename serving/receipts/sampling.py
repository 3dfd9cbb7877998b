"""Sampling: questions of chance to a serving API, about what it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from twofold.clock import to_epoch_us
from twofold.view import View

_TIMES_THE_GRAIN = (1, 5, 60)
_MOST_WINDOWS = 30
_LIVE_SHARE = 0.75
_RANGE_SHARE = 0.5


@dataclass(frozen=True)
class SampledQuestion:
    """A view and the parameters of a question to it."""

    view: str
    parameters: Mapping[str, str | int]

    def __str__(self) -> str:
        return f"{self.view}?{'&'.join(f'{name}={value}' for name, value in self.parameters.items())}"


def sample_questions(
    newest: Sequence[Mapping[str, str]], views: Mapping[str, View], count: int, random: Random
) -> Iterator[SampledQuestion]:
    """Questions about one market each, half by the newest windows and half by a range that ends near them.

    Args:
        newest: Rows of an answer by `last=1`: `venue`, `symbol` and `window_start` (RFC 3339) of each market.
        views: Those that are asked, at their grain, 5 times and 60 times that.
        count: How many questions.
        random: Decides; equal states give equal questions.
    """
    names = sorted(views)
    for _ in range(count):
        market, view = random.choice(newest), views[random.choice(names)]
        windows, interval = random.randint(1, _MOST_WINDOWS), view.window * random.choice(_TIMES_THE_GRAIN)
        parameters: dict[str, str | int] = {
            "venue": market["venue"],
            "symbol": market["symbol"],
            "interval": f"{interval // timedelta(seconds=1)}s",
            "base": "live" if random.random() < _LIVE_SHARE else "published",
        }
        if random.random() < _RANGE_SHARE:
            end = datetime.fromisoformat(market["window_start"]) + interval
            span = {"start": to_epoch_us(end - windows * interval) // 1000, "end": to_epoch_us(end) // 1000}
            yield SampledQuestion(view.name, parameters | span)
        else:
            yield SampledQuestion(view.name, parameters | {"last": windows})
