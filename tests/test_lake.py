"""The lake on real Delta tables: exact versions to read, exact parents to write on, plain features."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, TableFeatures

from twofold.errors import FeatureForeign, LakeUnreachable, Superseded
from twofold.lake import CHECKPOINT_EVERY, Lake, TableSpec, TableWriter
from twofold.publication import PUBLICATIONS
from twofold.tables import DEAD_LETTERS, GAPS, LEDGER, RAW, TRADES, view_table
from twofold.views import VIEWS

NUMBERS = TableSpec("numbers", pl.Schema({"n": pl.Int64()}))
BY_DAY = TableSpec("by_day", pl.Schema({"n": pl.Int64(), "day": pl.Date()}), ("day",))
SHIPPED = [RAW, TRADES, LEDGER, GAPS, DEAD_LETTERS, PUBLICATIONS, *(view_table(view) for view in VIEWS.values())]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def numbers(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"n": values}, schema=NUMBERS.schema)


def dated(values: Iterable[int], day: int) -> pl.DataFrame:
    rows = {"n": list(values)}
    return pl.DataFrame(rows, schema={"n": pl.Int64}).with_columns(
        day=pl.lit(datetime(2024, 8, day, tzinfo=UTC).date())
    )


def read(writer: TableWriter) -> list[int]:
    found: list[int] = writer.rows().collect()["n"].sort().to_list()
    return found


def head(lake: Lake) -> list[int]:
    found: list[int] = pl.read_delta(lake.address(NUMBERS.name))["n"].sort().to_list()
    return found


def test_a_table_is_made_when_it_is_first_written_to(lake: Lake) -> None:
    assert not lake.exists("numbers")
    writer = TableWriter(lake, NUMBERS)
    assert lake.exists("numbers")
    assert (writer.version, read(writer)) == (0, [])


def test_an_append_is_one_commit_on_the_version_before(lake: Lake) -> None:
    writer = TableWriter(lake, NUMBERS)
    writer.append(numbers(1))
    writer.append(numbers(2, 3))
    assert (writer.version, read(writer)) == (2, [1, 2, 3])


def test_columns_may_come_in_any_order_and_more_of_them(lake: Lake) -> None:
    writer = TableWriter(lake, BY_DAY)
    writer.append(dated([1], 9).select("day", "n").with_columns(other=pl.lit(0)))
    assert writer.rows().collect().schema == BY_DAY.schema


def test_versions_stay_readable_whatever_is_written_later(lake: Lake) -> None:
    writer = TableWriter(lake, NUMBERS)
    writer.append(numbers(1))
    writer.replace(numbers(2))
    writer.bring_back(1)
    contents = [lake.scan("numbers", version).collect()["n"].to_list() for version in range(4)]
    assert contents == [[], [1], [2], [1]]


@pytest.mark.parametrize(("published", "left"), [(None, []), (0, []), (1, [1]), (2, [1, 2]), (3, [1, 2, 3])])
def test_what_was_written_and_never_published_is_dropped(lake: Lake, published: int | None, left: list[int]) -> None:
    crashed = TableWriter(lake, NUMBERS)
    for n in (1, 2, 3):
        crashed.append(numbers(n))
    writer = TableWriter(lake, NUMBERS)
    writer.bring_back(published)
    assert read(writer) == left == head(lake)
    writer.append(numbers(9))
    assert head(lake) == [*left, 9]


def test_nothing_is_written_where_the_head_is_what_was_published(lake: Lake) -> None:
    TableWriter(lake, NUMBERS).append(numbers(1))
    writer = TableWriter(lake, NUMBERS)
    writer.bring_back(1)
    assert writer.version == 1


@pytest.mark.parametrize("others", [1, 2])
def test_a_writer_that_someone_came_before_is_superseded(lake: Lake, others: int) -> None:
    slow, fast = TableWriter(lake, NUMBERS), TableWriter(lake, NUMBERS)
    for n in range(others):
        fast.append(numbers(n))
    for write in (slow.append, slow.replace):
        with pytest.raises(Superseded, match=r"'numbers'.*the next cycle starts again"):
            write(numbers(9))
    assert head(lake) == list(range(others))


def test_two_that_bring_a_table_back_at_once_are_told_apart(lake: Lake) -> None:
    TableWriter(lake, NUMBERS).append(numbers(1))
    one, other = TableWriter(lake, NUMBERS), TableWriter(lake, NUMBERS)
    one.bring_back(None)
    with pytest.raises(Superseded):
        other.bring_back(None)
    one.append(numbers(2))
    assert head(lake) == [2]


def test_whole_partitions_are_replaced_and_others_left(lake: Lake) -> None:
    writer = TableWriter(lake, BY_DAY)
    writer.append(pl.concat([dated([1, 2], 8), dated([3], 9), dated([4], 10)]))
    writer.replace(pl.concat([dated([20], 8), dated([30], 9)]), "day IN ('2024-08-08', '2024-08-09')")
    assert (writer.version, read(writer)) == (2, [4, 20, 30])


def test_files_are_counted_by_partition(lake: Lake) -> None:
    writer = TableWriter(lake, BY_DAY)
    writer.append(pl.concat([dated([1], 8), dated([2], 9)]))
    writer.append(dated([3], 9))
    counts = [writer.file_count(partition) for partition in ("", "day=2024-08-08", "day=2024-08-09", "day=2024-08-10")]
    assert counts == [3, 1, 2, 0]


def test_files_read_by_themselves_add_up_to_the_table(lake: Lake) -> None:
    writer = TableWriter(lake, BY_DAY)
    writer.append(dated([1, 2], 8))
    known = set(lake.files("by_day", 1))
    writer.append(dated([3], 9))
    assert known < set(lake.files("by_day", 2))
    assert lake.read_files("by_day", sorted(set(lake.files("by_day", 2)) - known), ["n"])["n"].to_list() == [3]


def test_opening_stays_quick_by_a_checkpoint_now_and_then(lake: Lake) -> None:
    writer = TableWriter(lake, NUMBERS)
    for n in range(2 * CHECKPOINT_EVERY + 1):
        writer.append(numbers(n))
    log = Path(lake.address("numbers"), "_delta_log")
    assert sorted(int(path.name.split(".")[0]) for path in log.glob("*.checkpoint.parquet")) == [50, 100]
    assert head(lake) == list(range(2 * CHECKPOINT_EVERY + 1))
    assert lake.scan("numbers", 70).collect().height == 70


@pytest.mark.parametrize("spec", SHIPPED, ids=lambda spec: spec.name)
def test_tables_need_no_feature_that_old_readers_lack(lake: Lake, spec: TableSpec) -> None:
    writer = TableWriter(lake, spec)
    writer.append(pl.DataFrame(schema=spec.schema))
    writer.bring_back(0)
    protocol = DeltaTable(lake.address(spec.name)).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert not protocol.reader_features
    assert not protocol.writer_features
    for commit in Path(lake.address(spec.name), "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in commit.read_text(encoding="utf-8").splitlines()]
        assert all(action.keys() & {"metaData", "protocol", "add", "remove", "commitInfo"} for action in actions)


@pytest.mark.parametrize("spec", SHIPPED, ids=lambda spec: spec.name)
def test_tables_give_back_the_types_that_they_are_declared_with(lake: Lake, spec: TableSpec) -> None:
    writer = TableWriter(lake, spec)
    assert writer.rows().collect_schema() == spec.schema


def test_what_is_not_there_is_named(lake: Lake) -> None:
    with pytest.raises(LakeUnreachable, match="no table 'numbers'"):
        lake.open("numbers")
    TableWriter(lake, NUMBERS)
    with pytest.raises(LakeUnreachable, match="'numbers' cannot be read"):
        lake.open("numbers", 7)


def test_a_data_file_of_which_nothing_is_left_is_an_error_and_no_end_of_the_process(lake: Lake) -> None:
    TableWriter(lake, NUMBERS).append(numbers(1))
    (file,) = lake.files("numbers", 1)
    Path(lake.address("numbers"), file.rsplit("/", 1)[1]).write_bytes(b"")
    with pytest.raises(LakeUnreachable, match="'numbers' cannot be read"):
        lake.read_files("numbers", [file], ["n"])


def test_a_folder_that_is_gone_is_noticed(lake: Lake, tmp_path: Path) -> None:
    TableWriter(lake, NUMBERS)
    lake.look_for("numbers")
    (tmp_path / "lake").rename(tmp_path / "elsewhere")
    with pytest.raises(LakeUnreachable, match="is gone"):
        lake.look_for("numbers")


def test_a_file_where_the_folder_should_be_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("not a folder")
    with pytest.raises(LakeUnreachable, match="'numbers'"):
        TableWriter(Lake(str(tmp_path / "lake")), NUMBERS)


def test_a_local_root_is_absolute_and_an_address_is_kept() -> None:
    assert Lake("lake").root == str(Path("lake").resolve())
    assert Lake("lake").is_local
    assert Lake("s3://bucket/lake").address("trades") == "s3://bucket/lake/trades"
    assert not Lake("s3://bucket/lake").is_local


def test_a_table_with_a_feature_that_another_engine_may_not_know_is_refused_by_name(lake: Lake) -> None:
    TableWriter(lake, NUMBERS).append(numbers(1))
    table = lake.open(NUMBERS.name)
    table.alter.add_feature(TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)
    with pytest.raises(FeatureForeign, match=r"'numbers' .*reader 3 and writer 7.*deletionVectors"):
        TableWriter(lake, NUMBERS)
