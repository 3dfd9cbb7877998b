"""Captures: files of recorded trades, read line by line.

Two kinds of file are told apart by their first line:

- a capture, `<receive time in ns> <websocket frame>` a line, as the collector of nkaz001/hftbacktest writes them;
- NDJSON, a canonical trade or a bare Binance frame a line.

Either may be compressed by gzip. A line that is not JSON is a frame like any other: it is given out as it came, so that
the decoder downstream makes a dead letter of it and nothing is dropped here.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from twofold.errors import CaptureError
from twofold.source import WireFormatName

_GZIP_MAGIC = b"\x1f\x8b"
_RECEIVED = re.compile(rb"(\d{16,19}) ")
"""16 digits or more: nanoseconds since 1970 passed 10^15 on its twelfth day."""
_EXCERPT_BYTES = 60


class Frame(NamedTuple):
    """One record of a capture.

    `received_ns` is the collector's clock and `event_us` the trade's own time, both UTC since 1970; None where not
    told. `symbol` is None where the frame cannot be read. `payload` is the frame, byte for byte.
    """

    received_ns: int | None
    event_us: int | None
    symbol: str | None
    payload: bytes


class _Fields(msgspec.Struct):
    """What a canonical trade or a bare Binance frame says of symbol and time; anything may stand there."""

    symbol: Any = None
    event_time_us: Any = None
    s: Any = None
    T: Any = None


class _Envelope(_Fields):
    """The same, perhaps wrapped in a combined stream's `{"stream", "data"}`."""

    data: _Fields | None = None


_decode = msgspec.json.Decoder(_Envelope).decode


class Capture:
    """A file of recorded trades.

    Args:
        path: the file, gzipped or not, whatever its name ends with.

    Raises:
        CaptureError: the file does not exist, cannot be read, is empty, or its first line is of neither kind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._gzipped = file.read(2) == _GZIP_MAGIC
            self.size_bytes = path.stat().st_size
        except FileNotFoundError:
            raise CaptureError(
                f"There is no file {path}. Check the path; a relative one starts at {Path.cwd()}."
            ) from None
        except OSError as error:
            raise CaptureError(
                f"{path} cannot be opened: {error.strerror}. Name a file that this user may read."
            ) from error
        self.read_bytes = 0
        """How far into the file, as it lies on disk, the last given frame was."""
        self._timed, self.wire_format = self._detect()

    def rows(self, first: int = 0) -> Iterator[Frame]:
        """Read the frames as `frames` does, from the one of that number on, counted from 0.

        A line of a capture without a receive time is given out whole, so that the decoder says what is wrong with it.

        Raises:
            CaptureError: the file cannot be read to its end.
        """
        for _, line in islice(self._lines(), first, None):
            match = _RECEIVED.match(line) if self._timed else None
            yield _frame(None, line) if match is None else _frame(int(match[1]), line[match.end() :])

    def frames(self) -> Iterator[Frame]:
        """Read the frames in the order of the file, without blank lines.

        Raises:
            CaptureError: a line of a capture has no receive time, or the file cannot be read to its end.
        """
        for number, line in self._lines():
            if self._timed:
                match = _RECEIVED.match(line)
                if match is None:
                    raise CaptureError(
                        f"Line {number} of {self.path} does not start with a receive time in nanoseconds, as its "
                        f"first line does: {_excerpt(line)}. Repair or remove the line; the lines above it were read."
                    )
                yield _frame(int(match[1]), line[match.end() :])
            else:
                yield _frame(None, line)

    def _detect(self) -> tuple[bool, WireFormatName]:
        for number, line in self._lines():
            match = _RECEIVED.match(line)
            if match is not None:
                return True, _wire_format(line[match.end() :]) or "binance"
            wire_format = _wire_format(line)
            if wire_format is None:
                raise CaptureError(
                    f"Line {number} of {self.path} is of no known kind: {_excerpt(line)}. Expected is "
                    "`<receive time in ns> <websocket frame>`, a canonical trade as JSON, or a Binance trade frame."
                )
            return False, wire_format
        raise CaptureError(f"{self.path} holds no line. Name a file with at least one trade.")

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        number = 0
        try:
            with self.path.open("rb") as file, _plain(file, gzipped=self._gzipped) as lines:
                for number, line in enumerate(lines, start=1):
                    self.read_bytes = file.tell()
                    stripped = line.rstrip(b"\r\n")
                    if stripped:
                        yield number, stripped
        except (OSError, EOFError, zlib.error) as error:
            raise CaptureError(
                f"{self.path} cannot be read after line {number}: {error}. The file is damaged or was cut off; "
                "fetch it again."
            ) from error


def _plain(file: BinaryIO, *, gzipped: bool) -> BinaryIO:
    return gzip.open(file) if gzipped else file  # type: ignore[return-value]  # GzipFile is read like any binary file


def _frame(received_ns: int | None, payload: bytes) -> Frame:
    try:
        envelope = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Frame(received_ns, None, None, payload)
    fields: _Fields = envelope.data or envelope
    symbol = fields.symbol if isinstance(fields.symbol, str) else fields.s
    event_us = fields.event_time_us
    if not isinstance(event_us, int) and isinstance(fields.T, int):
        event_us = fields.T * 1000
    return Frame(
        received_ns,
        event_us if isinstance(event_us, int) else None,
        symbol if isinstance(symbol, str) else None,
        payload,
    )


def _wire_format(line: bytes) -> WireFormatName | None:
    try:
        envelope = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if isinstance(envelope.symbol, str):
        return "canonical"
    return "binance" if isinstance((envelope.data or envelope).s, str) else None


def _excerpt(line: bytes) -> str:
    return repr(line[:_EXCERPT_BYTES].decode("utf-8", "replace")) + (" …" if len(line) > _EXCERPT_BYTES else "")
