"""When the frames of a capture are due, and what is sent of them."""

from __future__ import annotations

from twofold.source import Source
from twofold.sources.capture import Frame
from twofold.sources.playback import schedule_frames

COLLECTED = Source(venue="binance", wire_format="binance", ids="contiguous", collected_header="collected_us")
PLAIN = Source(venue="simulator", wire_format="canonical", ids="contiguous")


def test_frames_are_due_by_receive_time_which_a_header_tells_in_microseconds() -> None:
    frames = [
        Frame(1_723_161_254_087_896_568, None, "BTCUSDT", b"one"),
        Frame(1_723_161_254_587_896_568, None, "ETHUSDT", b"two"),
    ]
    first, second = schedule_frames(frames, "binance-spot", COLLECTED)
    assert (first.due_s, second.due_s) == (0.0, 0.5)
    assert first.message.headers == [("source", b"binance-spot"), ("collected_us", b"1723161254087896")]
    assert (second.message.key, second.message.value) == (b"ETHUSDT", b"two")


def test_frames_without_receive_time_are_due_by_event_time() -> None:
    frames = [Frame(None, 10_000_000, "A", b"1"), Frame(None, 12_500_000, "A", b"2")]
    assert [due_s for due_s, _ in schedule_frames(frames, "simulator", PLAIN)] == [0.0, 2.5]


def test_the_schedule_never_goes_back_and_a_frame_without_time_is_due_with_the_one_before() -> None:
    times_us = [None, 10_000_000, 13_000_000, 11_000_000, None, 14_000_000]
    frames = [Frame(None, time_us, "A", b"") for time_us in times_us]
    assert [due_s for due_s, _ in schedule_frames(frames, "simulator", PLAIN)] == [0.0, 0.0, 3.0, 3.0, 3.0, 4.0]


def test_a_source_that_declares_no_collector_gets_no_receive_time() -> None:
    (only,) = schedule_frames([Frame(1_723_161_254_087_896_568, None, "A", b"{}")], "simulator", PLAIN)
    assert only.message.headers == [("source", b"simulator")]


def test_an_unreadable_frame_has_no_key_and_is_sent_as_it_came() -> None:
    (only,) = schedule_frames([Frame(None, None, None, b"{")], "simulator", PLAIN)
    assert only.message[:2] == (None, b"{")


def test_a_symbol_that_utf_8_cannot_write_is_no_reason_to_stop() -> None:
    (only,) = schedule_frames([Frame(None, None, "\ud800", b"{}")], "simulator", PLAIN)
    assert only.message.key is not None
