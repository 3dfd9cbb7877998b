"""Whole ends of day, over a real lake."""

import math
import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from long_market import LAST_DAY, LongMarket

from batch_layer.end_of_day.figures import END_OF_DAY, keep
from batch_layer.end_of_day.making import Asked, EndOfDay, make_end_of_day
from batch_layer.end_of_day.positions import Position
from batch_layer.end_of_day.report import write_report
from twofold.errors import UnknownName
from twofold.lane import positions_from_json

VENUE = "simulator"
HELD = (Position((VENUE, "BTCUSDT"), Decimal("2.5")), Position((VENUE, "ETHUSDT"), Decimal(-10)))


def prices(seed: int, start: float) -> list[str]:
    """A walk of 61 days."""
    walk, chance = [start], random.Random(seed)
    for _ in range(60):
        walk.append(walk[-1] * math.exp(chance.gauss(0, 0.03)))
    return [f"{price:.2f}" for price in walk]


BTC, ETH = prices(1, 60_000), prices(2, 2_500)


@pytest.fixture
def market(tmp_path: Path) -> LongMarket:
    """61 days of two symbols, all published, and the day after has begun."""
    market = LongMarket(tmp_path)
    market.history(BTC)
    market.history(ETH, symbol="ETHUSDT")
    market.next_day()
    market.cycle()
    return market


def figure(made: EndOfDay, name: str, symbol: str = "") -> Decimal | float | None:
    """A figure of one market, or of all positions."""
    row = made.table.filter((pl.col("figure") == name) & (pl.col("symbol") == symbol))
    assert row.height == 1, f"{row.height} figures {name!r} of {symbol!r}"
    value: Decimal | float | None = row["amount"].item() if row["statistic"].item() is None else row["statistic"].item()
    return value


def test_daily_bars_are_exact(tmp_path: Path) -> None:
    market = LongMarket(tmp_path)
    for clock, price, size in (("00:00:00", "10", "1"), ("13:07:00", "30", "0.5"), ("23:59:59.999999", "20", "0.1")):
        market.on(LAST_DAY, clock, price, size=size)
    market.on(LAST_DAY + timedelta(days=1), "00:00:00", "99")
    market.on(LAST_DAY - timedelta(days=1), "23:59:59.999999", "98")
    market.cycle()
    made = make_end_of_day(market.lake, Asked(LAST_DAY))
    wanted = {"open": "10", "high": "30", "low": "10", "close": "20", "volume": "1.6", "notional": "27", "trades": "3"}
    for name, value in wanted.items():
        assert figure(made, name, "BTCUSDT") == Decimal(value)
    assert figure(made, "vwap", "BTCUSDT") == Decimal("16.875")
    assert made.losses == {}


def test_risk_is_that_of_the_days_before(market: LongMarket) -> None:
    made = make_end_of_day(market.lake, Asked(LAST_DAY, positions=HELD))
    btc, eth = [float(price) for price in BTC], [float(price) for price in ETH]
    losses = sorted(
        -2.5 * btc[-1] * (btc[day] / btc[day - 1] - 1) + 10 * eth[-1] * (eth[day] / eth[day - 1] - 1)
        for day in range(1, 61)
    )
    assert figure(made, "value at risk, historical 95%") == pytest.approx(losses[-4])
    assert figure(made, "expected shortfall, historical 95%") == pytest.approx(sum(losses[-3:]) / 3)
    assert figure(made, "value at risk, historical 99%") == pytest.approx(losses[-1])
    assert figure(made, "value at risk, Monte Carlo 95%") == pytest.approx(losses[-4], rel=0.5)


def test_values_and_stress_are_exact(market: LongMarket) -> None:
    made = make_end_of_day(market.lake, Asked(LAST_DAY, positions=HELD))
    value = Decimal("2.5") * Decimal(BTC[-1]) - 10 * Decimal(ETH[-1])
    assert figure(made, "value") == value
    assert figure(made, "stress: all prices -30%") == value * Decimal("-0.3")
    assert figure(made, "value", "BTCUSDT") == Decimal("2.5") * Decimal(BTC[-1])


def test_with_too_little_history_risk_is_left_open_and_the_rest_is_told(tmp_path: Path) -> None:
    market = LongMarket(tmp_path)
    market.history(["100"] * 20)
    market.cycle()
    made = make_end_of_day(market.lake, Asked(LAST_DAY, positions=(Position((VENUE, "BTCUSDT"), Decimal(1)),)))
    assert figure(made, "value at risk, historical 95%") is None
    assert figure(made, "value") == 100


def test_each_figure_bears_the_publication_that_it_was_made_of(market: LongMarket) -> None:
    market.on(LAST_DAY, "12:00:01", "1")
    second = market.cycle()
    first, newest = (make_end_of_day(market.lake, Asked(LAST_DAY), sequence) for sequence in (1, None))
    assert (first.origin.publication.sequence, newest.origin.publication) == (1, second)
    assert set(newest.table["sequence"]) == {2}
    assert {tuple(positions_from_json(cut).items()) for cut in newest.table["cut"]} == {tuple(second.cut.items())}
    assert figure(first, "close", "BTCUSDT") == Decimal(BTC[-1])
    assert figure(newest, "close", "BTCUSDT") == 1


def test_figures_are_closed_once_the_watermark_has_passed_the_day(market: LongMarket) -> None:
    assert set(make_end_of_day(market.lake, Asked(LAST_DAY)).table["finality"]) == {"closed"}
    today = make_end_of_day(market.lake, Asked(LAST_DAY + timedelta(days=1)))
    assert set(today.table["finality"]) == {"provisional"}


def test_a_day_made_again_from_its_publication_has_the_same_bytes(market: LongMarket, tmp_path: Path) -> None:
    asked = Asked(LAST_DAY, positions=HELD)
    first = make_end_of_day(market.lake, asked, 1)
    keep(market.lake, first.table)
    data = data_files(market)
    reports = [path.read_bytes() for path in write_report(first, tmp_path / "reports")]
    for path in (tmp_path / "lake" / END_OF_DAY.name).rglob("*.parquet"):
        path.unlink()
    (tmp_path / "lake" / END_OF_DAY.name).rename(tmp_path / "gone")
    market.on(LAST_DAY, "12:00:01", "1")
    market.cycle()

    again = make_end_of_day(market.lake, asked, 1)
    assert again.table.equals(first.table)
    keep(market.lake, again.table)
    assert data_files(market) == data
    assert [path.read_bytes() for path in write_report(again, tmp_path / "reports again")] == reports


def test_a_run_is_kept_once_and_another_beside_it(market: LongMarket) -> None:
    for positions in (HELD, HELD, HELD[:1]):
        keep(market.lake, make_end_of_day(market.lake, Asked(LAST_DAY, positions=positions)).table)
    kept = pl.read_delta(market.lake.address(END_OF_DAY.name))
    assert kept["run"].n_unique() == 2
    assert kept.select("run", "venue", "symbol", "figure").is_unique().all()


def test_only_the_symbols_asked_for_and_what_is_held_are_looked_at(market: LongMarket) -> None:
    market.history(["1"], symbol="OTHER")
    market.cycle()
    made = make_end_of_day(market.lake, Asked(LAST_DAY, ("OTHER",), HELD[:1]))
    assert set(made.table["symbol"]) == {"", "OTHER", "BTCUSDT"}


def test_what_does_not_exist_is_named_with_what_does(market: LongMarket) -> None:
    with pytest.raises(UnknownName, match="2024-08-10"):
        make_end_of_day(market.lake, Asked(date(2023, 1, 1)))
    with pytest.raises(UnknownName, match="simulator ETHUSDT"):
        make_end_of_day(market.lake, Asked(LAST_DAY, positions=(Position((VENUE, "ETHUSD"), Decimal(1)),)))
    with pytest.raises(UnknownName, match="publication '7'"):
        make_end_of_day(market.lake, Asked(LAST_DAY), 7)


def test_the_report_names_publication_and_cut_and_shows_every_figure(market: LongMarket, tmp_path: Path) -> None:
    made = make_end_of_day(market.lake, Asked(LAST_DAY, positions=HELD))
    html, pdf = write_report(made, tmp_path / "reports")
    page = html.read_text(encoding="utf-8")
    for lane, offset in made.origin.publication.cut.items():
        assert f"<td>{lane}</td><td>{offset}</td>" in page
    assert "made of publication 1," in page
    assert all(f"<td>{name}</td>" in page for name in made.table["figure"])
    assert page.count("<svg") == 5
    assert pdf.read_bytes().startswith(b"%PDF-")


def data_files(market: LongMarket) -> list[bytes]:
    """What the data files of the table hold."""
    return sorted(path.read_bytes() for path in Path(market.lake.address(END_OF_DAY.name)).rglob("*.parquet"))
