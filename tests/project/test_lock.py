"""requirements.lock: whole, pinned by hash, naming no registry, and what is installed."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
ENTRIES = LOCK.replace("\\\n", " ").splitlines()
LOCKED = [Requirement(re.split(r"\s--hash=", entry)[0]) for entry in ENTRIES]


def _pins(name: str) -> list[str]:
    return [
        next(iter(locked.specifier)).version
        for locked in LOCKED
        if canonicalize_name(locked.name) == canonicalize_name(name)
    ]


@pytest.mark.parametrize("line", DECLARED)
def test_the_lock_holds_each_declared_dependency_at_a_version_that_fits(line: str) -> None:
    declared = Requirement(line)
    pins = _pins(declared.name)
    assert pins
    assert all(declared.specifier.contains(pin) for pin in pins)


def test_each_locked_package_is_pinned_exactly_and_by_hash() -> None:
    for entry, locked in zip(ENTRIES, LOCKED, strict=True):
        assert [part.operator for part in locked.specifier] == ["=="], entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}(\s|$)", entry), locked.name


def test_the_lock_names_no_address_and_no_index() -> None:
    assert "://" not in LOCK
    assert not re.search(r"^\s*--(?!hash=)|\s@\s|^-", LOCK, re.MULTILINE)


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_each_declared_dependency_is_locked_once_on_each_platform(platform: str, python: str) -> None:
    here = {"sys_platform": platform, "python_version": python, "python_full_version": f"{python}.9"}
    locked = [canonicalize_name(pin.name) for pin in LOCKED if pin.marker is None or pin.marker.evaluate(here)]
    assert {line for line in DECLARED if locked.count(canonicalize_name(Requirement(line).name)) != 1} == set()


def test_what_is_installed_is_what_is_locked() -> None:
    installed = {
        locked.name: version(locked.name) for locked in LOCKED if locked.marker is None or locked.marker.evaluate()
    }
    assert all(installed[name] in _pins(name) for name in installed)
