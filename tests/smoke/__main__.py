"""The smoke run: everything started on free ports, a capture replayed, every answer compared with an oracle.

    python tests/smoke [--capture FILE] [--engine polars|spark|mixed] [--system up|compose]

One line an instant, then law 5 lane by lane, then a closing line. The exit code is 0 only if all is as it must be.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the oracle is

from oracle import Oracle

from smoke.accounts import lane_lines, missing_trades, trades_by_finality
from smoke.capture import CaptureFacts, read_facts, write_made_up
from smoke.comparison import Comparison
from smoke.composed import Composed
from smoke.course import Course, run_course
from smoke.engines import ENGINES, Engines
from smoke.running import Running, stop_on_sigterm

EVERY_S = 1.5
LEAST_INSTANTS = 20
LEAST_PUBLICATIONS = 3
MADE_UP_TRADES = 30_000
SYSTEMS = {"up": Running, "compose": Composed}


def main() -> int:
    """Run it all and return the exit code; data and logs of a run that failed are kept."""
    parser = argparse.ArgumentParser(prog="python tests/smoke", description="Run it all and check every answer.")
    parser.add_argument("--capture", type=Path, help="replay this file; by default trades are made up")
    parser.add_argument("--engine", choices=ENGINES, default="polars", help="does the cycles; mixed: they take turns")
    parser.add_argument("--system", choices=SYSTEMS, default="up", help="what is brought up, and by whose commands")
    arguments = parser.parse_args()
    if arguments.system == "compose" and arguments.engine != "polars":
        parser.error("the parts of docker-compose.yml do cycles by polars; leave --engine out")
    capture = arguments.capture
    stop_on_sigterm()
    folder = Path(tempfile.mkdtemp(prefix="twofold-smoke-"))
    try:
        if capture is None:
            write_made_up(capture := folder / "made-up.ndjson", MADE_UP_TRADES, seed=1)
        wrong = smoke(read_facts(capture), folder, SYSTEMS[arguments.system], ENGINES[arguments.engine])
    except (RuntimeError, OSError) as error:
        wrong = [str(error)]
    except KeyboardInterrupt:
        wrong = ["it was interrupted; everything has been stopped"]
    for what in wrong:
        _tell(f"Wrong: {what}")
    if wrong:
        _tell(f"The smoke run has failed. Data and logs are in {folder}.")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def smoke(facts: CaptureFacts, folder: Path, system: type[Running], engines: Engines) -> list[str]:
    """Replay, ask, compare, and return what is wrong."""
    _tell(f"{facts.name}: {facts.records:,} records over {facts.span_s:.0f} s")
    engines = engines._replace(replay_s=max(engines.replay_s, system.least_replay_s))
    course = run_course(facts, folder, system=system, engines=engines, every_s=EVERY_S, tell=_tell)
    _tell("commits to trades: " + ", ".join(f"{count} by {engine}" for engine, count in course.commits.items()))
    left = [f"a process was left behind and had to be killed: {process}" for process in course.left_behind]
    idle = [f"{engine} wrote nothing" for engine in sorted(engines.expected - course.commits.keys())]
    return left + course.failed + idle + judge(facts, course, Oracle(course.records))


def judge(facts: CaptureFacts, course: Course, oracle: Oracle) -> list[str]:
    """Print a line for each instant, each lane, and all of it; return what is wrong."""
    comparison = Comparison(oracle, course.instants)
    wrong = []
    for instant in course.instants:
        verdict = comparison.judge(instant)
        _tell(str(verdict))
        wrong += [f"the answer after {instant.at_s:.1f} s"] if verdict.differences else []
    equal = len(course.instants) - len(wrong)
    lines, wrong_lanes = lane_lines(oracle, course.lanes)
    for line in lines:
        _tell(line)
    bars = course.final[0]
    rows = Counter(row["finality"] for row in bars.body.get("rows", ()))
    trades = trades_by_finality(bars)
    _tell(
        f"{len(course.instants)} instants, {equal} equal; {course.publications} publications during the "
        f"replay; {trades.total():,} trades of {facts.records:,} records accounted for: "
        + ", ".join(
            f"{trades[name]:,} in {rows[name]} {name} rows" for name in sorted({"closed", "provisional", *rows})
        )
    )
    wrong += wrong_lanes + missing_trades(facts, oracle, bars)
    if len(course.instants) < LEAST_INSTANTS:
        wrong.append(f"there were fewer than {LEAST_INSTANTS} instants")
    if course.publications < LEAST_PUBLICATIONS:
        wrong.append(f"there were fewer than {LEAST_PUBLICATIONS} publications during the replay")
    return wrong


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
