"""How the twin is run: `make twin` says so by the environment, `make test` leaves it at what stands here."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("twin.expected", "twin.twin")

from twin.faults import FAULTS  # noqa: E402  # what is imported before is not rewritten
from twin.twin import begin  # noqa: E402

FIRST_SEED = int(os.environ.get("TWIN_FIRST_SEED") or 0)
SEQUENCES = int(os.environ.get("TWIN_SEQUENCES") or 200)


@pytest.fixture(scope="session")
def lake_begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake that every sequence begins with."""
    folder = tmp_path_factory.mktemp("twin") / "lake"
    begin(folder)
    return folder


@pytest.fixture(scope="session")
def seeds() -> range:
    """The seeds of the sequences to walk."""
    return range(FIRST_SEED, FIRST_SEED + SEQUENCES)


@pytest.fixture
def asked_for() -> Iterator[None]:
    """Plant the fault that was asked for, if one was."""
    name = os.environ.get("TWIN_FAULT")
    if not name:
        yield
        return
    if name not in FAULTS:
        raise pytest.UsageError(f"There is no fault {name!r} to plant; there are {', '.join(FAULTS)}.")
    with FAULTS[name]():
        yield
