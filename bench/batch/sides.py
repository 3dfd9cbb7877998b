"""One side of `make bench-batch`, as a process of its own: `python sides.py SIDE LAKE FOLDER`.

It makes the minute bars of all trades of a lake, twice: once to be warm, and once for the figures. The bars go to
`FOLDER/bars.parquet`, and what they took to `FOLDER/found.json`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import orjson
import polars as pl
import psutil

from twofold.lake import Lake
from twofold.publication import Publication, Publications
from twofold.tables import TRADES, view_table
from twofold.views import VIEWS

BARS = VIEWS["bars"]
ROUNDS = 2
_GROUP = ["venue", "symbol", "window_start"]
COLUMNS = [*_GROUP, "open", "high", "low", "close", "volume", "notional", "trades"]

Side = Callable[[Path], pl.LazyFrame]
"""Makes the bars in a new folder and says where they are."""


def twofold_polars(lake: Lake, publication: Publication) -> tuple[Side, str]:
    """The rebuild as `twofold view build` does it, to a Delta table, a durable commit a day."""
    from batch_layer.view_change.building import fold_all  # noqa: PLC0415  # each side imports its own

    def side(folder: Path) -> pl.LazyFrame:
        spec = view_table(BARS, f"views/{folder.name}")
        return lake.scan(spec.name, fold_all(lake, spec, BARS, publication, lambda *_: None))

    return side, f"polars {pl.__version__}, {pl.thread_pool_size()} threads, in-memory engine, a commit a day"


def twofold_spark(lake: Lake, publication: Publication) -> tuple[Side, str]:
    """The fold by Spark over the same table."""
    from batch_layer.spark.folding import fold  # noqa: PLC0415
    from batch_layer.spark.session import open_session  # noqa: PLC0415

    spark = open_session("local[2]")
    version = publication.tables[TRADES.name]

    def side(folder: Path) -> pl.LazyFrame:
        trades = spark.read.format("delta").option("versionAsOf", version).load(lake.address(TRADES.name))
        fold(BARS, trades).write.parquet(str(folder / "bars"))
        return pl.scan_parquet(folder / "bars" / "*.parquet")

    memory = spark.conf.get("spark.driver.memory", "1g (Spark's default)")
    parts = spark.conf.get("spark.sql.shuffle.partitions")
    return side, f"Spark {spark.version}, local[2], {parts} shuffle partitions, driver memory {memory}, to Parquet"


def bare_polars(lake: Lake, publication: Publication) -> tuple[Side, str]:
    """What one would write in Polars for bars alone."""
    trades = lake.scan(TRADES.name, publication.tables[TRADES.name])

    def side(folder: Path) -> pl.LazyFrame:
        window = pl.col("event_time").dt.truncate("1m").alias("window_start")
        bars = (
            trades.sort("event_time", "trade_id")
            .group_by("venue", "symbol", window)
            .agg(
                open=pl.col("price").first(),
                high=pl.col("price").max(),
                low=pl.col("price").min(),
                close=pl.col("price").last(),
                volume=pl.col("size").cast(pl.Decimal(38, 8)).sum(),
                notional=pl.col("notional").sum(),
                trades=pl.len().cast(pl.Int64),
            )
        )
        bars.collect(engine="streaming").write_parquet(folder / "bars.parquet")
        return pl.scan_parquet(folder / "bars.parquet")

    return side, f"polars {pl.__version__}, {pl.thread_pool_size()} threads, streaming engine, one query, to Parquet"


def bare_duckdb(lake: Lake, publication: Publication) -> tuple[Side, str]:
    """What one would write in DuckDB for bars alone, over the table's Parquet files."""
    import duckdb  # noqa: PLC0415

    files = lake.files(TRADES.name, publication.tables[TRADES.name])
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")

    def side(folder: Path) -> pl.LazyFrame:
        bars = connection.read_parquet(files)
        query = """SELECT venue, symbol, date_trunc('minute', event_time) AS window_start,
          arg_min(price, (event_time, trade_id)) AS open, max(price) AS high, min(price) AS low,
          arg_max(price, (event_time, trade_id)) AS close, sum(size) AS volume, sum(notional) AS notional,
          count(*) AS trades FROM bars GROUP BY ALL"""
        bars.query("bars", query).write_parquet(str(folder / "bars.parquet"))
        return pl.scan_parquet(folder / "bars.parquet")

    return side, f"DuckDB {duckdb.__version__}, 2 threads, one query, to Parquet"


SIDES = {
    "Twofold, polars": twofold_polars,
    "Twofold, spark local[2]": twofold_spark,
    "bare Polars": bare_polars,
    "bare DuckDB": bare_duckdb,
}


def main() -> None:
    """Run one side."""
    name, root, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    lake = Lake(root)
    side, settings = SIDES[name](lake, Publications(lake).newest())
    found: dict[str, Any] = {"settings": settings, "start_up_cpu_s": _cpu_s()}
    for _ in range(ROUNDS):
        began_s, began_cpu_s = time.monotonic(), _cpu_s()
        bars = side(Path(mkdtemp(dir=folder)))
        found |= {"took_s": time.monotonic() - began_s, "work_cpu_s": _cpu_s() - began_cpu_s}
    types = {name: dtype for name, dtype in BARS.partial_schema.items() if name in COLUMNS}
    found["peak_bytes"] = sum(_peak_bytes(each) for each in _processes())
    (folder / "found.json").write_bytes(orjson.dumps(found))
    bars.select(COLUMNS).cast(types).sort(_GROUP).collect().write_parquet(folder / "bars.parquet")
    _end_spark()


def _processes() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def _cpu_s() -> float:
    """What this process, and the Java that Spark runs in, have used."""
    times = [each.cpu_times() for each in _processes()]
    return sum(each.user + each.system + each.children_user + each.children_system for each in times)


def _peak_bytes(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def _end_spark() -> None:
    if "pyspark" in sys.modules:
        from pyspark.sql import SparkSession  # noqa: PLC0415

        if session := SparkSession.getActiveSession():
            session.stop()


if __name__ == "__main__":
    main()
