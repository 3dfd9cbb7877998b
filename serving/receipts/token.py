"""The token of a receipt: all that an answer is a function of, in letters that fit an address, signed.

It has three parts, with dots between: what the answers of one pair share, as JSON, compressed where it is long, in
base64url; the question, as JSON in base64url; and the signature of itsdangerous, an HMAC-SHA-256 over both. Equal
answers have equal tokens. The first part is made once for a pair, since most of the work is there.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.exc import BadData

from serving.answer import SHOWN_HASH
from serving.query import Query
from serving.state import State
from twofold.clock import to_epoch_us
from twofold.decoding import DECODER_HASH
from twofold.errors import ReceiptInvalid
from twofold.lane import Lane, Positions
from twofold.view import View

_PLAIN, _COMPRESSED = b"1j", b"1z"
"""What a token begins with: the version of its format, and how the first part is written."""

_LONG_BYTES = 600
_MOST_BYTES = 1024**2  # a token comes from anyone
_SALT = "twofold receipt"
_NOT_OURS = (
    "This is no receipt of this deployment: its signature does not fit. Look whether it was cut off or altered on its "
    "way. If it is old, the key that signed it may have been taken out of the file that TWOFOLD_RECEIPT_KEYS names."
)

_Topic = tuple[str, list[int | str], list[int | None], list[int | None]]
"""A topic's id, its lanes, and for each the cut, and how far the position is past that (past 0 without a cut).

A lane is its partition's number, or, where it followed another one, the end of its name.
"""


class Made(msgspec.Struct, array_like=True, frozen=True):
    """What answers of one pair are made of.

    Attributes:
        sequence: The publication's number.
        published_us: When it was published, UTC microseconds: a lake that went back may give a number again.
        decoder_hash: The beginning of the decoder's hash.
        sources_hash: Of what the speed worker was told of the sources; None without a speed side.
        lanes: Cut and positions.
        lost: What the speed worker could not read: lane, first offset, and the offset after the last.
        held: The number of the hold that was open; 0 without one, or without a speed side.
    """

    sequence: int
    published_us: int
    decoder_hash: str
    sources_hash: str | None
    lanes: list[_Topic]
    lost: list[tuple[str, int, int]]
    held: int = 0

    @property
    def cut(self) -> dict[str, int]:
        """The publication's cut."""
        return dict(sorted((lane, cut) for lane, cut, _ in self._by_lane() if cut is not None))

    @property
    def positions(self) -> dict[str, int]:
        """The answer's positions."""
        return dict(sorted((lane, (cut or 0) + ahead) for lane, cut, ahead in self._by_lane() if ahead is not None))

    def _by_lane(self) -> list[tuple[str, int | None, int | None]]:
        return [
            (f"{topic}/{lane}", cut, ahead)
            for topic, *columns in self.lanes
            for lane, cut, ahead in zip(*columns, strict=True)
        ]


class Asked(msgspec.Struct, array_like=True, frozen=True):
    """What was asked.

    Attributes:
        view_hash: The view's meaning.
        columns_hash: The order of the view's columns, which the meaning does not depend on, but the answer does.
        query: The question, in its canonical form.
    """

    view_hash: str
    columns_hash: str
    query: dict[str, Any]


class Contents(msgspec.Struct, frozen=True):
    """What a token holds."""

    made: Made
    asked: Asked


def contents(query: Query, state: State) -> Contents:
    """What the token of an answer holds."""
    return Contents(_made(state), _asked(query))


def columns_hash(view: View) -> str:
    """A short hash of the order in which a view's columns stand in its answers."""
    return hashlib.sha256(",".join([*view.keys, "", *view.columns]).encode()).hexdigest()[:8]


class TokenSigner:
    """Signs tokens and reads signed ones. Many may use it at once.

    Args:
        keys: the first signs, and all of them verify.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        newest_last = list(reversed(keys))
        self._signer = Signer(newest_last, salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha256)
        self._last: tuple[State, bytes] | None = None

    def sign(self, query: Query, state: State) -> str:
        """The token of an answer."""
        last = self._last
        if last is None or not _is_one(last[0], state):
            self._last = last = state, _written(_made(state))
        asked = base64_encode(msgspec.json.encode(_asked(query)))
        return self._signer.sign(b".".join([last[1], asked])).decode()

    def read(self, token: str) -> Contents:
        """What a token holds.

        Raises:
            ReceiptInvalid: none of the keys has signed it, or it is of another version.
        """
        try:
            signed = self._signer.unsign(token)
        except (BadSignature, UnicodeError):
            raise ReceiptInvalid(_NOT_OURS) from None
        signature = token.rpartition(".")[2]
        if base64_encode(base64_decode(signature)).decode() != signature:  # its last letter has bits to spare
            raise ReceiptInvalid(_NOT_OURS)
        return _read(signed)


def read_unverified(token: str) -> Contents:
    """What a token holds, whoever signed it.

    Raises:
        ReceiptInvalid: it is no token.
    """
    return _read(token.encode().rpartition(b".")[0])


def _is_one(state: State, other: State) -> bool:
    """Whether two states are of one pair."""
    is_one = state.publication is other.publication and state.positions is other.positions
    is_same_speed = state.lost is other.lost and state.sources_hash == other.sources_hash
    return is_one and is_same_speed and state.marks_held == other.marks_held


def _made(state: State) -> Made:
    publication = state.publication
    return Made(
        sequence=publication.sequence,
        published_us=to_epoch_us(publication.published_at),
        decoder_hash=(publication.decoder_hash or DECODER_HASH)[:SHOWN_HASH],
        sources_hash=state.sources_hash,
        lanes=_packed(publication.cut, state.positions),
        lost=list(state.lost),
        held=state.marks_held,
    )


def _asked(query: Query) -> Asked:
    return Asked(query.view.hash, columns_hash(query.view), query.canonical())


def _written(made: Made) -> bytes:
    plain = msgspec.json.encode(made)
    if len(plain) < _LONG_BYTES:
        return _PLAIN + base64_encode(plain)
    return _COMPRESSED + base64_encode(zlib.compress(plain))


def _read(signed: bytes) -> Contents:
    first, _, second = signed.partition(b".")
    try:
        asked = msgspec.json.decode(base64_decode(second), type=Asked)
        made = msgspec.json.decode(_plain(first), type=Made)
        _ = made.positions  # columns of unequal length raise here
    except (BadData, msgspec.DecodeError, ValueError, TypeError, zlib.error):
        raise ReceiptInvalid(
            "This is no receipt that can be read. Take the `token` of an answer's receipt, whole."
        ) from None
    return Contents(made, asked)


def _plain(first: bytes) -> bytes:
    kind, written = first[: len(_PLAIN)], base64_decode(first[len(_PLAIN) :])
    if kind == _COMPRESSED:
        return zlib.decompressobj().decompress(written, _MOST_BYTES)
    if kind == _PLAIN:
        return written
    raise ValueError(kind)


def _packed(cut: Positions, positions: Positions) -> list[_Topic]:
    topics: dict[str, list[Lane]] = defaultdict(list)
    for lane in sorted(map(Lane.parse, {**cut, **positions})):
        topics[lane.topic_id].append(lane)
    return [_packed_topic(topic, lanes, cut, positions) for topic, lanes in topics.items()]


def _packed_topic(topic: str, lanes: list[Lane], cut: Positions, positions: Positions) -> _Topic:
    ends: list[int | str] = [
        str(lane).removeprefix(f"{topic}/") if lane.succession else lane.partition for lane in lanes
    ]
    names = [str(lane) for lane in lanes]
    ahead = [positions[name] - cut.get(name, 0) if name in positions else None for name in names]
    return topic, ends, [cut.get(name) for name in names], ahead
