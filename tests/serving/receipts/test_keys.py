"""Where the keys of receipts come from."""

import logging
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving.receipts.keys import load_keys
from twofold.errors import SettingsError

OLD, NEW = "old-" + "o" * 40, "new-" + "n" * 40


def test_at_first_use_a_key_is_made_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "data" / "receipt-keys.txt"
    (key,) = load_keys(file)
    assert len(key) >= 43
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_keys(file) == [key]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_processes_that_start_at_once_have_the_same_key(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(load_keys, [file] * 8))
    assert found == [found[0]] * 8


def test_the_first_line_signs_and_notes_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# since June\n{NEW}\n\n  {OLD}  \n", encoding="utf-8")
    assert load_keys(file) == [NEW, OLD]


@pytest.mark.parametrize("text", ["", "# nothing\n", f"{NEW}\nshort-secret\n"])
def test_a_file_without_proper_keys_is_refused_and_no_key_is_told(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    file.write_text(text, encoding="utf-8")
    with caplog.at_level(logging.DEBUG), pytest.raises(SettingsError, match="32 letters") as refused:
        load_keys(file)
    told = f"{refused.value} {refused.value.__cause__} {caplog.text}"
    assert "short-secret" not in told
    assert NEW not in told


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TWOFOLD_RECEIPT_KEYS"):
        load_keys(tmp_path)
    file = tmp_path / "keys"
    file.write_bytes(b"\xff" * 64)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_keys(file)
