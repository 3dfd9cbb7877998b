"""The policy: who is let in. Where serving listens and what the settings say come together here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Network, ip_address

from starlette.datastructures import Headers

from serving.access.keys import ApiKey
from serving.access.known import KnownKeys
from serving.access.rates import Rates
from serving.access.session import Sessions

_SAME_NETWORK_BITS = 64
"""Of an IPv6 address, by which callers are told apart: whoever has one has as many below that as there are."""


@dataclass(frozen=True)
class Policy:
    """Who may ask, from where, and how much. Without anything said all may, from anywhere.

    Attributes:
        keys: The keys that are known; None where there are none, ever.
        sessions: Makes and reads the cookies of browsers; None where there are no keys.
        hosts: What the header Host may name while no key is needed; empty for anything.
        origins: Origins whose pages may read answers and open WebSockets, beside serving's own.
        rates: How many requests a caller may make; None for any number.
        most_streams: How many streams a caller may read at a time; None for any number.
        reading: How many streams each caller reads.
    """

    keys: KnownKeys | None = None
    sessions: Sessions | None = None
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    rates: Rates | None = None
    most_streams: int | None = None
    reading: Counter[str] = field(default_factory=Counter)

    @property
    def needs_key(self) -> bool:
        """Whether one needs a key."""
        return self.keys is not None and self.keys.needed

    @contextmanager
    def counting(self, caller: str) -> Iterator[None]:
        """Count a stream of a caller for as long as it lasts."""
        self.reading[caller] += 1
        try:
            yield
        finally:
            self.reading[caller] -= 1
            if not self.reading[caller]:
                del self.reading[caller]

    def still_takes(self, key: ApiKey) -> bool:
        """Whether a key is still one that is taken."""
        return self.keys is not None and self.keys.of_id(key.id) is not None

    def key_in(self, headers: Headers) -> ApiKey | None:
        """The key that a request bears in its header Authorization, if it is one that is taken."""
        text = bearer(headers)
        return None if text is None or self.keys is None else self.keys.find(text)

    def key_of(self, headers: Headers) -> ApiKey | None:
        """The key that a request bears, or that its session is of."""
        if bearer(headers) is not None or self.keys is None or self.sessions is None:
            return self.key_in(headers)
        return self.keys.of_id(self.sessions.key_id(headers.get("cookie", "")))


def bearer(headers: Headers) -> str | None:
    """What a request says to be its key (RFC 6750); None if it says nothing."""
    scheme, _, text = headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def peer(scope: Mapping[str, object]) -> str:
    """Whose connection it is: an address, of IPv6 the network."""
    client = scope.get("client")
    return _network(str(client[0])) if isinstance(client, list | tuple) and client else "unknown"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    if ":" not in address:
        return address
    try:
        return str(IPv6Network((address, _SAME_NETWORK_BITS), strict=False))
    except ValueError:
        return address
