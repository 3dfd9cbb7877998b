"""The examples, each run from top to bottom against a system that runs."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventually import eventually
from served import served
from small_market import SmallMarket
from vouched import vouching

EXAMPLES = Path(__file__).parents[2] / "examples"

SAYS = {
    "backtest_as_known.py": "1 of 3 bars close otherwise in hindsight.",
    "bars_to_polars.py": "2 of 3 bars are final.",
    "follow_changes.py": "3 bars as they are (begin)",
    "same_answer_again.py": "Made again: the same.",
    "sql_notebook.py": "taker_flow of publication 1",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a serving API listens, over a market in which trades go on."""
    market = SmallMarket(tmp_path_factory.mktemp("market"))
    for clock in ("10:00:10", "10:01:00", "10:05:00", "10:05:01", "10:05:02"):
        market.trade(clock)
    market.trade("10:00:20", price="101", arrives="10:05:03")
    market.cycle()
    stopping = threading.Event()

    def trade_on() -> None:
        while not stopping.wait(0.2):
            market.trade("10:05:30")

    trading = threading.Thread(target=trade_on)
    receipts = vouching(market.lake, market.log.open_reader)
    with market.live_side() as speed, served(market.lake, speed, receipts) as api:
        eventually(api.is_ready)
        trading.start()
        yield f"{api.client.base_url.host}:{api.client.base_url.port}"
        stopping.set()
        trading.join()


def test_every_example_is_tried() -> None:
    assert {file.name for file in EXAMPLES.glob("*.py")} == SAYS.keys()


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_from_top_to_bottom(name: str, address: str) -> None:
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / name), "--address", address], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert SAYS[name] in run.stdout, run.stdout
