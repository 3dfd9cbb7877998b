import subprocess
import sys
from datetime import timedelta

import pytest

import twofold


def test_what_a_view_is_declared_with_can_be_imported_from_the_top() -> None:
    mine = twofold.View(
        name="mine",
        window=timedelta(minutes=1),
        aggregates={"volume": twofold.Sum("size"), "trades": twofold.Count()},
        finished={"mean_size": twofold.column("volume") / twofold.column("trades")},
    )
    assert list(mine.columns) == ["volume", "trades", "mean_size"]


def test_the_public_names_are_few_and_all_there() -> None:
    assert sorted(twofold.__all__) == [
        "AsyncClient",
        "Client",
        "Count",
        "First",
        "Last",
        "Max",
        "Min",
        "Settings",
        "Source",
        "Sum",
        "TwofoldError",
        "View",
        "column",
    ]
    assert all(hasattr(twofold, name) for name in twofold.__all__)


def test_an_unknown_name_is_answered_with_those_that_exist() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Bars'; it has: AsyncClient, Client"):
        twofold.Bars  # noqa: B018  # asking is the test


def test_importing_the_package_loads_no_library() -> None:
    program = "import sys, twofold; print(*{'polars', 'kafka', 'prefect', 'deltalake'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == ""
