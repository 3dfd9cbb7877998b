"""The conformance kit: seeded actions against real processes, every answer compared with what is expected.

    python tests/conformance [--seeds N] [--steps M] [--first-seed K]

The plan of a seed is a function of the seed: what is done, in which order, to what, and every record that is produced.
What the operating system decides is when each process gets on: which records are in which micro-batch, where a worker
stands when it is killed, and what is asked meanwhile. The exit code is 0 only if nothing was wrong.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the oracle is

from smoke.running import stop_on_sigterm

from conformance.disk import with_own_mounts
from conformance.plan import Plan, make_plan
from conformance.process import Kafka
from conformance.referee import Broken
from conformance.report import Report, Violation
from conformance.run import Run
from conformance.system import new_kafka

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run the seeds and return the exit code; the data of a seed that broke something is kept."""
    parser = argparse.ArgumentParser(
        prog="python tests/conformance", description="Break parts, and check every answer."
    )
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--steps", type=int, default=25, help="actions of each")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them; the others follow it")
    options = parser.parse_args()
    with_own_mounts()
    stop_on_sigterm()
    folder = Path(tempfile.mkdtemp(prefix="twofold-conformance-"))
    report = Report()
    kafka, brokers = new_kafka(folder / "kafka")
    try:
        kafka.start()
        kafka.wait_until_ready()
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            conform(make_plan(seed, options.steps), folder / f"seed-{seed}", kafka, brokers, report)
    except KeyboardInterrupt:
        report.violations.append(Violation(-1, 0, "the run", "it was interrupted; everything has been stopped"))
    finally:
        kafka.stop()
    for line in report.lines():
        _tell(line)
    report.write(RESULTS / f"seeds-{options.first_seed}-to-{options.first_seed + options.seeds - 1}.json")
    if report.violations:
        _tell(f"The data of what went wrong is in {folder}.")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def conform(plan: Plan, folder: Path, kafka: Kafka, brokers: str, report: Report) -> None:
    """Take the steps of one seed, up to one that breaks something."""
    begun_s = time.monotonic()
    violations = len(report.violations)
    run = Run(plan, folder, kafka, brokers, report)
    (folder / "plan.txt").write_text("\n".join(plan.lines()) + "\n", encoding="utf-8")
    _tell(f"seed {plan.seed}: plan {plan.digest}, whole in {folder / 'plan.txt'}")
    number, action = 0, "the opening"
    try:
        with run:
            run.open()
            for step in plan.steps:
                number, action = step.number, str(step)
                step_begun_s, answers, refusals = time.monotonic(), report.answers, report.refusals
                run.take(step)
                _tell(
                    f"  {number:3}  {time.monotonic() - step_begun_s:5.1f} s  {report.answers - answers:4} answers, "
                    f"{report.refusals - refusals:3} refusals  {action}"
                )
    except (Broken, RuntimeError) as broken:
        report.violations.append(Violation(plan.seed, number, action, str(broken)))
        (folder / "violation.txt").write_text(f"{broken}\n", encoding="utf-8")
        _tell(str(report.violations[-1]))
        for line in plan.steps[number - 1].whole() if number else ():
            _tell(line)
        _tell(f"Once more: make conformance SEEDS=1 STEPS={len(plan.steps)} FIRST_SEED={plan.seed}")
    finally:
        run.close(keep=len(report.violations) > violations)
    report.took_s[plan.seed] = round(time.monotonic() - begun_s, 1)
    if len(report.violations) == violations:
        shutil.rmtree(folder, ignore_errors=True)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
