from __future__ import annotations

from typing import Any

import pytest
from record_maker import EVENT_US, LOGGED_MS, SOURCES, Headers, batch, binance, canonical, refusal_among_good

from twofold.decoding import Reason, decode
from twofold.source import Source


def collected(time: bytes | None) -> Headers:
    return (("source", b"collected"), ("collected_us", time))


def arrivals_us(headers: Headers, source: str = "plain") -> list[int]:
    decoded = decode([batch([canonical()], headers=[headers])], SOURCES, source)
    assert decoded.rejected.is_empty()
    return decoded.trades["arrival_time"].to_physical().to_list()


def test_a_record_without_headers_is_of_the_default_source() -> None:
    decoded = decode([batch([canonical()])], SOURCES, "collected")
    assert decoded.trades["venue"].to_list() == ["gathered"]


def test_each_record_is_of_the_source_that_its_header_names() -> None:
    headers: list[Headers] = [(("source", b"binance-spot"),), (), (("other", b"x"), ("source", b"collected"))]
    decoded = decode([batch([binance(), canonical(), canonical()], headers=headers)], SOURCES, "plain")
    assert decoded.trades["venue"].to_list() == ["binance", "testing", "gathered"]
    assert decoded.trades["offset"].to_list() == [100, 101, 102]


def test_of_a_repeated_source_header_the_last_counts() -> None:
    decoded = decode([batch([canonical()], headers=[(("source", b"x"), ("source", b"plain"))])], SOURCES, "x")
    assert decoded.trades["venue"].to_list() == ["testing"]


@pytest.mark.parametrize("name", [b"elsewhere", b"", b"\xff", None])
def test_an_unknown_source_becomes_a_dead_letter_that_names_the_known(name: bytes | None) -> None:
    reason, detail = refusal_among_good(canonical(), headers=(("source", name), ("trace", b"\x00\xff")))
    assert reason is Reason.UNKNOWN_SOURCE
    assert "Known: binance-spot, collected, keyed, plain." in detail


def test_a_dead_letter_carries_the_source_that_the_header_names() -> None:
    headers: list[Headers] = [(("source", b"elsewhere"),), ()]
    decoded = decode([batch([canonical(), b"{"], headers=headers)], SOURCES, "plain")
    assert decoded.rejected["source"].to_list() == ["elsewhere", "plain"]


def test_an_undeclared_default_source_makes_dead_letters() -> None:
    decoded = decode([batch([canonical()] * 2)], SOURCES, "nowhere")
    assert decoded.rejected["reason"].to_list() == [Reason.UNKNOWN_SOURCE] * 2


def test_an_unknown_wire_format_becomes_a_dead_letter_that_names_the_known() -> None:
    undecoded: dict[str, Any] = {"wire_format": "avro"}
    future = Source.model_construct(venue="new", ids="unique", collected_header=None, **undecoded)
    reason, detail = refusal_among_good(
        canonical(), headers=(("source", b"future"),), sources={**SOURCES, "future": future}
    )
    assert reason is Reason.UNKNOWN_WIRE_FORMAT
    assert "`avro`" in detail
    assert "Known: binance, canonical." in detail


def test_the_collectors_time_is_the_arrival() -> None:
    assert arrivals_us(collected(b"%d" % (EVENT_US + 5))) == [EVENT_US + 5]


def test_the_collectors_time_is_never_before_the_event() -> None:
    assert arrivals_us(collected(b"%d" % (EVENT_US - 1_300_000))) == [EVENT_US]


def test_without_the_header_the_log_time_is_the_arrival() -> None:
    assert arrivals_us((("source", b"collected"),)) == [LOGGED_MS * 1000]
    assert arrivals_us((), source="collected") == [LOGGED_MS * 1000]


def test_the_header_means_nothing_to_a_source_that_does_not_declare_it() -> None:
    assert arrivals_us((("source", b"plain"), ("collected_us", b"soon"))) == [LOGGED_MS * 1000]


@pytest.mark.parametrize("time", [b"", b"soon", b"-5", b"+5", b"1.5", b" 5", b"9" * 19, b"\xff", None, "٣".encode()])
def test_a_malformed_collectors_time_becomes_a_dead_letter(time: bytes | None) -> None:
    reason, detail = refusal_among_good(canonical(), headers=collected(time))
    assert reason is Reason.BAD_COLLECTED_TIME
    assert "`collected_us`" in detail


def test_a_collectors_time_over_five_minutes_after_the_log_time_becomes_a_dead_letter() -> None:
    ahead = LOGGED_MS * 1000 + 300_000_001
    reason, _ = refusal_among_good(canonical(event_time_us=ahead), headers=collected(b"%d" % ahead))
    assert reason is Reason.BAD_COLLECTED_TIME


def test_an_event_over_five_minutes_after_the_collectors_time_becomes_a_dead_letter() -> None:
    reason, _ = refusal_among_good(canonical(), headers=collected(b"%d" % (EVENT_US - 300_000_001)))
    assert reason is Reason.IMPLAUSIBLE_TIME
