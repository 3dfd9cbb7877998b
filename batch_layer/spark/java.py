"""Java: which one Spark runs on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from twofold.errors import EngineMissing

VERSIONS = ("17", "21")
"""The releases that Spark 4 runs on."""

MODULE = "jdk.incubator.vector"
"""A module that Spark asks for at start, and that reduced runtimes leave out."""

_INSTALLED = Path("/usr/lib/jvm")


def java_home() -> Path:
    """The home of a Java that Spark runs on: by JAVA_HOME, on the PATH or in /usr/lib/jvm.

    Raises:
        EngineMissing: there is none; the message says which were found and what to install.
    """
    found = []
    for home in _homes():
        version, modules = _described(home)
        if version in VERSIONS and MODULE in modules:
            return home
        lacking = "" if version not in VERSIONS else f" without {MODULE}"
        found.append(f"{home} ({f'Java {version}' if version else 'which does not start'}{lacking})")
    raise EngineMissing(
        f"Spark needs Java {' or '.join(VERSIONS)} with the module {MODULE}. Found: {', '.join(found) or 'none'}. "
        "Install one, such as openjdk-17-jre-headless of Debian and Ubuntu, or temurin@17 by Homebrew, and let "
        "JAVA_HOME say where it is; or set TWOFOLD_ENGINE=polars, which needs none. Nothing was written."
    )


def _homes() -> Iterator[Path]:
    if named := os.environ.get("JAVA_HOME"):
        yield Path(named)
    if java := shutil.which("java"):
        yield Path(java).resolve().parents[1]
    yield from sorted(_INSTALLED.glob("*"))


def _described(home: Path) -> tuple[str, set[str]]:
    """The release of a Java and the names of its modules; both empty where it does not start."""
    try:
        run = subprocess.run([home / "bin" / "java", "--list-modules"], capture_output=True, text=True, check=False)
    except OSError:
        return "", set()
    version = re.search(r"^java\.base@(\d+)", run.stdout, re.MULTILINE)
    return version[1] if version else "", {line.partition("@")[0] for line in run.stdout.splitlines()}
