"""The keys that serving knows: followed as their file changes, and never taken for want of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.access.keys import KeyFile
from serving.access.known import LOOK_EVERY_S, KnownKeys
from twofold.errors import SettingsError


class Times:
    """Two clocks that a test moves together."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_s(self) -> float:
        return self.seconds

    def utc(self) -> datetime:
        return datetime(2024, 8, 9, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def pass_by(self, seconds: float = LOOK_EVERY_S) -> None:
        self.seconds += seconds


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def file(tmp_path: Path, times: Times) -> KeyFile:
    return KeyFile(tmp_path / "api-keys.json", times.utc)


def known(file: KeyFile, times: Times, *, must: bool = False) -> KnownKeys:
    return KnownKeys(file, must=must, clock=times.utc, now_s=times.now_s)


def test_keys_are_needed_where_there_is_a_file_of_them(file: KeyFile, times: Times) -> None:
    assert not known(file, times).needed
    assert known(file, times, must=True).needed
    file.create("desk", ["read"])
    assert known(file, times).needed


def test_a_key_that_is_made_later_is_taken_and_turns_keys_on(file: KeyFile, times: Times) -> None:
    keys = known(file, times)
    text = file.create("desk", ["read"])
    assert keys.find(text) is None
    times.pass_by()
    assert keys.needed
    found = keys.find(text)
    assert found is not None
    assert found.name == "desk"
    assert keys.find(text + "x") is None
    assert keys.find(text.replace(found.id, "00000000")) is None


def test_keys_stay_needed_when_their_file_is_gone(file: KeyFile, times: Times) -> None:
    text = file.create("desk", ["read"])
    keys = known(file, times)
    file.file.unlink()
    times.pass_by()
    assert keys.needed
    assert keys.find(text) is None


def test_a_revoked_key_is_not_taken_any_more(file: KeyFile, times: Times) -> None:
    text = file.create("desk", ["read"])
    keys = known(file, times)
    assert keys.find(text) is not None
    file.revoke("desk")
    times.pass_by()
    assert keys.find(text) is None
    assert keys.needed


def test_a_key_expires_without_the_file_changing(file: KeyFile, times: Times) -> None:
    old = file.create("desk", ["read"])
    new = file.rotate("desk", timedelta(seconds=60))
    keys = known(file, times)
    assert keys.find(old) is not None
    times.pass_by(60)
    assert keys.find(old) is None
    assert keys.find(new) is not None
    assert keys.any_valid


def test_a_file_that_becomes_unreadable_takes_all_keys_away_and_is_told(
    file: KeyFile, times: Times, caplog: pytest.LogCaptureFixture
) -> None:
    text = file.create("desk", ["read"])
    keys = known(file, times)
    file.file.write_text("torn")
    times.pass_by()
    assert keys.find(text) is None
    assert "No key is taken any more" in caplog.text
    assert "holds no list of API keys" in caplog.text
    with pytest.raises(SettingsError):
        known(file, times)
