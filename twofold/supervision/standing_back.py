"""Standing back: how a program is started that takes what processor time others leave."""

from __future__ import annotations

import shutil


def standing_back() -> list[str]:
    """What to put before a command so that it takes what processor time others leave.

    Linux lets an idle process go at once when another one wakes; one that is only nice first ends its slice of some
    milliseconds, which the live side would wait for at each of its steps.
    """
    return ["chrt", "--idle", "0"] if shutil.which("chrt") else ["nice", "-n", "10"]
