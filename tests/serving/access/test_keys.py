"""The file of API keys: what it holds, and how keys are made, rotated and revoked."""

from __future__ import annotations

import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.access.keys import KeyFile, id_of
from twofold.errors import SettingsError, UnknownName

NOON = datetime(2024, 8, 9, 12, tzinfo=UTC)


class Day:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def day() -> Day:
    return Day()


@pytest.fixture
def keys(tmp_path: Path, day: Day) -> KeyFile:
    return KeyFile(tmp_path / "made" / "api-keys.json", day)


def test_without_a_file_there_are_no_keys_and_none_is_made(keys: KeyFile) -> None:
    assert keys.read() == []
    assert not keys.file.parent.exists()


def test_a_key_is_kept_as_a_hash_that_it_alone_fits(keys: KeyFile) -> None:
    text = keys.create("desk", ["read", "stream"])
    (kept,) = keys.read()
    assert (kept.name, kept.scopes, kept.created_at, kept.expires_at) == ("desk", ["read", "stream"], NOON, None)
    assert kept.fits(text)
    assert not kept.fits(text[:-1])
    assert not kept.fits("")
    assert id_of(text) == kept.id
    secret = text.split("_", 2)[2]
    assert len(secret) >= 43
    assert secret not in keys.file.read_text()
    assert text not in repr(kept)


def test_no_two_keys_are_alike(keys: KeyFile) -> None:
    made = {keys.create(f"program {number}", ["read"]) for number in range(20)}
    assert len({id_of(text) for text in made}) == len(made) == 20


def test_the_file_is_its_owner_s_alone(keys: KeyFile) -> None:
    keys.create("desk", ["read"])
    assert stat.S_IMODE(keys.file.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "tf", "tf_", "tf_1234", "xx_1234_abc", "Bearer", "a" * 10_000])
def test_what_is_no_key_has_no_id_that_one_has(keys: KeyFile, text: str) -> None:
    keys.create("desk", ["read"])
    assert id_of(text) not in {key.id for key in keys.read()}


def test_a_name_stands_for_one_key(keys: KeyFile) -> None:
    keys.create("desk", ["read"])
    with pytest.raises(SettingsError, match="twofold keys rotate desk"):
        keys.create("desk", ["read"])


def test_a_rotated_key_is_valid_beside_the_new_one_for_the_overlap(keys: KeyFile, day: Day) -> None:
    old = keys.create("desk", ["read", "sql"])
    new = keys.rotate("desk", timedelta(hours=24))
    first, second = keys.read()
    assert (first.expires_at, second.expires_at) == (NOON + timedelta(hours=24), None)
    assert first.fits(old)
    assert second.fits(new)
    assert second.scopes == ["read", "sql"]
    assert first.is_valid(NOON + timedelta(hours=23))
    assert not first.is_valid(NOON + timedelta(hours=24))
    day.now = NOON + timedelta(hours=1)
    keys.rotate("desk", timedelta(hours=48))
    assert [key.expires_at for key in keys.read()] == [
        NOON + timedelta(hours=24),  # to rotate again gives no key more time
        NOON + timedelta(hours=49),
        None,
    ]
    day.now = NOON + timedelta(days=9)
    keys.create("other", ["read"])
    assert [key.name for key in keys.read()] == ["desk", "other"]


def test_a_key_that_is_revoked_is_gone_with_those_before_it(keys: KeyFile) -> None:
    keys.create("desk", ["read"])
    keys.rotate("desk", timedelta(hours=24))
    keys.create("other", ["read"])
    assert keys.revoke("desk") == 2
    assert [key.name for key in keys.read()] == ["other"]


def test_a_key_that_is_not_there_is_told_with_those_that_are(keys: KeyFile) -> None:
    keys.create("desk", ["read"])
    for change in (lambda: keys.revoke("desc"), lambda: keys.rotate("desc", timedelta())):
        with pytest.raises(UnknownName, match=r"no key 'desc'\. Did you mean 'desk'"):
            change()
    assert len(keys.read()) == 1


def test_keys_that_are_made_at_the_same_time_are_all_kept(keys: KeyFile) -> None:
    making = [threading.Thread(target=keys.create, args=(f"program {number}", ["read"])) for number in range(12)]
    for thread in making:
        thread.start()
    for thread in making:
        thread.join()
    assert len(keys.read()) == 12
    assert not list(keys.file.parent.glob(".api-keys.json-*"))


def test_a_file_that_others_may_write_is_refused(keys: KeyFile) -> None:
    keys.create("desk", ["read"])
    keys.file.chmod(0o620)
    with pytest.raises(SettingsError, match=f"chmod go-w {keys.file}"):
        keys.read()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"id": "1"}]', "\0\0"])
def test_a_file_that_holds_no_keys_is_refused_and_left_as_it_is(keys: KeyFile, text: str) -> None:
    keys.create("desk", ["read"])
    keys.file.write_text(text)
    with pytest.raises(SettingsError, match="holds no list of API keys"):
        keys.create("other", ["read"])
    assert keys.file.read_text() == text
