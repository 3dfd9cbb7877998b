"""Answers of a running system made again: `make verify-receipts ANSWERS=n`.

    python tests/receipts [--answers N]

Everything runs on free ports, with batch cycles and a made-up market. Answers are taken at random instants; meanwhile
the speed worker is killed once. Then serving is killed too, so that nothing of it is left, and all answers are made
again. The exit code is 0 only if all of them are the same, byte for byte.
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

CYCLE_INTERVAL_S = 3.0
LEAST_S = 30.0
ANSWERS_A_SECOND = 100.0
MADE_UP_TRADES = 20_000
AT_ONCE = 2
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
        Running(folder, first, CYCLE_INTERVAL_S) as running,
        httpx.Client(base_url=running.serving_url, timeout=600) as client,
    ):
        running.wait_until("The first publication", lambda: _sequence(client) > 0, LIMIT_S)
        _tell(f"Taking {count:,} answers in {seconds:.0f} s.")
        running.replay(rest, facts.span_s / seconds)
        taker = Taker(client, facts.symbols, facts.events_ms, seed=1)
        taker.take(count, seconds, lambda: len(taker.taken) < count / 2)
        running.kill("speed")
        taker.take(count, seconds, lambda: True)
        _tell(
            f"{len(taker.taken):,} answers of {len({each.sequence for each in taker.taken})} publications: "
            f"{', '.join(kinds(taker.taken))}; refused: {dict(taker.refused) or 'none'}."
        )
        running.kill("serve")
        running.wait_until("Serving", lambda: _sequence(client) > 0, LIMIT_S)
        wrong = _all_again(client, taker.taken)
    return wrong + [f"a process was left behind and had to be killed: {process}" for process in running.left_behind]


def _all_again(client: httpx.Client, taken: list[Taken]) -> list[str]:
    started_s = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda each: again(client, each), taken))
    seconds = time.monotonic() - started_s
    wrong = [f"{why}: {each.token}" for each, why in zip(taken, found, strict=True) if why is not None]
    _tell(
        f"{len(taken) - len(wrong):,} of {len(taken):,} answers are identical, made again in {seconds:.1f} s: "
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
