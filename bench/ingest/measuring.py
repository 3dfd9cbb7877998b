"""Measuring: a side of the comparison as a child process, with the processor time of all that it did."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEBIBYTE = 1024**2


class SideFailed(Exception):
    """A side ended with an error; the message has the end of what it said."""


@dataclass(frozen=True)
class Run:
    """What one run took and found.

    records: how many records it read.
    cpu_s: user and system time of the process and its children, from its start to its end.
    start_up_cpu_s: how much of that was spent before reading began: imports, and making what is needed.
    took_s: from the begin of reading to the last record, by the wall clock; connecting is in it.
    peak_mib: the most memory that it had.
    found: the JSON object that it wrote.
    """

    records: int
    cpu_s: float
    start_up_cpu_s: float
    took_s: float
    peak_mib: float
    found: dict[str, Any]

    @property
    def cpu_s_per_million(self) -> float:
        """Processor seconds for a million records, start-up and all."""
        return self.cpu_s / self.records * 1e6

    @property
    def warm_cpu_s_per_million(self) -> float:
        """The same without the start-up."""
        return (self.cpu_s - self.start_up_cpu_s) / self.records * 1e6

    @property
    def records_a_second(self) -> float:
        """Records read a second, by the wall clock, without the start-up."""
        return self.records / self.took_s


def run(command: list[str], records: int, result: Path) -> Run:
    """Run a side to its end.

    Args:
        command: what to run; it writes a JSON object with at least `start_up_cpu_s` and `took_s` to `result`.
        records: how many records it will read.
        result: the file that it writes.

    Raises:
        SideFailed: it ended with an error.
    """
    said = result.with_suffix(".log")
    with said.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SideFailed(f"{' '.join(command)} ended with exit code {process.returncode}:\n{said.read_text()[-4000:]}")
    found = json.loads(result.read_bytes())
    return Run(
        records=records,
        cpu_s=usage.ru_utime + usage.ru_stime,
        start_up_cpu_s=found["start_up_cpu_s"],
        took_s=found["took_s"],
        peak_mib=usage.ru_maxrss * (1024 / MEBIBYTE),
        found=found,
    )
