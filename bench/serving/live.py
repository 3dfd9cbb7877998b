"""The last 100 bars of a symbol over sockets, while nothing happens and while trades are ingested.

The parts of `twofold up` are started. Serving, a plain FastAPI route with the same rows and the raw bytes of an answer,
each a process of its own under uvicorn, are asked in turns by a few connections that ask again at once. Requests a
second are what a side answers alone; where the machine has few processors, those who ask and ingest take their part of
it, so the processor time that each request took of its server stands beside.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import httpx
import psutil
from rich.console import Console
from rich.table import Table

FRESHNESS = Path(__file__).parents[1] / "freshness"
sys.path.append(str(FRESHNESS))

from system import NotReady, System, running_system
from waiting import percentile

from twofold.port import free_port, listens
from twofold.sources.market import Market
from twofold.sources.message import Message
from twofold.sources.writer import TradeWriter

HERE = Path(__file__).parent
SYMBOL = "BTCUSDT"
PLACE = f"/v1/views/bars?symbol={SYMBOL}&last=100"
PARTITIONS, CYCLE_EVERY_S = 4, 10
HISTORY_S, HISTORY_TRADES = 7_500, 40_000
CONNECTIONS = 4
LEAD_S = 6.0
PLAIN_TIMES, RAW_SHARE, P99_TIMES = 5.0, 0.5, 2.0


@dataclass
class Side:
    """One server that is asked, and how it answered, by what went on meanwhile."""

    port: int
    place: str
    process: psutil.Process
    waits_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    asked_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    cpu_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    refused: int = 0

    def rate(self, meanwhile: str) -> float:
        """Answers a second."""
        return len(self.waits_s[meanwhile]) / self.asked_s[meanwhile]

    def us(self, meanwhile: str) -> float:
        """Processor time of the server for each answer, in microseconds."""
        return self.cpu_s[meanwhile] / len(self.waits_s[meanwhile]) * 1e6


def measure_live(rate: int, rounds: int, seconds: float) -> int:
    """Measure and report; 1 when the measurement cannot be trusted."""
    environment = {
        "TWOFOLD_PARTITIONS": str(PARTITIONS),
        "TWOFOLD_CYCLE_INTERVAL_S": str(CYCLE_EVERY_S),
        "TWOFOLD_REQUESTS_PER_S": "1000000",
    }
    try:
        with TemporaryDirectory(prefix="twofold-bench-") as folder, running_system(Path(folder), environment) as system:
            warm_up(system)
            with sides_of(system, Path(folder)) as sides:
                for meanwhile in ("idle", "ingest"):
                    with ingesting(system, rate if meanwhile == "ingest" else 0, rounds, seconds, Path(folder)):
                        ask_in_turns(sides, meanwhile, rounds, seconds, Path(folder) / "asked.json")
                return report(sides, system, rate, rounds, seconds)
    except NotReady as error:
        print(error)
        return 1


def warm_up(system: System) -> None:
    """Send two hours of trades, and wait until a batch cycle has published them."""
    settings = system.settings
    system.wait_for_topic()
    market = Market(20, time.time_ns() // 1000 - (HISTORY_S + 60) * 1_000_000, Random(1))
    with TradeWriter(settings.brokers, settings.topic) as writer:
        for _, trade in market.trades(number * HISTORY_S / HISTORY_TRADES for number in range(HISTORY_TRADES)):
            writer.write(Message(trade.symbol.encode(), trade.to_json(), []))
    system.wait_for_answers()


@contextmanager
def sides_of(system: System, folder: Path) -> Iterator[dict[str, Side]]:
    """Start the servers beside ours, and stop them."""
    host, port = system.settings.serving_address.split(":")
    answered = httpx.get(f"http://{host}:{port}{PLACE}", timeout=30).raise_for_status()
    if len(answered.json()["rows"]) != 100:
        raise NotReady(f"{PLACE} has {len(answered.json()['rows'])} rows and not 100.")
    (body := folder / "answer.json").write_bytes(answered.content)
    ours = next(
        process
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"][-3:] == ["-m", "twofold", "serve"] and listens_on(process, int(port))
    )
    with ExitStack() as stack:
        sides = {"Twofold": Side(int(port), PLACE, ours)}
        for name, kind, place in (
            ("plain FastAPI route of dicts", "plain", f"/rows?symbol={SYMBOL}&last=100"),
            ("raw bytes", "raw", "/"),
        ):
            beside = free_port()
            command = [sys.executable, str(HERE / "plain.py"), kind, str(beside), str(body)]
            process = stack.enter_context(subprocess.Popen(command))
            stack.callback(process.terminate)
            until_s = time.monotonic() + 60
            while not listens("127.0.0.1", beside) and time.monotonic() < until_s:
                time.sleep(0.1)
            sides[name] = Side(beside, place, psutil.Process(process.pid))
        yield sides


def listens_on(process: psutil.Process, port: int) -> bool:
    """Whether a process listens on a port."""
    return any(each.laddr.port == port and each.status == "LISTEN" for each in process.net_connections())


@contextmanager
def ingesting(system: System, rate: int, rounds: int, seconds: float, folder: Path) -> Iterator[None]:
    """Produce trades meanwhile, if a rate is given."""
    if not rate:
        yield
        return
    settings = system.settings
    start_s = time.monotonic() + LEAD_S
    length_s = round(rounds * 3 * (seconds + 1.0))
    command = [sys.executable, str(FRESHNESS / "producing.py"), settings.brokers, settings.topic, str(PARTITIONS)]
    command += [str(rate), str(length_s), str(start_s), str(folder / "late.json")]
    with subprocess.Popen(command) as producer:
        time.sleep(LEAD_S + 1.0)
        yield
    if producer.returncode:
        raise NotReady("The producer failed.")


def ask_in_turns(sides: dict[str, Side], meanwhile: str, rounds: int, seconds: float, result: Path) -> None:
    """Ask all sides in turns."""
    print(f"Asking each of {len(sides)} sides {rounds} times for {seconds:.0f} s, {meanwhile} …", flush=True)
    for _ in range(rounds):
        for side in sides.values():
            before_s = sum(side.process.cpu_times()[:2])
            command = [sys.executable, str(HERE / "asker.py"), "127.0.0.1", str(side.port), side.place]
            subprocess.run([*command, str(CONNECTIONS), str(seconds), str(result)], check=True)
            side.cpu_s[meanwhile] += sum(side.process.cpu_times()[:2]) - before_s
            said = json.loads(result.read_text())
            side.waits_s[meanwhile] += said["waits_s"]
            side.asked_s[meanwhile] += seconds
            side.refused += said["refused"]


def report(sides: dict[str, Side], system: System, rate: int, rounds: int, seconds: float) -> int:
    """Print figures, aims and settings."""
    table = Table(title="The last 100 bars of a symbol, over sockets", title_justify="left")
    for head in ("side", "meanwhile", "requests/s", "p50 ms", "p99 ms", "server CPU us a request", "requests"):
        table.add_column(head, justify="left" if head in ("side", "meanwhile") else "right")
    for name, side in sides.items():
        for meanwhile, waits_s in side.waits_s.items():
            figures = [f"{percentile(waits_s, share) * 1000:.2f}" for share in (0.5, 0.99)]
            counts = f"{side.us(meanwhile):,.0f}", f"{len(waits_s):,}"
            table.add_row(name, meanwhile, f"{side.rate(meanwhile):,.0f}", *figures, *counts)
    Console(width=130).print(table)
    ours, plain, raw = sides.values()
    p99_ms = {meanwhile: percentile(waits_s, 0.99) * 1000 for meanwhile, waits_s in ours.waits_s.items()}
    for what, reached, aim, is_met in (
        *(
            (f"requests/s beside the plain route, {when}", ours.rate(when) / plain.rate(when), PLAIN_TIMES, "least")
            for when in p99_ms
        ),
        *(
            (f"requests/s beside raw bytes, {when}", ours.rate(when) / raw.rate(when), RAW_SHARE, "least")
            for when in p99_ms
        ),
        ("p99 under ingest beside idle", p99_ms["ingest"] / p99_ms["idle"], P99_TIMES, "most"),
    ):
        met = reached >= aim if is_met == "least" else reached <= aim
        print(f"{what}: {reached:.2f} times, aim at {is_met} {aim:g}: {'met' if met else 'MISSED'}")
    print(f"""Settings:
  machine: {os.cpu_count()} processors, {platform.platform()}, Python {platform.python_version()}
  requests: GET {PLACE}, {CONNECTIONS} connections that are kept and ask again at once; sides in {rounds} turns of \
{seconds:.0f} s; no limit of requests
  ingest: {rate:,} trades/s, open loop, 200 symbols of Zipf volume; batch cycles every {CYCLE_EVERY_S} s
  beside: the same 100 rows by uvicorn, as dicts (decimals and times as Python has them, always the same ones) by a \
plain FastAPI route, and as the bytes of an answer""")
    refused = {name: side.refused for name, side in sides.items() if side.refused}
    for occurred, sentence in (
        (bool(refused), f"requests were refused: {refused}"),
        (system.restarts() > 0, "a part had to be started again"),
    ):
        if occurred:
            print(f"NOT VALID: {sentence}.")
    return int(bool(refused) or system.restarts() > 0)
