"""The venv of the other side: quixstreams, pinned with hashes, made when it is not there yet."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".venv-quixstreams"
REQUIREMENTS = Path(__file__).with_name("requirements-quixstreams.txt")


def quix_python() -> Path:
    """Return the Python of the venv; make it, with uv where that is present, if its requirements have changed."""
    python, installed = FOLDER / "bin" / "python", FOLDER / REQUIREMENTS.name
    if installed.exists() and installed.read_bytes() == REQUIREMENTS.read_bytes():
        return python
    print(f"Making {FOLDER} with quixstreams …", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    requirements = ["--require-hashes", "-r", str(REQUIREMENTS)]
    uv = shutil.which("uv")
    if uv is not None:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(FOLDER)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *requirements], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *requirements], check=True)
    shutil.copyfile(REQUIREMENTS, installed)
    return python
