"""The run of one seed: the steps of its plan, one method for each action."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

from batch_layer.turn import turn
from conformance.disk import Disk
from conformance.plan import Plan, Point, Step
from conformance.process import Kafka, Process
from conformance.publications import vacuum
from conformance.referee import Broken, Referee
from conformance.report import Report
from conformance.system import System
from conformance.topic import Topic
from conformance.traffic import PARTITIONS, Message
from conformance.watch import NotInTime, SlowReader, Watch, never_reading
from twofold.lake import Lake

_KILLED = 128 + 9
_LEAST_FILE_BYTES = 1_024  # so much the process may have to say


class Run:
    """One seed's run; also a context manager, which leaves no process behind."""

    def __init__(self, plan: Plan, folder: Path, kafka: Kafka, brokers: str, report: Report) -> None:
        folder.mkdir(parents=True)
        self._plan = plan
        self._folder = folder
        self._report = report
        self._disk = Disk(folder / "lake")
        name = f"seed-{plan.seed}"
        self._topic = Topic(brokers, name, PARTITIONS)
        self._system = System(folder, self._disk.folder, kafka, brokers, name)
        host, port = self._system.address
        self._watch = Watch(f"http://{host}:{port}", plan.seed)
        self._referee = Referee(self._topic, self._system, self._watch, report)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.stop()
        self._system.stop()
        self._report.unforeseen.update(self._system.unforeseen())

    def close(self, *, keep: bool) -> None:
        """Let go of the lake's disk; what is on it stays in the folder if it is to be kept."""
        self._disk.close(self._folder / "kept-lake" if keep else None)

    def open(self) -> None:
        """Start everything, and come to the first publication.

        Raises:
            Broken: something is not as it must be.
        """
        self._produce(self._plan.opening)
        self._run_cycle()
        for name in ("speed", "serving"):
            self._system.parts[name].start()
        self._watch.start()
        self._referee.judge()

    def take(self, step: Step) -> None:
        """Take one step.

        Raises:
            Broken: something is not as it must be.
        """
        self._report.actions[step.action] += 1
        self._report.kinds.update(step.kinds)
        try:
            if step.action == "partitions_added":
                self._topic.add_partition()
            self._produce(step.sent)
            getattr(self, f"_{step.action}")(step, **step.arguments)
        except NotInTime as late:
            raise Broken(str(late)) from late
        self._referee.judge()

    def _cycle(self, step: Step, *, compacts: bool) -> None:
        self._run_cycle(*(["--compact"] if compacts else []))
        self._produce(step.meanwhile)

    def _kill(
        self,
        step: Step,
        *,
        parts: Sequence[str],
        back: Sequence[str],
        cycle_before: bool,
        cycle_after: bool,
        point: Point | None = None,
        amid_burst: bool = False,
    ) -> None:
        if cycle_before:
            self._run_cycle()
        if point is not None:
            self._kill_cycle(point)
        live = [part for part in parts if part != "cycle"]
        if amid_burst:
            with self._topic.producing(step.meanwhile):
                self._kill_parts(live)
                began_s = self._bring_back(back)
        else:
            self._kill_parts(live)
            if "kafka" not in parts:
                self._produce(step.meanwhile)
            began_s = self._bring_back(back)
            if "kafka" in parts:
                self._produce(step.meanwhile)
        fresh_s = self._referee.settle()
        beside = "alone" if len(parts) == 1 else "others"
        for part in live:
            self._report.recoveries_s[part, beside].append(fresh_s - began_s[part])
        if cycle_after:
            process = self._run_cycle()
            if point is not None:
                self._report.recoveries_s["cycle", beside].append(self._referee.settle() - process.started_at_s)

    def _two_cycles(self, step: Step, *, way: str, point: Point, compacts: bool) -> None:
        options = ["--compact"] if compacts else []
        if way == "side_by_side":
            both = [self._system.cycle("--without-turn", *options), self._system.cycle("--without-turn")]
            self._produce(step.meanwhile)
            for process in both:
                self._ends(process, may_fail=True)
        else:
            alone = ["--without-turn"] if way == "other_ends_first" else []
            first = self._system.cycle(*alone, *options, "--halt", *point, "--tell", str(self._system.told))
            halted = first.wait_until_halted()
            self._produce(step.meanwhile)
            self._ends(self._system.cycle(), may_fail=halted and way == "other_waits")
            first.go_on()
            self._ends(first, may_fail=way == "other_ends_first")
        self._run_cycle()

    def _vacuum(self, step: Step, *, full: bool, kills_serving: bool) -> None:
        self._run_cycle("--compact")
        with turn(Lake(str(self._system.lake))):
            gone = list(vacuum(self._system.lake, self._referee.newest, full=full))
        self._report.vacuumed += len(gone)
        if kills_serving:
            self._kill_and_bring_back("serving")
        self._produce(step.meanwhile)
        self._run_cycle()

    def _speed_paused(self, step: Step, *, seconds: float, trims: bool) -> None:
        self._referee.settle()
        stood = self._topic.ends()
        speed = self._system.parts["speed"]
        speed.pause()
        self._produce(step.meanwhile)
        self._referee.note_records()
        if trims:
            lane, end = max(self._topic.ends().items(), key=lambda item: item[1] - stood.get(item[0], 0))
            self._trim(lane, end - 1)
            self._referee.note_passed(lane, stood[lane], end - 1)
        self._run_cycle()
        time.sleep(seconds)
        speed.go_on()

    def _partitions_added(self, step: Step) -> None:
        self._produce(step.meanwhile)
        self._run_cycle()

    def _retention(self, step: Step, *, place: int, beyond_cut: int, cycle_after: bool, kills_speed: bool) -> None:
        self._referee.settle()
        lanes = self._topic.lanes
        lane = lanes[place % len(lanes)]
        end, cut = self._topic.ends()[lane], self._referee.newest.cut.get(lane, 0)
        self._trim(lane, max(0, min(cut + beyond_cut, end)))
        if kills_speed:
            self._kill_and_bring_back("speed")
        self._produce(step.meanwhile)
        self._referee.judge()
        if cycle_after:
            self._run_cycle()

    def _disk_full(self, step: Step, *, room_bytes: int) -> None:
        if self._disk.is_own:
            self._report.disks["tmpfs"] += 1
            self._disk.fill(room_bytes)
            self._ends(self._system.cycle(), may_fail=True)
        else:
            self._report.disks["file-size limit"] += 1
            self._ends(self._system.cycle("--largest-file", str(_LEAST_FILE_BYTES + room_bytes // 16)), may_fail=True)
        self._produce(step.meanwhile)
        self._referee.judge()
        self._disk.empty()
        self._run_cycle()

    def _slow_readers(self, step: Step, *, pause_ms: int, cycle_amid: bool) -> None:
        self._referee.settle()
        reader = SlowReader(self._system.address, pause_ms / 1000)
        with closing(never_reading(self._system.address)):
            reader.start()
            self._produce(step.meanwhile)
            if cycle_amid:
                self._run_cycle()
            self._referee.judge()
            reader.join()
        if reader.instant is None or not reader.instant.body:
            raise Broken(f"a slow reader got no whole answer: {reader.instant}")
        self._referee.note_late(reader.instant)

    def _produce(self, messages: Sequence[Message]) -> None:
        self._topic.produce(messages)

    def _run_cycle(self, *options: str) -> Process:
        process = self._system.cycle(*options)
        self._ends(process, may_fail=False)
        return process

    def _ends(self, process: Process, *, may_fail: bool) -> None:
        """Wait for the end of a batch cycle, which fails by an error that was foreseen, if at all."""
        code = process.wait()
        if code:
            self._referee.note_unpublished()
        if "Traceback" in process.words or code not in ((0, 1) if may_fail else (0,)):
            raise Broken(f"a batch cycle ended with exit code {code}:\n{process.words}")

    def _kill_cycle(self, point: Point) -> None:
        process = self._system.cycle("--kill", *point, "--tell", str(self._system.told))
        if (code := process.wait()) != _KILLED:
            raise Broken(f"a batch cycle was to be killed {' '.join(point)}, and ended with {code}:\n{process.words}")
        self._referee.note_unpublished()
        self._report.kills["cycle"] += 1
        self._report.points[self._system.told.read_text(encoding="utf-8")] += 1

    def _kill_parts(self, parts: Sequence[str]) -> None:
        self._referee.serving_was_away |= "serving" in parts
        for part in parts:
            self._system.parts[part].kill()
            self._report.kills[part] += 1

    def _bring_back(self, parts: Sequence[str]) -> dict[str, float]:
        """Start parts in this order, and return from when on each can recover; Unix time."""
        for part in parts:
            process = self._system.parts[part]
            process.start()
            if isinstance(process, Kafka):
                process.wait_until_ready()
        ready_s = time.time() if "kafka" in parts else 0.0
        began_s = {part: self._system.parts[part].started_at_s for part in parts}
        return {part: at if part == "kafka" else max(at, ready_s) for part, at in began_s.items()}

    def _kill_and_bring_back(self, part: str) -> None:
        self._kill_parts([part])
        began_s = self._bring_back([part])
        self._report.recoveries_s[part, "alone"].append(self._referee.settle() - began_s[part])

    def _trim(self, lane: str, offset: int) -> None:
        self._referee.note_records()
        self._topic.trim(lane, offset)
        self._referee.note_records()
