"""Checking beside serving: samples are made again in a process of their own, which takes what processor time is left.

The process is started for some samples and ends with them. It has no cache of anything, and no part in serving's
threads.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import orjson

from serving.receipts.opening import open_remaker
from serving.receipts.verification import Outcome, Sample, check_with
from twofold.errors import ReceiptError
from twofold.settings import load_settings
from twofold.supervision.standing_back import standing_back

LIMIT_S = 600.0
"""Seconds after which a round is given up."""

_SHOWN = 500


def check_beside(samples: Sequence[Sample]) -> list[Outcome]:
    """Make samples again in another process, by the settings of this one.

    Raises:
        ReceiptError: the process failed.
    """
    told = b"\n".join(orjson.dumps(asdict(sample)) for sample in samples)
    command = [*standing_back(), sys.executable, "-m", "serving.receipts.checking"]
    try:
        run = subprocess.run(command, input=told, capture_output=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReceiptError(f"The process that makes them again did not end well: {error}.") from error
    if run.returncode:
        words = run.stderr.decode(errors="replace")[-_SHOWN:]
        raise ReceiptError(f"The process that makes them again ended with exit code {run.returncode}: {words}")
    return [Outcome(**orjson.loads(line)) for line in run.stdout.splitlines()]


def _outcomes(lines: Iterator[bytes]) -> Iterator[bytes]:
    samples = [Sample(**orjson.loads(line)) for line in lines if line.strip()]
    for outcome in check_with(open_remaker(load_settings()), samples):
        yield orjson.dumps(asdict(outcome))


if __name__ == "__main__":
    for line in _outcomes(iter(sys.stdin.buffer)):
        sys.stdout.buffer.write(line + b"\n")
