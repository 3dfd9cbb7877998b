"""The gate: what it finds of trades and views, and that it lets ordinary markets pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from import_maker import import_file, take_in
from small_market import LANES, SmallMarket, time_us

from batch_layer.cycle import BatchCycle
from batch_layer.quality.conservation import Conservation
from batch_layer.quality.counts import KEPT, has_changed, with_count
from batch_layer.quality.gate import Gate
from batch_layer.quality.looking import Look
from batch_layer.quality.rules import NEAR_HIGH, NEAR_LOW, trade_rules, view_rules
from twofold.aggregates import Max, Min, Sum
from twofold.decoding import TRADE_SCHEMA, decode
from twofold.finish import FINISHED_TYPE, column
from twofold.fold import finished, fold
from twofold.lake import Lake, TableWriter
from twofold.lane import Positions
from twofold.publication import Publications, found_lake
from twofold.quality import CheckResult, Quality
from twofold.records import RecordReader
from twofold.source import SHIPPED_SOURCES
from twofold.sources.faults import FaultShares
from twofold.sources.simulation import simulate_market
from twofold.view import View
from twofold.views import VIEWS

CAPTURE = Path(__file__).parents[3].parent / "shared" / "data" / "binance-spot-trades-20240808-09.txt.gz"
NOW = datetime(2024, 8, 9, 10, 5, tzinfo=UTC)
NEAR = {NEAR_LOW: pl.lit(90.0), NEAR_HIGH: pl.lit(110.0)}


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    market = SmallMarket(tmp_path)
    for second in range(5):
        market.trade(f"10:00:0{second}", price=f"{100 + second}")
    return market


def trades(market: SmallMarket) -> pl.DataFrame:
    """The trades of the market's log."""
    return decode(market.log.open_reader({}).poll(0, 1_000), market.sources, "simulator").trades


def gated(market: SmallMarket, gate: Gate) -> BatchCycle:
    return BatchCycle(market.lake, market.log.open_reader, market.views, market.sources, "simulator", gate=gate)


def found(market: SmallMarket, gate: Gate | None = None) -> dict[tuple[str, str], CheckResult]:
    """What the checks of a cycle find."""
    cycle = gated(market, gate or Gate(clock=lambda: NOW))
    intake = cycle.ingest(1_000)
    quality = cycle.check(intake, cycle.fold(intake)).quality
    return {(each.check, each.table): each for each in quality.checks}


def test_every_check_passes_on_a_sound_cycle(market: SmallMarket) -> None:
    results = found(market)
    assert {each.outcome for each in results.values()} == {"passed"}
    assert {table for _, table in results} == {"trades", "views/bars", "views/taker_flow", "records"}
    assert ("vwap_within_low_and_high", "views/bars") in results
    assert ("high_not_below_low", "views/bars") in results


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("price_above_zero", {"price": pl.lit("0").cast(pl.Decimal(18, 8))}),
        ("size_above_zero", {"size": pl.lit("-1").cast(pl.Decimal(18, 8))}),
        ("notional_above_zero", {"notional": pl.lit("0").cast(pl.Decimal(38, 16))}),
        ("side_known", {"side": pl.lit("hold")}),
        ("times_in_order", {"arrival_time": pl.col("event_time") - pl.duration(microseconds=1)}),
        ("price_near_published", {"price": pl.lit("1101").cast(pl.Decimal(18, 8))}),
        ("price_near_published", {"price": pl.lit("8.9").cast(pl.Decimal(18, 8))}),
    ],
)
def test_a_trade_that_breaks_a_rule_is_found(market: SmallMarket, rule: str, change: dict[str, pl.Expr]) -> None:
    near = NEAR if rule == "price_near_published" else dict.fromkeys(NEAR, pl.lit(None, pl.Float64))
    rows = trades(market).with_columns(**near)
    is_second = pl.int_range(pl.len()) == 1
    broken = rows.with_columns(pl.when(is_second).then(to).otherwise(name).alias(name) for name, to in change.items())
    look = Look(TRADE_SCHEMA, {"trade_key"}, trade_rules(10.0))
    assert look.at(broken)["offset"].to_list() == [1]
    assert look.broken.pop(rule) == 1
    assert set(look.broken.values()) == {0}


def test_a_price_at_the_edge_and_one_without_a_published_one_pass(market: SmallMarket) -> None:
    look = Look(TRADE_SCHEMA, {"trade_key"}, trade_rules(10.0))
    at_edge = trades(market).with_columns(price=pl.lit("1100").cast(pl.Decimal(18, 8)), **NEAR)
    unknown = trades(market).with_columns(**dict.fromkeys(NEAR, pl.lit(None, pl.Float64)))
    assert look.at(at_edge).is_empty()
    assert look.at(unknown).is_empty()


@pytest.mark.parametrize(
    "change", [{"price": pl.col("price").cast(pl.Float64)}, {"symbol": pl.lit(None, pl.String)}, {"lane": pl.lit(7)}]
)
def test_another_type_and_a_null_are_found(market: SmallMarket, change: dict[str, pl.Expr]) -> None:
    look = Look(TRADE_SCHEMA, {"trade_key"}, trade_rules(10.0))
    look.at(trades(market).with_columns(**NEAR).with_columns(**change))
    assert look.mistyped


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("high_not_below_low", {"high": pl.col("low") - pl.col("low")}),
        ("open_within_low_and_high", {"open": pl.col("high") + pl.col("high")}),
        ("close_within_low_and_high", {"close": pl.col("low") - pl.col("low")}),
        ("vwap_within_low_and_high", {"vwap": pl.col("vwap") + pl.col("vwap")}),
        ("revisions_counted", {"revisions": pl.lit(-1, pl.Int64)}),
        ("window_on_grain", {"window_start": pl.col("window_start") + pl.duration(seconds=1)}),
    ],
)
def test_a_partial_that_breaks_a_rule_is_found(market: SmallMarket, rule: str, change: dict[str, pl.Expr]) -> None:
    bars = VIEWS["bars"]
    rows = finished(bars, fold([bars], trades(market))["bars"])
    types = pl.Schema({**bars.partial_schema, **dict.fromkeys(bars.finished, FINISHED_TYPE)})
    look = Look(types, (), view_rules(bars))
    assert look.at(rows).is_empty()
    look.at(rows.with_columns(expression.cast(rows.schema[name]).alias(name) for name, expression in change.items()))
    assert look.broken[rule] == 1


def test_the_rules_of_a_view_follow_from_its_definition() -> None:
    about = {"side": "buy"}
    aggregates = {"dear": Max("price", about), "cheap": Min("price", about), "all": Max("price")}
    sums = {"paid": Sum("notional", about), "got": Sum("size", about)}
    view = View("mine", timedelta(minutes=1), {**aggregates, **sums}, {"mean": column("paid") / column("got")})
    assert {rule.name for rule in view_rules(view)} == {
        "window_on_grain",
        "revisions_counted",
        "dear_not_below_cheap",
        "mean_within_cheap_and_dear",
    }


def test_a_view_that_lost_volume_is_found(market: SmallMarket) -> None:
    cycle = gated(market, Gate(clock=lambda: NOW))
    intake = cycle.ingest(1_000)
    folded = cycle.fold(intake)
    writer = TableWriter(market.lake, next(e for e in cycle._editions if e.name == "bars").spec)
    rows = writer.rows().collect()
    writer.replace(rows.with_columns(pl.col("volume") - pl.lit("0.00000001").cast(rows.schema["volume"])))
    tables = {**folded.tables, "views/bars": writer.version}
    failed = cycle.check(intake, replace(folded, tables=tables)).quality.failed
    assert [(each.check, each.table) for each in failed] == [("conserved", "views/bars")]
    assert "volume is 4.99999999 in the view and 5.00000000 in the trades" in failed[0].detail


def test_sums_of_many_digits_are_compared_to_the_last() -> None:
    view, digits = VIEWS["bars"], "9999999999999999999999.0000000000000001"
    sums = Conservation(view)
    schema = {name: view.partial_schema[name] for name in sums.columns}
    one = pl.DataFrame({"volume": ["1"], "notional": [digits], "trades": [1]}).select(
        pl.col(name).cast(dtype) for name, dtype in schema.items()
    )
    sums.of_partials(one, 1)
    sums.of_partials(one.with_columns(notional=pl.lit("9999999999999999999999").cast(schema["notional"])), -1)
    assert sums.differing() == ["notional is 0.0000000000000001 in the view and 0 in the trades"]


def test_conservation_holds_when_a_day_is_rewritten(market: SmallMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch_layer.partials.FILES_PER_DAY", 2)
    for second in range(10, 15):
        cycle = gated(market, Gate(clock=lambda: NOW))
        intake = cycle.ingest(1_000)
        cycle.publish(intake, cycle.fold(intake))
        market.trade(f"10:00:{second}")
    assert Publications(market.lake).newest().quality.failed == ()


def test_missing_ids_and_old_records_warn_and_hold_nothing(market: SmallMarket) -> None:
    market.trade("10:00:09", trade_id=99)
    results = found(market, Gate(clock=lambda: NOW + timedelta(hours=1)))
    warned = {name: each.outcome for (name, _), each in results.items() if each.outcome != "passed"}
    assert warned == {"ids_without_gaps": "warned", "freshness": "warned"}
    assert results["ids_without_gaps", "records"].failed == 93


def test_a_count_that_has_become_another_is_told_and_one_that_sways_is_not() -> None:
    steady = [1_000 + 50 * (place % 3) for place in range(64)]
    assert not any(has_changed(steady[:end]) for end in range(64))
    changed = [*steady, *([20] * 12)]
    assert any(has_changed(changed[:end]) for end in range(64, 77))
    counts: tuple[int, ...] = ()
    for count in range(KEPT + 5):
        counts = with_count(counts, count)
    assert (counts[0], counts[-1], len(counts)) == (5, KEPT + 4, KEPT)


def test_what_was_found_is_read_as_it_was_written() -> None:
    quality = Quality((CheckResult("types", "trades"), CheckResult("freshness", "records", "warned", 0, "old")), (3, 4))
    assert Quality.from_json(quality.to_json()) == quality


@pytest.mark.skipif(not CAPTURE.exists(), reason="the capture is not beside the project")
def test_a_captured_market_passes(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    found_lake(lake)
    cycle_of = partial(BatchCycle, lake, _no_reader, VIEWS, SHIPPED_SOURCES, "simulator", gate=Gate())
    taken = take_in(import_file(CAPTURE), lake, cycle_of, 2_000)
    assert len(taken) > 3
    assert Publications(lake).newest().quality.failed == ()


def test_a_simulated_market_passes_with_all_its_faults(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    faults = FaultShares(late=0.05, repeated=0.05, missing=0.01, broken=0.01, conflicting=0.01)
    start_us = time_us("10:00:00")
    messages = simulate_market(
        rate=200, symbols=20, seed=7, start_us=start_us, shares=faults, headers=[("source", b"simulator")], count=6_000
    )
    for number, (due_s, message) in enumerate(messages):
        logged_ms = start_us // 1000 + round(due_s * 1000)
        market.log.append(LANES[number % 2], message.value, timestamp_ms=logged_ms, key=message.key)
    for _ in range(6):
        cycle = gated(market, Gate())
        intake = cycle.ingest(1_000)
        cycle.publish(intake, cycle.fold(intake))
    published = Publications(market.lake).newest()
    assert published.sequence == 6
    assert published.quality.counts == (1_000,) * 6


def _no_reader(start: Positions) -> RecordReader:
    raise AssertionError(f"An import reads no log, which was to be read from {dict(start)}.")
