"""The conformance kit, in few steps: it finds nothing wrong as things are, and it finds a fault that was planted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

KIT = Path(__file__).parents[1] / "conformance"
SEED, STEPS = 2, 2
"""Of a plan whose second step kills the speed worker after a batch cycle, among trades sent again."""


def conformance(folder: Path, *, fault: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(KIT), "--steps", str(STEPS), "--first-seed", str(SEED)],
        env=os.environ | {"CONFORMANCE_FAULT": fault, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_few_steps_of_the_kit_end_without_a_violation(tmp_path: Path) -> None:
    run = conformance(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{STEPS} actions" in run.stdout
    assert "; 0 violations" in run.stdout


def test_a_worker_that_forgets_what_is_below_the_cut_is_found_with_the_way_to_walk_there_again(tmp_path: Path) -> None:
    run = conformance(tmp_path, fault="ledger-skipped")
    assert run.returncode == 1, run.stdout + run.stderr
    assert f"VIOLATION in seed {SEED}, step {STEPS}" in run.stdout
    assert f"make conformance SEEDS=1 STEPS={STEPS} FIRST_SEED={SEED}" in run.stdout
