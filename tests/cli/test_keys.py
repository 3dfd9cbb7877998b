"""`twofold keys`, and serving that refuses to be open where others reach it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from serving.access.keys import KeyFile
from serving.access.opening import open_policy
from twofold.cli.app import app
from twofold.errors import SettingsError, UnknownName
from twofold.port import free_port
from twofold.settings import load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("TWOFOLD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TWOFOLD_DATA_FOLDER", str(tmp_path))
    return tmp_path


def keys(*words: str) -> Result:
    return CliRunner().invoke(app, ["keys", *words])


def test_a_key_alone_is_printed_and_listed_by_its_hash_s_id(folder: Path) -> None:
    made = keys("create", "desk", "--scope", "read", "--scope", "stream")
    assert made.exit_code == 0
    text = made.stdout.strip()
    assert text.startswith("tf_")
    assert "TWOFOLD_API_KEY" in made.stderr
    (kept,) = KeyFile(folder / "api-keys.json").read()
    assert kept.fits(text)
    listed = keys("list").stdout
    for word in ("desk", kept.id, "read, stream", "for good"):
        assert word in listed
    assert text not in listed


def test_without_scopes_a_key_has_all_of_them(folder: Path) -> None:
    keys("create", "desk")
    (kept,) = KeyFile(folder / "api-keys.json").read()
    assert kept.scopes == ["read", "stream", "sql"]


def test_a_key_is_rotated_and_revoked(folder: Path) -> None:
    keys("create", "desk", "--scope", "read")
    new = keys("rotate", "desk", "--overlap-hours", "1").stdout.strip()
    file = KeyFile(folder / "api-keys.json")
    assert [key.fits(new) for key in file.read()] == [False, True]
    assert "UTC" in keys("list").stdout
    assert "2 keys of 'desk'" in keys("revoke", "desk").stdout
    assert "There are no keys" in keys("list").stdout


def test_what_is_not_there_is_named_with_what_is() -> None:
    assert isinstance(keys("revoke", "desk").exception, UnknownName)
    scope = keys("create", "desk", "--scope", "write").exception
    assert isinstance(scope, UnknownName)
    assert "Known: read, sql, stream" in str(scope)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "serving.example"])  # noqa: S104  # where nothing is opened
def test_serving_is_not_open_to_other_machines_without_a_key(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("TWOFOLD_SERVING_ADDRESS", f"{host}:18080")
    with pytest.raises(SettingsError, match=f"(?s){host}:18080.*twofold keys create NAME.*TWOFOLD_OPEN_TO_NETWORK"):
        open_policy(load_settings())
    keys("create", "desk")
    assert open_policy(load_settings()).needs_key
    keys("revoke", "desk")
    with pytest.raises(SettingsError):
        open_policy(load_settings())


def test_on_this_machine_alone_a_key_is_needed_once_there_is_one() -> None:
    policy = open_policy(load_settings())
    assert not policy.needs_key
    assert "127.0.0.1" in policy.hosts
    keys("create", "desk")
    assert open_policy(load_settings()).needs_key


def test_whoever_says_so_is_open_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_SERVING_ADDRESS", "0.0.0.0:18080")
    monkeypatch.setenv("TWOFOLD_OPEN_TO_NETWORK", "true")
    policy = open_policy(load_settings())
    assert (policy.needs_key, policy.hosts) == (False, frozenset())


def test_serving_that_would_be_open_does_not_start(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "twofold", "serve"],
        env={**os.environ, "TWOFOLD_SERVING_ADDRESS": f"0.0.0.0:{free_port()}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    said = " ".join(ended.stderr.split())
    assert "`twofold keys create NAME`" in said
    assert str(folder / "api-keys.json") in said
    assert "Traceback" not in said
