"""The tree speaks for itself: no path of one machine, no address of a package registry."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

ROOT = Path(__file__).parents[2]

# Written in pieces, so that this file does not hold what it looks for.
REGISTRIES = ("pypi" + ".org", "python" + "hosted", "repo1." + "maven", "maven." + "apache", "registry." + "npmjs")
REGISTRY = re.compile("|".join(re.escape(host) for host in REGISTRIES))
MACHINE_PATH = re.compile(r"(?<![\w.-])/(work|root|home|Users)/\w")


def _kept_files() -> Iterator[Path]:
    """Every file that a clone holds, going by .gitignore; git itself need not be there."""
    ignored = GitIgnoreSpec.from_lines([".git/", *(ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()])
    for name, folders, files in os.walk(ROOT):
        folder = Path(name).relative_to(ROOT)
        folders[:] = [child for child in folders if not ignored.match_file(f"{folder / child}/")]
        yield from (ROOT / folder / file for file in files if not ignored.match_file(folder / file))


def _found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in _kept_files()
        for match in pattern.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]


def test_no_file_names_a_package_registry() -> None:
    assert _found(REGISTRY) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert _found(MACHINE_PATH) == []
