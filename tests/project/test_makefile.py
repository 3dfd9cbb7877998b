"""The Makefile: its help screen, its targets, and its refusal when Python is too old."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PHONY = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
TARGETS = PHONY.group(1).split() if PHONY else []


def _make(*arguments: str, cwd: Path = ROOT, path: str | None = None) -> subprocess.CompletedProcess[str]:
    make = shutil.which("make")
    assert make is not None
    environment = {"PATH": path if path is not None else "/usr/bin:/bin"}
    return subprocess.run([make, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def _checkout(folder: Path) -> Path:
    """A folder that `make` takes for a fresh clone."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def _tools(folder: Path, **scripts: str) -> str:
    """A search path with the shell's few tools and these scripts, and nothing else."""
    folder.mkdir()
    for tool in ("sh", "grep", "awk"):
        (folder / tool).symlink_to(str(shutil.which(tool)))
    for name, body in scripts.items():
        script = folder / name
        script.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        script.chmod(0o755)
    return str(folder)


def test_make_alone_shows_each_target_with_a_line_of_what_it_does() -> None:
    shown = dict(re.findall(r"^  make ([a-z-]+) +(\S.*)$", _make().stdout, re.MULTILINE))
    assert list(shown) == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_can_be_made_from_a_fresh_checkout(target: str, tmp_path: Path) -> None:
    assert _make("--dry-run", target, cwd=_checkout(tmp_path)).returncode == 0


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in {"help", "lock", "clean"}])
def test_each_target_that_runs_the_project_sets_it_up_first(target: str, tmp_path: Path) -> None:
    steps = _make("--dry-run", target, cwd=_checkout(tmp_path)).stdout
    assert "--require-hashes -r requirements.lock" in steps
    assert "-m twofold.event_log.start_cache" in steps


def test_a_capture_is_replayed_and_without_one_the_simulator_runs(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path)
    replayed = _make("--dry-run", "demo", "CAPTURE=a capture.gz", cwd=checkout).stdout
    assert '.venv/bin/twofold up --replay "a capture.gz" --speed 10\n' in replayed
    assert re.search(
        r"^\.venv/bin/twofold up *$", _make("--dry-run", "demo", "CAPTURE=", cwd=checkout).stdout, re.MULTILINE
    )


def test_a_machine_without_a_python_that_is_new_enough_is_told_so(tmp_path: Path) -> None:
    path = _tools(tmp_path / "bin", python3="exit 1")
    run = _make("setup", cwd=_checkout(tmp_path), path=path)
    assert run.returncode != 0
    assert "Twofold needs Python 3.11 or later" in run.stdout
    assert "make setup PYTHON=" in run.stdout


def test_the_newest_python_that_runs_is_chosen(tmp_path: Path) -> None:
    path = _tools(tmp_path / "bin", **{"python3.13": "exit 127", "python3.12": "exit 0", "python3": "exit 0"})
    assert '"python3.12" -m venv .venv' in _make("--dry-run", "setup", cwd=_checkout(tmp_path), path=path).stdout


def test_an_untouched_set_up_is_not_done_again(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path)
    stamp = checkout / ".venv" / ".setup"
    stamp.parent.mkdir()
    stamp.touch()
    assert "Nothing to be done" in _make("setup", cwd=checkout).stdout
