"""Tokens: what they hold, that they are the same for the same answer, and that no other passes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.batch_side import BatchSide
from serving.query import Query
from serving.receipts.token import Made, TokenSigner, columns_hash, contents, read_unverified
from serving.seam import Pair
from serving.speed_side import SpeedSide
from serving.state import State
from twofold.decoding import DECODER_HASH
from twofold.errors import ReceiptInvalid
from twofold.publication import Publication
from twofold.speed_state import SpeedHeader
from twofold.view import View
from twofold.views import VIEWS

KEY, OTHER = "k" * 40, "o" * 40
TOPIC = "9a1e6a52-7d0c-4c6b-b5a3-3d1f0e5c2b11"
QUERY = Query(VIEWS["bars"], 60_000_000, symbol="BTCUSDT", start_us=1_723_161_600_000_000, last=100)
AT = datetime(2024, 8, 9, 12, 30, 0, 1, tzinfo=UTC)


def state_of(
    cut: dict[str, int], positions: dict[str, int] | None, lost: list[tuple[str, int, int]] | None = None
) -> State:
    publication = Publication(7, AT, cut, decoder_hash=DECODER_HASH)
    header = SpeedHeader(
        sequence=7,
        incarnation="",
        version=1,
        whole=True,
        state="live",
        positions=positions or {},
        ends={},
        accounts="{}",
        newest_event_us=None,
        lost=lost or [],
        sources_hash="5" * 16,
        views=[],
        held=[],
    )
    return State.of(Pair(BatchSide(publication), None if positions is None else SpeedSide(header)))


def lanes_of(count: int, first: int = 0) -> dict[str, int]:
    return {f"{TOPIC}/{number}": first + number * 7_919_317 % 99_999_989 for number in range(count)}


LANES = [*lanes_of(12), f"{TOPIC}/3~1", f"{TOPIC}/3~2", f"{TOPIC}/11~10"]
"""Some of which followed others in the same partition."""

SOME = state_of(lanes_of(4), lanes_of(4, 55), [(f"{TOPIC}/1", 7_919_317, 7_919_320)])


def altered(token: str) -> list[str]:
    """The token with one letter changed, at every place, and cut off at every place."""
    changed = [
        token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :] for place, letter in enumerate(token)
    ]
    return [*changed, *(token[:place] for place in range(len(token))), f"{token}A", f"{token}.", f".{token}"]


@given(
    cut=st.dictionaries(st.sampled_from([*LANES, "imported/0"]), st.integers(0, 2**62)),
    positions=st.none() | st.dictionaries(st.sampled_from(LANES), st.integers(0, 2**62)),
)
def test_a_token_holds_cut_and_positions_of_whatever_lanes(
    cut: dict[str, int], positions: dict[str, int] | None
) -> None:
    held = TokenSigner([KEY]).read(TokenSigner([KEY]).sign(QUERY, state_of(cut, positions)))
    assert held.made.cut == cut
    assert held.made.positions == (cut if positions is None else positions)
    assert held.asked.query == QUERY.canonical()


def test_a_token_holds_all_that_an_answer_is_a_function_of() -> None:
    token = TokenSigner([KEY]).sign(QUERY, SOME)
    held = read_unverified(token)
    assert held == contents(QUERY, SOME)
    assert (held.made.sequence, held.made.published_us) == (7, 1_723_206_600_000_001)
    assert held.made.lost == [(f"{TOPIC}/1", 7_919_317, 7_919_320)]
    assert (held.made.decoder_hash, held.made.sources_hash) == (DECODER_HASH[:16], "5" * 16)
    assert held.asked.view_hash == VIEWS["bars"].hash


def test_equal_answers_have_equal_tokens_whoever_signs_and_in_whatever_order_lanes_stand() -> None:
    cut, positions = (dict(reversed(lanes.items())) for lanes in (lanes_of(4), lanes_of(4, 55)))
    turned = state_of(cut, positions, [(f"{TOPIC}/1", 7_919_317, 7_919_320)])
    assert TokenSigner([KEY]).sign(QUERY, turned) == TokenSigner([KEY, OTHER]).sign(QUERY, SOME)


def test_the_first_part_is_made_anew_for_another_pair() -> None:
    signer = TokenSigner([KEY])
    first, other = signer.sign(QUERY, SOME), signer.sign(QUERY, state_of(lanes_of(4), lanes_of(4, 56)))
    assert signer.read(first).made != signer.read(other).made
    assert signer.sign(QUERY, SOME) == first


@pytest.mark.parametrize("lanes", [1, 4, 400])
def test_a_token_fits_an_address(lanes: int) -> None:
    token = TokenSigner([KEY]).sign(QUERY, state_of(lanes_of(lanes), lanes_of(lanes, 4_000)))
    assert len(token) < 500 + 16 * lanes
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert TokenSigner([KEY]).read(token).made.positions == lanes_of(lanes, 4_000)


@pytest.mark.parametrize("lanes", [1, 40])
def test_a_token_that_was_altered_or_cut_off_anywhere_is_refused(lanes: int) -> None:
    signer = TokenSigner([KEY])
    for wrong in altered(signer.sign(QUERY, state_of(lanes_of(lanes), lanes_of(lanes, 5)))):
        with pytest.raises(ReceiptInvalid):
            signer.read(wrong)


def test_each_key_verifies_and_a_key_that_is_not_known_does_not() -> None:
    token = TokenSigner([KEY]).sign(QUERY, SOME)
    rotated = TokenSigner([OTHER, KEY])
    assert rotated.read(token) == contents(QUERY, SOME)
    assert rotated.sign(QUERY, SOME) == TokenSigner([OTHER]).sign(QUERY, SOME) != token
    with pytest.raises(ReceiptInvalid, match="does not fit"):
        TokenSigner([OTHER]).read(token)


def test_a_refusal_tells_no_key() -> None:
    with pytest.raises(ReceiptInvalid) as refused:
        TokenSigner([KEY]).read("1jx.y.z")
    assert KEY not in f"{refused.value!r} {refused.value.__cause__!r} {refused.value.__context__!r}"


@pytest.mark.parametrize("text", ["", ".", "..", "1j.x.y", "1z.e30.x", "2jW10.W10.x", "1jW10.W10.x", "é.é.é"])
def test_what_is_no_token_is_refused_also_unverified(text: str) -> None:
    with pytest.raises(ReceiptInvalid):
        read_unverified(text)
    with pytest.raises(ReceiptInvalid):
        TokenSigner([KEY]).read(text)


def test_columns_of_unequal_length_are_refused() -> None:
    uneven = Made(1, 0, "", None, [(TOPIC, [0, 1], [5], [0, 0])], [])
    with pytest.raises(ValueError, match="argument"):
        _ = uneven.positions


def test_the_order_of_columns_has_a_hash_which_the_meaning_has_not() -> None:
    bars = VIEWS["bars"]
    turned = View(bars.name, bars.window, dict(reversed(bars.aggregates.items())), bars.finished)
    assert turned.hash == bars.hash
    assert columns_hash(turned) != columns_hash(bars)
