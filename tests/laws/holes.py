"""A market that leaves ids out, and sends some of them later, whole or broken, in the same or another lane."""

from __future__ import annotations

from hypothesis import strategies as st
from laws.market import Sending

SYMBOLS = ("BTCUSDT", "ETHUSDT")


@st.composite
def scripts_with_holes(draw: st.DrawFn, *, turns: int = 6, records: int = 9) -> list[list[Sending]]:
    """What is sent in each turn: ids go on mostly, are left out often, and come late now and then."""
    next_id = dict.fromkeys(SYMBOLS, 100)
    left_out: list[tuple[str, int]] = []
    script = []
    for _ in range(turns):
        turn = []
        for _ in range(records):
            what = draw(st.sampled_from(["next", "next", "next", "skip", "fill", "fill", "broken"]))
            symbol = draw(st.sampled_from(SYMBOLS))
            if what in ("fill", "broken") and left_out:
                symbol, trade_id = draw(st.sampled_from(left_out))
            else:
                skipped = draw(st.integers(1, 3)) if what == "skip" else 0
                left_out += [(symbol, next_id[symbol] + number) for number in range(skipped)]
                trade_id = next_id[symbol] + skipped
                next_id[symbol] = trade_id + 1
            turn.append(
                Sending(
                    lane=draw(st.integers(0, 2)),
                    gap_ms=draw(st.sampled_from([500, 5_000, 20_000])),
                    symbol=symbol,
                    trade_id=trade_id,
                    late_us=draw(st.sampled_from([0, 0, 0, 30_000_000, 90_000_000])),
                    broken=what == "broken",
                )
            )
        script.append(turn)
    return script
