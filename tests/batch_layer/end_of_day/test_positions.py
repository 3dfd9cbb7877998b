"""Files of positions, good ones and broken ones."""

from decimal import Decimal
from pathlib import Path

import pytest

from batch_layer.end_of_day.positions import Position, read_positions
from twofold.errors import PositionsUnreadable


def written(folder: Path, *lines: str) -> Path:
    path = folder / "positions.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_positions_are_exact_and_in_order(tmp_path: Path) -> None:
    path = written(tmp_path, "venue,symbol,quantity", "v,ETHUSDT,-0.10000000", "v,BTCUSDT,1.5")
    assert read_positions(path) == (
        Position(("v", "BTCUSDT"), Decimal("1.5")),
        Position(("v", "ETHUSDT"), Decimal("-0.1")),
    )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("symbol,quantity", "BTCUSDT,1"), "first line"),
        (("venue,symbol,quantity",), "no position"),
        (("venue,symbol,quantity", "v,BTCUSDT,1e3"), "Line 2"),
        (("venue,symbol,quantity", "v,BTCUSDT,nan"), "Line 2"),
        (("venue,symbol,quantity", "v,BTCUSDT,0.123456789"), "Line 2"),
        (("venue,symbol,quantity", "v,BTCUSDT"), "Line 2"),
        (("venue,symbol,quantity", "v,BTCUSDT,1,2"), "Line 2"),
        (("venue,symbol,quantity", "v,A,1", "v,A,2"), "Line 3"),
        (("venue,symbol,quantity", 'v,"A,1'), "no CSV"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_its_line(tmp_path: Path, lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(PositionsUnreadable, match=words):
        read_positions(written(tmp_path, *lines))


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(PositionsUnreadable, match="absent"):
        read_positions(tmp_path / "absent.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(PositionsUnreadable, match="bytes"):
        read_positions(tmp_path / "bytes.csv")
