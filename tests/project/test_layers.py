"""The borders: twofold imports no layer, and layers import twofold and never each other."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("speed_layer", "batch_layer", "serving", "flows")


def test_the_contracts_in_pyproject_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("layer", LAYERS)
def test_starting_the_command_line_loads_no_layer(layer: str) -> None:
    program = f"import sys, twofold.cli.app; sys.exit({layer!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
