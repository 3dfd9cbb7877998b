"""What is read from files of recorded trades, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from twofold.errors import CaptureError
from twofold.sources.capture import Capture, Frame

TRADE = (
    b'{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":7,"p":"61837.63","q":"0.02","T":1723161255342,"m":true,"M":true}'
)
WRAPPED = b'{"stream":"btcusdt@trade","data":' + TRADE + b"}"
CANONICAL = (
    b'{"symbol":"ETHUSDT","trade_id":1,"price":"2683.8","size":"1","side":"buy","event_time_us":1723161255342000}'
)
RECEIVED = b"1723161254087896568 "


def capture_of(folder: Path, *lines: bytes, end: bytes = b"\n") -> Capture:
    path = folder / "capture.txt"
    path.write_bytes(end.join(lines) + end)
    return Capture(path)


def test_a_capture_gives_each_frame_byte_for_byte_with_its_receive_time(tmp_path: Path) -> None:
    capture = capture_of(tmp_path, RECEIVED + WRAPPED, RECEIVED + b" " + TRADE)
    assert capture.wire_format == "binance"
    assert list(capture.frames()) == [
        Frame(1723161254087896568, 1723161255342000, "BTCUSDT", WRAPPED),
        Frame(1723161254087896568, 1723161255342000, "BTCUSDT", b" " + TRADE),
    ]


@pytest.mark.parametrize(("line", "wire_format"), [(CANONICAL, "canonical"), (TRADE, "binance"), (WRAPPED, "binance")])
def test_ndjson_is_told_by_its_first_line_and_has_no_receive_time(
    tmp_path: Path, line: bytes, wire_format: str
) -> None:
    capture = capture_of(tmp_path, line)
    assert capture.wire_format == wire_format
    (frame,) = capture.frames()
    assert (frame.received_ns, frame.event_us, frame.payload) == (None, 1723161255342000, line)


def test_gzip_is_told_by_its_content_and_not_by_the_file_name(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.gz", tmp_path / "packed.txt"
    plain.write_bytes(RECEIVED + TRADE + b"\n")
    packed.write_bytes(gzip.compress(RECEIVED + TRADE + b"\n"))
    assert list(Capture(plain).frames()) == list(Capture(packed).frames())


def test_blank_lines_and_windows_line_ends_are_no_part_of_a_frame(tmp_path: Path) -> None:
    capture = capture_of(tmp_path, b"", CANONICAL, b"", CANONICAL, end=b"\r\n")
    assert [frame.payload for frame in capture.frames()] == [CANONICAL, CANONICAL]


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b'{"e":"trade","s":',
        b"not json",
        b"\xff\xfe",
        b"",
        b"[1,2]",
        b'"text"',
        b'{"s":5}',
        b'{"data":7}',
        b"null",
    ],
)
def test_a_frame_that_cannot_be_read_is_given_as_it_is_without_a_symbol(tmp_path: Path, payload: bytes) -> None:
    *_, frame = capture_of(tmp_path, RECEIVED + TRADE, RECEIVED + payload).frames()
    assert (frame.symbol, frame.event_us, frame.payload) == (None, None, payload)


def test_a_line_of_a_capture_without_a_receive_time_is_named(tmp_path: Path) -> None:
    capture = capture_of(tmp_path, RECEIVED + TRADE, TRADE)
    with pytest.raises(CaptureError, match=r"Line 2 of .* does not start with a receive time"):
        list(capture.frames())


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(b"", mtime=0)])
def test_a_file_without_a_trade_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "empty").write_bytes(content)
    with pytest.raises(CaptureError, match="holds no line"):
        Capture(tmp_path / "empty")


@pytest.mark.parametrize("line", [b"time,symbol,price", b"12 " + TRADE, b'{"price":"1"}', b"\x00\x01", b"{"])
def test_a_file_of_another_kind_is_refused_and_the_line_named(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(CaptureError, match=r"Line 1 of .* is of no known kind"):
        capture_of(tmp_path, line)


def test_a_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="There is no file"):
        Capture(tmp_path / "nothing")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cannot be opened: Is a directory"):
        Capture(tmp_path)


def test_a_gzip_file_that_was_cut_off_is_refused_after_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress((RECEIVED + TRADE + b"\n") * 1000)[:-20])
    frames = Capture(path).frames()
    assert next(frames).symbol == "BTCUSDT"
    with pytest.raises(CaptureError, match=r"cannot be read after line \d+: .* fetch it again"):
        list(frames)


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00" + bytes(100))
    with pytest.raises(CaptureError, match="damaged"):
        list(Capture(path).frames())


def test_the_share_read_reaches_the_size_of_the_file(tmp_path: Path) -> None:
    capture = capture_of(tmp_path, *[RECEIVED + TRADE] * 2000)
    assert len(list(capture.frames())) == 2000
    assert capture.read_bytes == capture.size_bytes
