"""Law 5 in the end: what became of every record, by the API, by the oracle, and by the rows that were answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from oracle import Oracle, OracleAccount

from smoke.capture import CaptureFacts
from smoke.questions import Instant

FATES = ("folded", "duplicates", "dead_letters", "lost")


def lane_lines(oracle: Oracle, lanes: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """One line per lane with its sum, and the lines that are wrong: a sum does not hold or the log says otherwise."""
    accounts = oracle.accounts({lane["lane"]: lane["position"] for lane in lanes})
    lines, wrong = [], []
    for lane in lanes:
        sums = " + ".join(f"{lane[name]:,} {name.replace('_', ' ')}" for name in FATES)
        problem = _problem(lane, accounts.get(lane["lane"], OracleAccount(0, 0, 0, 0)))
        lines.append(f"lane {lane['lane']}: {sums} = {lane['read']:,} read; {problem or 'right'}")
        wrong += [lines[-1]] if problem else []
    unnamed = {record.lane for record in oracle.records} - {lane["lane"] for lane in lanes}
    return lines, wrong + [f"lane {lane} has records and no account" for lane in sorted(unnamed)]


def _problem(lane: Mapping[str, Any], account: OracleAccount) -> str:
    if sum(lane[name] for name in FATES) != lane["read"] or not lane["balanced"]:
        return "the sum does not hold"
    told = {"read": account.read, "folded": account.folded, "duplicates": account.duplicates}
    told |= {"dead_letters": account.dead_letters, "lost": 0}
    return "" if all(lane[name] == count for name, count in told.items()) else f"the oracle counts {told}"


def trades_by_finality(bars: Instant) -> Counter[str]:
    """How many trades the rows of an answer of `bars` hold, by finality."""
    trades: Counter[str] = Counter()
    for row in bars.body.get("rows", ()):
        trades[row["finality"]] += row["trades"]
    return trades


def missing_trades(facts: CaptureFacts, oracle: Oracle, bars: Instant) -> list[str]:
    """What is wrong if not every record of the capture is in the log, or not every trade of the log in the rows."""
    found = []
    if len(oracle.records) != facts.records:
        found.append(f"the capture has {facts.records:,} records, the log {len(oracle.records):,}")
    trades = len(oracle.trades({record.lane: record.offset + 1 for record in oracle.records}))
    if (in_rows := trades_by_finality(bars).total()) != trades:
        found.append(f"the log has {trades:,} trades, the rows {in_rows:,}")
    return found
