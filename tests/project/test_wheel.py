"""The wheel holds the five packages, whole, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"twofold", "speed_layer", "batch_layer", "serving", "flows"}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_five_packages_and_its_own_record(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert len(tops) == len(PACKAGES) + 1


def test_the_wheel_holds_each_module(names: set[str]) -> None:
    modules = {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def test_the_wheel_holds_the_page_and_the_chart_library_with_its_licence_and_notice(names: set[str]) -> None:
    page = {path.relative_to(ROOT).as_posix() for path in (ROOT / "serving/page").rglob("*") if path.is_file()}
    assert {"index.html", "LICENSE", "NOTICE"} <= {Path(name).name for name in page}
    assert {name for name in names if name.startswith("serving/page/")} == page
    (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
    licences = {name.removeprefix(f"{info}/licenses/") for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", *(name for name in page if Path(name).name in {"LICENSE", "NOTICE"})}


def test_the_wheel_holds_the_licence(names: set[str]) -> None:
    assert any(name.endswith("/licenses/LICENSE") for name in names)
