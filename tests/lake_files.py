"""The files of a lake, to be broken by tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from twofold.lake import Lake

TABLES = ("raw", "trades", "ledger", "dead_letters", "views/bars", "views/taker_flow")


class LakeFiles:
    """Finds files of tables, and breaks them."""

    def __init__(self, lake: Lake) -> None:
        self.root = Path(lake.root)

    def log(self, table: str) -> Path:
        """The folder of a table's log."""
        return self.root / table / "_delta_log"

    def head(self, table: str) -> int:
        """The highest version of a table that has a commit file."""
        return max(int(path.stem) for path in self.log(table).glob("*.json"))

    def commit(self, table: str, version: int) -> Path:
        """A commit file."""
        return self.log(table) / f"{version:020d}.json"

    def added(self, table: str, version: int) -> Path:
        """The first data file that a commit added."""
        lines = [json.loads(line) for line in self.commit(table, version).read_text(encoding="utf-8").splitlines()]
        return self.root / table / next(line["add"]["path"] for line in lines if "add" in line)

    def checkpoint(self, table: str) -> Path:
        """Make a checkpoint of a table's head."""
        DeltaTable(str(self.root / table)).create_checkpoint()
        return self.log(table) / f"{self.head(table):020d}.checkpoint.parquet"

    def change_action(self, table: str, version: int, kind: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Write a commit again with one kind of its actions changed."""
        lines = [json.loads(line) for line in self.commit(table, version).read_text(encoding="utf-8").splitlines()]
        for line in lines:
            if kind in line:
                change(line[kind])
        self.commit(table, version).write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")


def empty(path: Path) -> None:
    """Leave nothing of a file but its name."""
    path.write_bytes(b"")


def cut_in_half(path: Path) -> None:
    """Leave the first half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def damage_inside(path: Path) -> None:
    """Leave of a Parquet file its size, its ends and what its footer says."""
    content = path.read_bytes()
    footer = 8 + int.from_bytes(content[-8:-4], "little")
    path.write_bytes(content[:4] + b"\xff" * (len(content) - footer - 4) + content[-footer:])
