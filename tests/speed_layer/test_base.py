from pathlib import Path

import pytest
from small_market import LANES, SmallMarket

from speed_layer.base import load_base
from twofold.decoding import DECODER_HASH
from twofold.errors import DecoderDiffers, LakeUnreachable
from twofold.publication import GENESIS
from twofold.source import SHIPPED_SOURCES


def test_a_base_is_the_cut_and_the_ledger_of_a_publication(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    for trade_id in (3, 4, 9):
        market.trade("10:00:00", trade_id=trade_id)
    first = market.cycle()
    market.trade("10:00:01", trade_id=5, lane=1)
    second = market.cycle()
    base = load_base(market.lake, second, SHIPPED_SOURCES)
    assert (base.sequence, base.cut) == (2, {LANES[0]: 3, LANES[1]: 1})
    assert base.ledger.frame.select("first_id", "last_id").rows() == [(3, 5), (9, 9)]
    before = load_base(market.lake, first, SHIPPED_SOURCES)
    assert before.ledger.frame.select("first_id", "last_id").rows() == [(3, 4), (9, 9)]


def test_before_the_first_publication_the_base_is_empty(tmp_path: Path) -> None:
    base = load_base(SmallMarket(tmp_path).lake, GENESIS, SHIPPED_SOURCES)
    assert (base.sequence, dict(base.cut), base.ledger.frame.height) == (0, {}, 0)


def test_a_ledger_of_no_trades_is_empty(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.poison()
    assert load_base(market.lake, market.cycle(), SHIPPED_SOURCES).ledger.frame.is_empty()


def test_a_ledger_that_cannot_be_read_makes_the_lake_unreachable(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    market.trade("10:00:00")
    publication = market.cycle()
    for file in Path(market.lake.root, "ledger").glob("*.parquet"):
        file.unlink()
    with pytest.raises(LakeUnreachable, match="'ledger'"):
        load_base(market.lake, publication, SHIPPED_SOURCES)


def test_a_base_that_another_decoder_made_is_refused_and_both_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = SmallMarket(tmp_path)
    monkeypatch.setattr("batch_layer.cycle.DECODER_HASH", "0ther" * 10)
    publication = market.cycle()
    with pytest.raises(DecoderDiffers, match=f"Publication 1 .*0ther.*{DECODER_HASH[:12]}.*one version of Twofold"):
        load_base(market.lake, publication, SHIPPED_SOURCES)
