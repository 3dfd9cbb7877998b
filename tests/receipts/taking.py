"""Taking answers: asked at random instants, and remembered by token and hash."""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import orjson
from smoke.questions import Question, questions

_PUBLISHED_SHARE = 0.2


@dataclass(frozen=True)
class Taken:
    """An answer: its token, the hash of its rows and receipt as they stood in it, and what kind it was."""

    token: str
    sha256: str
    sequence: int
    kind: str


class Taker:
    """Asks one serving API, for as long as it is told to."""

    def __init__(self, client: httpx.Client, symbols: list[str], events_ms: tuple[int, int], seed: int) -> None:
        self.taken: list[Taken] = []
        self.refused: Counter[str] = Counter()
        self._client = client
        self._random = random.Random(seed)
        self._questions = questions(symbols, events_ms, seed)

    @property
    def publications(self) -> int:
        """Of how many publications the answers are."""
        return len({each.sequence for each in self.taken})

    def take(self, until: int, seconds: float) -> None:
        """Take answers at random instants of so many seconds, until there are so many; late ones follow at once."""
        pace_s = seconds / max(until - len(self.taken), 1)
        due_s = time.monotonic()
        while len(self.taken) < until:
            due_s += self._random.expovariate(1 / pace_s)
            time.sleep(max(0.0, due_s - time.monotonic()))
            self._ask(next(self._questions))

    def _ask(self, question: Question) -> None:
        parameters: dict[str, str | int] = dict(question.parameters())
        if self._random.random() < _PUBLISHED_SHARE:
            parameters["base"] = "published"
        try:
            response = self._client.get(f"/v1/views/{question.view}", params=parameters)
        except httpx.HTTPError as error:
            self.refused[type(error).__name__] += 1
            return
        if not response.is_success:
            self.refused[str(response.status_code)] += 1
            return
        answer = orjson.loads(response.content)
        begin, end = response.content.index(b'"rows":'), response.content.rindex(b',"freshness":')
        self.taken.append(
            Taken(
                answer["receipt"]["token"],
                hashlib.sha256(b"{%b}" % response.content[begin:end]).hexdigest(),
                answer["receipt"]["sequence"],
                answer["freshness"]["speed"],
            )
        )


def again(client: httpx.Client, taken: Taken) -> str | None:
    """Make an answer again; what is wrong, if anything is."""
    response = client.get(f"/v1/receipts/{taken.token}")
    if not response.is_success:
        return f"{response.status_code} {response.text}"
    same = hashlib.sha256(response.content).hexdigest() == taken.sha256
    return None if same else "it came out otherwise"


def kinds(taken: list[Taken]) -> Iterator[str]:
    """How many answers there were of each kind."""
    for kind, count in Counter(each.kind for each in taken).most_common():
        yield f"{count:,} {kind.replace('_', ' ')}"
