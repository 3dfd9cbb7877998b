"""Answers of a running system made again: `make verify-receipts ANSWERS=n`.

    python tests/receipts [--answers N]

Everything runs on free ports, with batch cycles and a made-up market. Answers are taken at random instants; meanwhile
the speed worker is killed once. Then serving is killed too, so that nothing of it is left. Some answers are made again
at once, so that Kafka is needed, and all of them when the batch side has taken everything in. The exit code is 0 only
if all of them are the same, byte for byte.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the smoke run's parts are

from smoke.capture import CaptureFacts, read_facts, write_made_up
from smoke.course import FIRST_SHARE
from smoke.running import Running, stop_on_sigterm

from receipts.taking import Taken, Taker, again, kinds

ENVIRONMENT = {"TWOFOLD_CYCLE_INTERVAL_S": "3"}
LEAST_S = 30.0
ANSWERS_A_SECOND = 100.0
MADE_UP_TRADES = 20_000
AT_ONCE = 2
PARTS = 4
LEAST_PUBLICATIONS = 2
FEW = 50
NEWS_S = 120.0
LIMIT_S = 600.0
"""Seconds that nothing takes, also on a machine that is busy otherwise."""

SHOWN = 5


def main() -> int:
    """Run it all and return the exit code; data and logs of a run that failed are kept."""
    parser = argparse.ArgumentParser(prog="python tests/receipts", description="Make a running system's answers again.")
    parser.add_argument("--answers", type=int, default=10_000, help="how many answers are taken; 10,000 by default")
    count = parser.parse_args().answers
    stop_on_sigterm()
    folder = Path(tempfile.mkdtemp(prefix="twofold-receipts-"))
    try:
        write_made_up(capture := folder / "made-up.ndjson", MADE_UP_TRADES, seed=1)
        wrong = verify(read_facts(capture), folder, count)
    except (RuntimeError, OSError) as error:
        wrong = [str(error)]
    except KeyboardInterrupt:
        wrong = ["it was interrupted; everything has been stopped"]
    for what in wrong[:SHOWN]:
        _tell(f"Wrong: {what}")
    if wrong:
        _tell(f"{len(wrong)} wrong. Data and logs are in {folder}.")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def verify(facts: CaptureFacts, folder: Path, count: int) -> list[str]:
    """Take answers, make them again, and return what is wrong."""
    first, rest = (folder / f"part-{number}.txt" for number in range(2))
    for path, lines in zip((first, rest), facts.parted(FIRST_SHARE), strict=True):
        path.write_bytes(b"".join(line + b"\n" for line in lines))
    seconds = max(LEAST_S, count / ANSWERS_A_SECOND)
    with (
        Running(folder, first, ENVIRONMENT) as running,
        httpx.Client(base_url=running.serving_url, timeout=600) as client,
    ):
        running.wait_until("The first publication", lambda: _sequence(client) > 0, LIMIT_S)
        _tell(f"Taking {count:,} answers in {seconds:.0f} s.")
        running.replay(rest, facts.span_s / seconds)
        taker = Taker(client, facts.symbols, facts.events_ms, seed=1)
        for part in range(PARTS):
            until = count * (part + 1) // PARTS
            taker.take(until, seconds / PARTS)
            if part == PARTS // 2:
                running.kill("speed")
            _wait_for_news(client, taker.taken[-1].sequence)
        _tell(
            f"{len(taker.taken):,} answers of {taker.publications} publications: {', '.join(kinds(taker.taken))}; "
            f"refused: {dict(taker.refused) or 'none'}."
        )
        running.kill("serve")
        running.wait_until("Serving", lambda: _sequence(client) > 0, LIMIT_S)
        few = taker.taken[:: max(1, count // FEW)]
        wrong = _all_again(client, few, "at once")
        running.wait_until("The last publication", lambda: _is_published(client), LIMIT_S)
        wrong += _all_again(client, taker.taken, "with everything published")
    if taker.publications < LEAST_PUBLICATIONS:
        wrong.append(f"answers were of fewer than {LEAST_PUBLICATIONS} publications")
    return wrong + [f"a process was left behind and had to be killed: {process}" for process in running.left_behind]


def _wait_for_news(client: httpx.Client, sequence: int) -> None:
    """Give the batch side some time to publish, which it has not on a machine that is busy."""
    until_s = time.monotonic() + NEWS_S
    while time.monotonic() < until_s and _sequence(client) <= sequence and not _is_published(client):
        time.sleep(0.5)


def _is_published(client: httpx.Client) -> bool:
    """Whether there is nothing above the cut."""
    try:
        response = client.get("/v1/views/bars", params={"last": 1})
        receipt = response.json()["receipt"] if response.is_success else {}
    except httpx.HTTPError:
        return False
    return bool(receipt) and receipt["cut"] == receipt["positions"]


def _all_again(client: httpx.Client, taken: list[Taken], when: str) -> list[str]:
    started_s = time.monotonic()
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        found = list(pool.map(lambda each: again(client, each), taken))
    finally:
        pool.shutdown(cancel_futures=True)
    seconds = time.monotonic() - started_s
    wrong = [f"{why}: {each.token}" for each, why in zip(taken, found, strict=True) if why is not None]
    _tell(
        f"{len(taken) - len(wrong):,} of {len(taken):,} answers are identical, made again {when} in {seconds:.1f} s: "
        f"{1000 * seconds / max(len(taken), 1):.1f} ms each."
    )
    return wrong


def _sequence(client: httpx.Client) -> int:
    """The newest publication's, or 0 while serving cannot say."""
    try:
        response = client.get("/readyz")
        return int(response.json()["sequence"]) if response.is_success else 0
    except httpx.HTTPError:
        return 0


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
