"""Moving aside: in the order given, by time, and never over what is there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from batch_layer.doctor.aside import move_aside

NOON = datetime(2024, 8, 9, 12, tzinfo=UTC)


def test_files_keep_their_place_below_the_time(tmp_path: Path) -> None:
    (tmp_path / "views" / "bars").mkdir(parents=True)
    (tmp_path / "views" / "bars" / "a").write_text("1")
    folder = move_aside(tmp_path, [tmp_path / "views" / "bars" / "a"], NOON)
    assert folder == tmp_path / ".doctor" / "20240809T120000.000000Z"
    assert (folder / "views" / "bars" / "a").read_text() == "1"
    assert not (tmp_path / "views" / "bars" / "a").exists()


def test_what_cannot_be_moved_leaves_those_after_it_where_they_are(tmp_path: Path) -> None:
    for name in ("a", "c"):
        (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError):
        move_aside(tmp_path, [tmp_path / "a", tmp_path / "b", tmp_path / "c"], NOON)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [".doctor", "c"]
