"""Turns: one cycle at a time on a local lake, and none lost to a cycle that was killed."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from eventually import eventually

from batch_layer.turn import turn
from twofold.errors import TurnTaken
from twofold.lake import Lake

HOLD = """
import sys
from batch_layer.turn import turn
from twofold.lake import Lake
with turn(Lake(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_cycle_is_told_that_it_is_not_its_turn(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    with turn(lake), pytest.raises(TurnTaken, match=r"Another batch cycle.*the next cycle takes in what it leaves"):
        turn(lake).__enter__()


def test_turns_follow_each_other_also_after_a_failure(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    with pytest.raises(RuntimeError), turn(lake):
        raise RuntimeError
    with turn(lake):
        pass


def test_lakes_take_turns_each_for_itself(tmp_path: Path) -> None:
    with turn(Lake(str(tmp_path / "one"))), turn(Lake(str(tmp_path / "other"))):
        pass


def test_an_object_store_has_no_turns() -> None:
    lake = Lake("s3://bucket/lake")
    with turn(lake), turn(lake):
        pass


def test_the_turn_goes_with_the_process_that_held_it_however_it_ended(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    command = [sys.executable, "-c", HOLD, lake.root]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(TurnTaken):
            turn(lake).__enter__()
        holder.kill()
        holder.wait()
        with turn(lake):
            pass


def test_one_who_waits_has_the_turn_before_one_who_had_it(tmp_path: Path) -> None:
    lake, order = Lake(str(tmp_path)), []
    is_waiting = threading.Event()

    def live() -> None:
        is_waiting.set()
        with turn(lake, 60):
            order.append("live")

    thread = threading.Thread(target=live)
    with turn(lake, 60):
        order.append("backfill")
        thread.start()
        is_waiting.wait()
        eventually(lambda: _is_locked(tmp_path / ".cycle.next"))
    with turn(lake, 60):
        order.append("backfill")
    thread.join()
    assert order == ["backfill", "live", "backfill"]


def test_waiting_ends_when_the_time_is_up(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    with turn(lake), pytest.raises(TurnTaken):
        turn(lake, 0.05).__enter__()


def _is_locked(path: Path) -> bool:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
