"""The image's own steps in a clean folder, as far as they can be taken without a container engine.

What requirements.lock names is installed already, by the same command: it is the environment that this runs in.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAGES = dict(
    re.findall(
        r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM |\Z)",
        (ROOT / "Dockerfile").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image is built from: what .dockerignore, which begins with all, takes back out."""
    folder = tmp_path_factory.mktemp("context")
    assert (IGNORED[0], IGNORED[-1]) == ("*", "**/__pycache__")
    for name in (line.removeprefix("!") for line in IGNORED[1:-1]):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def installed(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the last step of the build stage has put the project, beside nothing else."""
    clean, site = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("site")
    for copied in re.findall(r"^COPY (?!--)(.+)$", STAGES["build"], re.MULTILINE):
        *names, target = copied.split()
        for name in names:
            if (context / name).is_dir():
                shutil.copytree(context / name, clean / target)
            else:
                shutil.copy(context / name, clean / target)
    step = shlex.split(re.findall(r"^RUN (.+)$", STAGES["build"], re.MULTILINE)[-1])
    assert step[:2] == ["pip", "install"]
    pip = [sys.executable, "-m", "pip"] if find_spec("pip") else ["uv", "pip"]
    ran = subprocess.run(
        [*pip, "install", "--quiet", "--target", str(site), *step[2:]],
        cwd=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return site


def _run(site: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=site.parent,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_each_package_is_installed_with_the_files_that_lie_beside_its_code(installed: Path) -> None:
    for package in ("twofold", "speed_layer", "batch_layer", "serving", "flows"):
        place = _run(installed, "-c", f"import {package}; print({package}.__file__)").strip()
        assert Path(place).is_relative_to(installed)
    assert (installed / "serving" / "page" / "index.html").exists()
    assert (installed / "batch_layer" / "end_of_day" / "templates" / "report.html").exists()


def test_the_command_that_an_image_runs_by_itself_shows_what_there_is(installed: Path) -> None:
    shown = _run(installed, "-m", "twofold", "--help")
    assert {"deployments", "speed", "serve", "simulate", "cycle"} <= set(re.findall(r"[a-z]+", shown))
