"""The examination of a real lake, whole and broken in one place at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from lake_files import TABLES, LakeFiles, cut_in_half, empty
from small_market import LANES, SmallMarket

from batch_layer.doctor.examination import Examination, examine
from twofold.account import Account
from twofold.errors import EventLogUnreachable, LakeError, NoLake, TopicMissing
from twofold.lake import CHECKPOINT_EVERY, Lake, TableSpec, TableWriter
from twofold.lane import Positions
from twofold.publication import PUBLICATIONS, Publication, Publications, found_lake, publish
from twofold.records import RecordReader
from twofold.source import SHIPPED_SOURCES
from twofold.tables import LEDGER, RAW, TRADES, view_table
from twofold.views import VIEWS


def found(market: SmallMarket) -> Examination:
    return examine(market.lake, market.log.open_reader, SHIPPED_SOURCES)


def said(market: SmallMarket, check: str) -> list[str]:
    """What was found by one check, in words."""
    return [str(finding) for finding in found(market).findings if finding.check == check]


def publish_changed(market: SmallMarket, **changes: object) -> Publication:
    newest = Publications(market.lake).newest()
    changed = Publication(**{**vars(newest), "sequence": newest.sequence + 1, **changes})
    publish(market.lake, changed)
    return changed


def change_rows(market: SmallMarket, spec: TableSpec, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Publish other rows of a table."""
    writer = TableWriter(market.lake, spec)
    writer.replace(change(writer.rows().collect()))
    tables = Publications(market.lake).newest().tables
    publish_changed(market, tables={**tables, spec.name: writer.version})


def test_a_lake_that_is_whole_is_sound(market: SmallMarket) -> None:
    examination = found(market)
    assert (examination.findings, examination.unchecked) == ([], [])
    assert examination.newest == Publications(market.lake).newest()
    assert set(examination.logs) == {*TABLES, "gap_log", "gaps", "publications"}


def test_a_lake_of_which_nothing_was_published_is_sound(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    assert found(market).findings == []


def test_what_a_killed_cycle_left_is_no_fault(market: SmallMarket) -> None:
    for spec in (RAW, TRADES):
        TableWriter(market.lake, spec).append(pl.DataFrame(schema=spec.schema))
    assert found(market).findings == []


def test_a_lake_with_checkpoints_is_sound(market: SmallMarket, files: LakeFiles) -> None:
    for table in (*TABLES, "publications"):
        files.checkpoint(table)
    market.trade("10:05:00")
    market.cycle()
    assert found(market).findings == []


def test_old_commits_that_were_cleaned_up_behind_a_checkpoint_are_no_fault(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    writer = TableWriter(market.lake, LEDGER)
    for _ in range(CHECKPOINT_EVERY):
        writer.append(pl.DataFrame(schema=LEDGER.schema))
    for path in sorted(LakeFiles(market.lake).log("ledger").glob("*.json"))[:-1]:
        path.unlink()
    assert found(market).findings == []


@pytest.mark.parametrize("table", [*TABLES, "publications"])
@pytest.mark.parametrize(("tear", "what"), [(empty, "is empty; Delta readers pass over"), (cut_in_half, "is cut off")])
def test_a_torn_last_commit_is_found(
    market: SmallMarket, files: LakeFiles, table: str, tear: Callable[[Path], None], what: str
) -> None:
    tear(files.commit(table, 3))
    assert any(line.startswith(f"commit | {table}, version 3: its commit {what}") for line in said(market, "commit"))


def test_a_last_commit_that_lost_whole_lines_is_found(market: SmallMarket, files: LakeFiles) -> None:
    commit = files.commit("trades", 3)
    commit.write_bytes(commit.read_bytes().splitlines()[0])
    assert "is to name 1 files and names 0" in said(market, "commit")[0]


def test_a_torn_commit_that_was_never_published_is_said_to_be_so(market: SmallMarket, files: LakeFiles) -> None:
    TableWriter(market.lake, TRADES).append(pl.DataFrame(schema=TRADES.schema))
    empty(files.commit("trades", 4))
    (line,) = said(market, "commit")
    assert "No publication stands on it" in line
    assert "Put one that does nothing in its place" in line


def test_a_hole_in_a_log_is_found_and_the_publications_that_stand_on_it(market: SmallMarket, files: LakeFiles) -> None:
    files.commit("raw", 2).unlink()
    assert [line[:48] for line in said(market, "commit")] == ["commit | raw, version 2: its commit is missing. "]
    assert [line.split(".")[0] for line in said(market, "publication")] == [
        f"publication | publication {number}: version {number} of table raw cannot be opened" for number in (2, 3)
    ]


def test_an_empty_commit_that_was_restored_over_is_no_fault(market: SmallMarket, files: LakeFiles) -> None:
    TableWriter(market.lake, TRADES).append(TableWriter(market.lake, TRADES).rows().collect())
    empty(files.commit("trades", 4))
    market.trade("10:06:00")
    assert market.cycle().tables["trades"] == 6
    assert found(market).findings == []


@pytest.mark.parametrize("tear", [empty, cut_in_half])
def test_a_broken_checkpoint_is_found(market: SmallMarket, files: LakeFiles, tear: Callable[[Path], None]) -> None:
    tear(files.checkpoint("ledger"))
    (line,) = said(market, "checkpoint")
    assert line.startswith("checkpoint | ledger, version 3: its checkpoint cannot be read")
    assert "since the commits are whole" in line


@pytest.mark.parametrize("hint", [b"", b'{"version":', b"[]", b'{"version":99,"size":3}'])
def test_a_hint_that_leads_to_no_checkpoint_is_found(market: SmallMarket, files: LakeFiles, hint: bytes) -> None:
    files.checkpoint("ledger")
    (files.log("ledger") / "_last_checkpoint").write_bytes(hint)
    assert "_last_checkpoint leads to no checkpoint" in said(market, "checkpoint")[0]


def test_a_missing_data_file_is_found_with_the_publications_that_are_made_of_it(
    market: SmallMarket, files: LakeFiles
) -> None:
    files.added("trades", 2).unlink()
    (line,) = said(market, "data file")
    assert "it is missing. Publications 2 to 3 are made of it." in line


def test_a_data_file_of_another_size_is_found(market: SmallMarket, files: LakeFiles) -> None:
    cut_in_half(files.added("views/bars", 1))
    assert "bytes where its commit says" in said(market, "data file")[0]


def test_a_data_file_without_a_footer_is_found(market: SmallMarket, files: LakeFiles) -> None:
    path = files.added("raw", 3)
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    assert "has no Parquet footer" in said(market, "data file")[0]


def test_the_contents_of_broken_tables_are_not_read(market: SmallMarket, files: LakeFiles) -> None:
    cut_in_half(files.added("trades", 1))
    assert "since trades cannot be read" in found(market).unchecked[0]


def test_a_row_of_a_publication_that_cannot_be_read_is_found(market: SmallMarket, files: LakeFiles) -> None:
    cut_in_half(files.added("publications", 3))
    (line,) = said(market, "publication")
    assert line.startswith("publication | publications, version 3: its row cannot be read")
    assert found(market).newest.sequence == 2


@pytest.mark.parametrize("key", ["delta.setTransactionRetentionDuration", "delta.appendOnly"])
def test_a_property_that_makes_a_table_more_than_plain_is_found(
    market: SmallMarket, files: LakeFiles, key: str
) -> None:
    files.change_action("trades", 0, "metaData", lambda action: action["configuration"].update({key: "true"}))
    assert f"its property {key} is 'true'" in said(market, "table")[0]
    files.change_action("trades", 0, "metaData", lambda action: action["configuration"].update({key: "false"}))
    assert said(market, "table") == []


def test_a_protocol_that_not_every_engine_has_is_found(market: SmallMarket, files: LakeFiles) -> None:
    files.change_action("raw", 0, "protocol", lambda action: action.update(minReaderVersion=3, minWriterVersion=7))
    assert "reader version 3 and writer version 7" in said(market, "table")[0]


def test_a_table_that_is_gone_is_found(market: SmallMarket, files: LakeFiles) -> None:
    shutil.rmtree(files.root / "ledger")
    assert said(market, "table")[0].startswith("table | ledger: it has no log")


def test_publications_that_are_gone_are_found_where_their_tables_are_left(
    market: SmallMarket, files: LakeFiles
) -> None:
    shutil.rmtree(files.root / "publications")
    assert said(market, "table")[0].startswith("table | publications: it has no log")


def test_a_publication_of_a_version_that_does_not_exist_is_found(market: SmallMarket) -> None:
    tables = Publications(market.lake).newest().tables
    publish_changed(market, tables={**tables, "raw": 99, "views/none": 1})
    lines = said(market, "publication")
    assert len(lines) == 2
    assert "publication 4: version 99 of table raw cannot be opened" in lines[0]


def test_a_cut_that_goes_back_is_found_and_a_lane_that_is_gone_from_it(market: SmallMarket) -> None:
    cut = Publications(market.lake).newest().cut
    publish_changed(market, cut={LANES[0]: cut[LANES[0]] - 1})
    assert f"its cut goes back in {LANES[0]}, {LANES[1]}" in said(market, "publication")[0]


def test_an_account_that_does_not_add_up_is_found(market: SmallMarket) -> None:
    accounts = Publications(market.lake).newest().accounts
    publish_changed(market, accounts={**accounts, LANES[0]: Account(read=99)})
    assert f"the account of {LANES[0]} does not add up" in said(market, "publication")[0]


def test_a_sequence_with_a_hole_and_a_repeat_is_found(tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    at = datetime(2024, 8, 9, tzinfo=UTC)

    writer = TableWriter(market.lake, PUBLICATIONS)
    for sequence in (2, 2, 4):
        writer.append(pl.DataFrame([Publication(sequence, at).row()], schema=PUBLICATIONS.schema))
    assert [line.split(": ", 1)[1][:40] for line in said(market, "publication")] == [
        "the publications before it are missing. ",
        "it stands there more than once: two writ",
        "the one before it is 2: those in between",
    ]


def test_a_trade_that_stands_there_twice_is_found(market: SmallMarket) -> None:
    change_rows(market, TRADES, lambda rows: pl.concat([rows, rows[:1]]))
    lines = said(market, "content")
    assert any("1 trades of BTCUSDT at simulator stand there more than once" in line for line in lines)
    assert any("has 7 rows of" in line or "rows of" in line for line in lines)


def test_a_ledger_of_other_ids_than_the_trades_is_found(market: SmallMarket) -> None:
    change_rows(market, LEDGER, lambda rows: rows.clear())
    assert "it has 0 ids of BTCUSDT at simulator where `trades` has 12" in said(market, "content")[0]


def test_records_that_are_missing_from_raw_are_found(market: SmallMarket) -> None:
    change_rows(market, RAW, lambda rows: rows[1:])
    (line,) = said(market, "content")
    assert line.startswith("content | raw, publication 4")
    assert "Nothing mends this" in line


@pytest.mark.parametrize("name", list(VIEWS))
def test_a_view_that_is_not_what_the_trades_fold_to_is_found(market: SmallMarket, name: str) -> None:
    change_rows(market, view_table(VIEWS[name]), lambda rows: pl.concat([rows[:1], rows[:1]]))
    assert f"views/{name}, publication 4: 3 of its groups are not what" in said(market, "content")[0]


def test_a_view_that_this_version_does_not_know_is_told_and_not_compared(market: SmallMarket) -> None:
    editions = Publications(market.lake).newest().editions
    unknown = replace(editions[0], definition=editions[0].definition.replace('"sum"', '"median"'))
    publish_changed(market, editions=(unknown, *editions[1:]))
    (line,) = said(market, "content")
    assert f"{unknown.table}, publication 4: it cannot be compared with `trades`" in line
    assert "median" in line
    assert "Run `twofold doctor` of that version" in line


def test_a_view_that_was_retired_is_not_compared(market: SmallMarket) -> None:
    change_rows(market, view_table(VIEWS["bars"]), lambda rows: rows[:1])
    editions = Publications(market.lake).newest().editions
    publish_changed(market, editions=tuple(replace(each, state="retired", definition="") for each in editions))
    assert said(market, "content") == []


def test_a_topic_made_anew_is_found(market: SmallMarket) -> None:
    market.log = type(market.log)(["other-topic/0"])
    lines, cut = said(market, "event log"), Publications(market.lake).newest().cut
    for line, lane in zip(lines, LANES, strict=True):
        assert f"lane {lane}: the topic of the name has the id other-topic" in line
        assert f"What was not taken in, from {cut[lane]} on, is not to be had; how much that is is not known" in line


def test_another_cluster_with_the_same_topic_is_found(market: SmallMarket) -> None:
    market.log.cluster_id = "mirror"
    lines = said(market, "event log")
    assert [
        f"lane {lane}: it is of cluster cluster, and the cluster that answers is mirror" in line
        for lane, line in zip(LANES, lines, strict=True)
    ] == [True, True]


def test_a_log_that_ends_below_the_cut_is_found(market: SmallMarket) -> None:
    market.log = market.log.up_to({**market.log.end_offsets(), LANES[0]: 4})
    (line,) = said(market, "event log")
    assert f"lane {LANES[0]}: the brokers lost records below the cut at 8: the log is not known to be" in line


def test_a_log_that_lost_its_end_and_has_grown_past_the_cut_again_is_found(market: SmallMarket) -> None:
    market.log.truncate(LANES[0], 4)
    for _ in range(9):
        market.trade("10:07:00")
    (line,) = said(market, "event log")
    assert "the log is what was read up to 4 only, and other records come under the same offsets" in line


def test_what_retention_took_beyond_the_cut_is_found_with_its_range(market: SmallMarket) -> None:
    cut = Publications(market.lake).newest().cut[LANES[0]]
    for _ in range(3):
        market.trade("10:07:00")
    market.log.trim(LANES[0], cut + 2)
    assert f"taken 2 offsets, {cut} to {cut + 1}, before" in said(market, "event log")[0]


def test_retention_below_the_cut_is_no_fault(market: SmallMarket) -> None:
    market.log.trim(LANES[0], Publications(market.lake).newest().cut[LANES[0]])
    assert found(market).findings == []


def test_where_the_event_log_does_not_answer_the_rest_is_checked_all_the_same(
    market: SmallMarket, files: LakeFiles
) -> None:
    def fail(_: Positions) -> RecordReader:
        raise EventLogUnreachable("No Kafka broker answers.")

    empty(files.commit("raw", 3))
    examination = examine(market.lake, fail, SHIPPED_SOURCES)
    assert "No Kafka broker answers." in examination.unchecked[-1]
    assert examination.findings


def test_a_topic_that_is_gone_is_found(market: SmallMarket) -> None:
    def fail(_: Positions) -> RecordReader:
        raise TopicMissing("Kafka has no topic 'trades'.")

    assert [finding.check for finding in examine(market.lake, fail, SHIPPED_SOURCES).findings] == ["event log"]


def test_where_there_is_no_lake_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoLake, match="TWOFOLD_LAKE"):
        examine(Lake(str(tmp_path / "nowhere")), SmallMarket(tmp_path).log.open_reader, SHIPPED_SOURCES)


def test_an_object_store_is_refused(market: SmallMarket) -> None:
    with pytest.raises(LakeError, match="looks at files"):
        examine(Lake("s3://bucket/lake"), market.log.open_reader, SHIPPED_SOURCES)


def test_looking_changes_nothing(market: SmallMarket, files: LakeFiles) -> None:
    found_lake(market.lake)
    before = {path: path.stat().st_mtime_ns for path in files.root.rglob("*")}
    found(market)
    assert {path: path.stat().st_mtime_ns for path in files.root.rglob("*")} == before
