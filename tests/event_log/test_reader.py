import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from twofold.errors import (
    EventLogError,
    EventLogUnreachable,
    LogTruncated,
    TopicMissing,
    TopicReplaced,
)
from twofold.event_log import jars
from twofold.event_log.embedded import EmbeddedKafka
from twofold.event_log.reader import LogReader
from twofold.event_log.topic import Topic, ensure_topic
from twofold.lane import Share
from twofold.records import Lost, RecordBatch

pytestmark = pytest.mark.integration

Row = tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]

Opener = Callable[[str, str, dict[str, int]], LogReader]


def name() -> str:
    return f"read-{uuid.uuid4()}"


def producer(brokers: str, **settings: object) -> KafkaProducer:
    return KafkaProducer(bootstrap_servers=brokers, linger_ms=20, max_request_size=16 * 1024**2, **settings)


def write(brokers: str, topic: Topic, rows: list[tuple], **settings: object) -> dict[str, list[Row]]:
    """Write (partition, key, value, headers); return what must come back, by lane, with the offsets the broker gave."""
    written: dict[str, list[Row]] = {lane: [] for lane in topic.lanes}
    with closing(producer(brokers, **settings)) as writer:
        sent = [writer.send(topic.name, value, key, headers, partition) for partition, key, value, headers in rows]
        for (partition, key, value, headers), future in zip(rows, sent, strict=True):
            written[topic.lane(partition)].append((future.get(30).offset, key, value, tuple(headers)))
    return written


def numbered(count: int, partitions: int = 1) -> list[tuple]:
    return [(i % partitions, b"k%d" % i, b"v%d" % i, []) for i in range(count)]


def rows_of(batches: list[RecordBatch]) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for batch in batches:
        headers = batch.headers or [()] * len(batch)
        rows.setdefault(batch.lane, []).extend(zip(batch.offsets, batch.keys, batch.values, headers, strict=True))
    return rows


def read_until(reader: LogReader, done: Callable[[], bool], max_records: int = 1_000) -> list[RecordBatch]:
    batches = []
    before = reader.positions
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, f"it did not come in time; positions {reader.positions}"
        batches += reader.poll(100, max_records)
        assert all(reader.positions[lane] >= offset for lane, offset in before.items()), "a position went back"
        before = reader.positions
    return batches


def read_all(reader: LogReader, max_records: int = 1_000) -> list[RecordBatch]:
    ends = reader.end_offsets()
    return read_until(reader, lambda: reader.positions == ends, max_records)


def raised_by(poll: Callable[[], object], kind: type[Exception]) -> Exception:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            poll()
        except kind as error:
            return error
    pytest.fail(f"no {kind.__name__} came")


def read_on(reader: LogReader, end: dict[str, int]) -> list[RecordBatch]:
    """Read up to `end`, whatever polls are unreachable before."""
    batches = []
    deadline = time.monotonic() + 60
    while reader.positions != end:
        assert time.monotonic() < deadline, "it did not go on in time"
        with suppress(EventLogUnreachable):
            batches += reader.poll(100, 100)
    return batches


def log_folders(admin: KafkaAdminClient) -> list[Path]:
    return [Path(folder["log_dir"]) for broker in admin.describe_log_dirs() for folder in broker["log_dirs"]]


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(params=[False, True], ids=["fast", "public"])
def open_reader(request: pytest.FixtureRequest) -> Opener:
    """A test that opens its readers by this holds on both paths."""
    return partial(LogReader, public_path=request.param)


@pytest.fixture
def admin(kafka: str) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as client:
        yield client


ODD_RECORDS = [
    (0, b"BTCUSDT", b'{"a": 1}', []),
    (0, None, b"no key", [("source", b"here"), ("collected_us", b"12")]),
    (0, b"tombstone", None, []),
    (0, b"", b"", [("empty", b""), ("empty", b"again")]),
    (0, b"\xff\xfe", b"\x00\n\xff", [("n\u00e4me", b"\xff")]),
    (0, b"long", b"x" * (8 * 1024**2), []),
    (0, b"last", b"after the long one", []),
]


@pytest.mark.parametrize("compression", [None, "gzip", "lz4", "zstd"])
def test_what_was_written_is_read(kafka: str, compression: str | None, open_reader: Opener) -> None:
    topic = ensure_topic(kafka, name(), 1)
    written = write(kafka, topic, ODD_RECORDS, compression_type=compression)
    with open_reader(kafka, topic.name, {}) as reader:
        batches = read_all(reader)
        assert rows_of(batches) == written
        assert batches[-1].next_offset == len(ODD_RECORDS)
        assert reader.lost == []


def test_all_of_many_partitions_are_read_in_order(kafka: str, open_reader: Opener) -> None:
    topic = ensure_topic(kafka, name(), 23)
    written = write(kafka, topic, numbered(5_000, 22))
    with open_reader(kafka, topic.name, {}) as reader:
        assert set(reader.positions) == set(topic.lanes)
        batches = read_all(reader)
        assert rows_of(batches) == {lane: rows for lane, rows in written.items() if rows}


def test_reading_begins_at_the_positions_also_in_the_middle_of_a_batch(kafka: str, open_reader: Opener) -> None:
    topic = ensure_topic(kafka, name(), 2)
    written = write(kafka, topic, numbered(400, 2))
    start = {topic.lane(0): 77, topic.lane(1): 200}
    with open_reader(kafka, topic.name, start) as reader:
        assert reader.positions == start
        assert rows_of(read_all(reader)) == {topic.lane(0): written[topic.lane(0)][77:]}
        assert reader.positions == reader.end_offsets() == {topic.lane(0): 200, topic.lane(1): 200}


def test_a_poll_returns_about_as_many_records_as_asked_for(kafka: str, open_reader: Opener) -> None:
    topic = ensure_topic(kafka, name(), 2)
    written = write(kafka, topic, numbered(2_000, 2), batch_size=500)
    with open_reader(kafka, topic.name, {}) as reader:
        polls = []
        ends = reader.end_offsets()
        while reader.positions != ends:
            polls.append(reader.poll(1_000, 50))
        assert max(sum(len(batch) for batch in poll) for poll in polls) < 100
        assert rows_of([batch for poll in polls for batch in poll]) == written


def test_every_record_carries_the_brokers_time(kafka: str, open_reader: Opener) -> None:
    topic = ensure_topic(kafka, name(), 1)
    with closing(producer(kafka)) as writer:
        futures = [writer.send(topic.name, b"v%d" % i, timestamp_ms=1_000 * i) for i in range(3)]
        stamped = [future.get(30).timestamp for future in futures]
    with open_reader(kafka, topic.name, {}) as reader:
        times = [time_ms for batch in read_all(reader) for time_ms in batch.timestamps_ms]
    assert times == stamped
    assert min(times) > 1_600_000_000_000


def test_where_the_producer_stamps_each_record_keeps_its_own_time(
    kafka: str, admin: KafkaAdminClient, open_reader: Opener
) -> None:
    topic = name()
    admin.create_topics({topic: {"num_partitions": 1}}, wait_for_metadata=True)
    with closing(producer(kafka)) as writer:
        for i in range(3):
            writer.send(topic, b"v%d" % i, timestamp_ms=1_700_000_000_000 - i)
    with open_reader(kafka, topic, {}) as reader:
        times = [time_ms for batch in read_all(reader) for time_ms in batch.timestamps_ms]
    assert times == [1_700_000_000_000, 1_699_999_999_999, 1_699_999_999_998]


def test_aborted_records_never_appear_and_the_position_moves_behind_the_markers(
    kafka: str, open_reader: Opener
) -> None:
    topic = ensure_topic(kafka, name(), 1)
    with closing(producer(kafka, transactional_id=name())) as writer:
        writer.init_transactions()
        for outcome in ("abort", "commit", "abort"):
            writer.begin_transaction()
            for i in range(3):
                writer.send(topic.name, f"{outcome}{i}".encode())
            writer.flush()
            writer.commit_transaction() if outcome == "commit" else writer.abort_transaction()
    with open_reader(kafka, topic.name, {}) as reader:
        batches = read_until(reader, lambda: reader.positions == {topic.lane(0): 12})
        assert [value for batch in batches for value in batch.values] == [b"commit0", b"commit1", b"commit2"]
        assert reader.end_offsets() == reader.positions


def test_a_new_partition_is_noticed_and_read_from_its_beginning(
    kafka: str, admin: KafkaAdminClient, open_reader: Opener
) -> None:
    topic = ensure_topic(kafka, name(), 1)
    with open_reader(kafka, topic.name, {}) as reader:
        admin.create_partitions({topic.name: 2})
        grown = ensure_topic(kafka, topic.name, 2)
        written = write(kafka, grown, numbered(10, 2))
        batches = read_until(reader, lambda: reader.positions == {grown.lane(0): 5, grown.lane(1): 5})
        assert rows_of(batches) == written
        assert reader.topic.partitions == (0, 1)


def test_a_share_has_its_own_partitions_and_no_others_also_when_some_are_added(kafka: str) -> None:
    topic = ensure_topic(kafka, name(), 3)
    write(kafka, topic, numbered(30, 3))
    with LogReader(kafka, topic.name, {topic.lane(0): 4}, share=Share(1, 2)) as reader:
        assert {batch.lane for batch in read_all(reader)} == {topic.lane(1)}
        with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
            admin.create_partitions({topic.name: 5})
        read_until(reader, lambda: reader.positions == {topic.lane(1): 10, topic.lane(3): 0})


def test_a_share_without_partitions_waits_for_one(kafka: str) -> None:
    topic = ensure_topic(kafka, name(), 2)
    with LogReader(kafka, topic.name, {topic.lane(0): 0}, share=Share(2, 3)) as reader:
        assert reader.end_offsets() == {}
        assert [reader.poll(100, 10) for _ in range(10)] == [[]] * 10
        assert reader.positions == {}
        with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
            admin.create_partitions({topic.name: 3})
        grown = ensure_topic(kafka, topic.name, 3)
        end = write(kafka, grown, [(2, b"k", b"v", [])])
        assert rows_of(read_until(reader, lambda: reader.positions == {topic.lane(2): 1})) == {
            topic.lane(2): end[topic.lane(2)]
        }


def test_what_retention_took_before_the_start_is_noted_as_lost(
    kafka: str, admin: KafkaAdminClient, open_reader: Opener
) -> None:
    topic = ensure_topic(kafka, name(), 2)
    written = write(kafka, topic, numbered(40, 2))
    admin.delete_records({TopicPartition(topic.name, 0): 15})
    with open_reader(kafka, topic.name, {topic.lane(0): 4}) as reader:
        assert reader.lost == [Lost(topic.lane(0), 4, 15)]
        first, second = topic.lanes
        assert rows_of(read_all(reader)) == {first: written[first][15:], second: written[second]}


def test_what_retention_takes_while_reading_is_noted_as_lost(
    kafka: str, admin: KafkaAdminClient, open_reader: Opener
) -> None:
    topic = ensure_topic(kafka, name(), 1)
    lane = topic.lane(0)
    with open_reader(kafka, topic.name, {}) as reader:
        reader.pause()
        written = write(kafka, topic, numbered(30))
        admin.delete_records({TopicPartition(topic.name, 0): 20})
        reader.resume()
        batches = read_until(reader, lambda: reader.positions == {lane: 30})
        assert reader.lost == [Lost(lane, 0, 20)]
        assert rows_of(batches) == {lane: written[lane][20:]}


def test_a_paused_reader_returns_nothing_and_then_goes_on(kafka: str, open_reader: Opener) -> None:
    topic = ensure_topic(kafka, name(), 2)
    first = write(kafka, topic, numbered(10, 2))
    with open_reader(kafka, topic.name, {}) as reader:
        assert rows_of(read_all(reader)) == first
        reader.pause()
        second = write(kafka, topic, numbered(10, 2))
        assert reader.poll(500, 100) == []
        assert set(reader.positions.values()) == {5}
        reader.resume()
        assert rows_of(read_all(reader)) == second


def test_the_installed_client_library_is_read_by_the_fast_path(kafka: str, caplog: pytest.LogCaptureFixture) -> None:
    topic = ensure_topic(kafka, name(), 1)
    with caplog.at_level(logging.WARNING, "twofold"):
        with LogReader(kafka, topic.name, {}) as reader:
            assert reader.fast
        with LogReader(kafka, topic.name, {}, public_path=True) as reader:
            assert not reader.fast
    assert not [record for record in caplog.records if record.name.startswith("twofold")]


def test_a_topic_that_does_not_exist_is_missing_and_is_not_made(kafka: str) -> None:
    topic = name()
    for _ in range(2):
        with pytest.raises(TopicMissing, match=topic):
            LogReader(kafka, topic, {})


def test_positions_of_another_topic_are_refused(kafka: str) -> None:
    topic = ensure_topic(kafka, name(), 1)
    strange = f"{uuid.uuid4()}/0"
    with pytest.raises(TopicReplaced, match=rf"{strange}.*{topic.topic_id}"):
        LogReader(kafka, topic.name, {topic.lane(0): 0, strange: 7})


def test_a_topic_that_is_made_anew_while_it_is_read_is_refused(
    kafka: str, admin: KafkaAdminClient, open_reader: Opener
) -> None:
    topic = ensure_topic(kafka, name(), 1)
    with open_reader(kafka, topic.name, {}) as reader:
        admin.delete_topics([topic.name])
        error = raised_by(lambda: reader.poll(100, 100), EventLogError)
        assert isinstance(error, TopicMissing | TopicReplaced)
    ensure_topic(kafka, topic.name, 1)
    with pytest.raises(TopicReplaced):
        open_reader(kafka, topic.name, {topic.lane(0): 0})


def test_a_position_behind_the_end_of_the_log_is_an_error_and_moves_nothing(kafka: str, open_reader: Opener) -> None:
    topic = ensure_topic(kafka, name(), 1)
    write(kafka, topic, numbered(5))
    with open_reader(kafka, topic.name, {topic.lane(0): 9}) as reader:
        for _ in range(2):
            assert topic.lane(0) in str(raised_by(lambda: reader.poll(100, 100), LogTruncated))
        assert reader.positions == {topic.lane(0): 9}


def test_without_a_broker_it_does_not_open_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(EventLogUnreachable):
        LogReader(f"127.0.0.1:{unused_port()}", "trades", {})
    assert threading.active_count() == before


def test_a_closed_reader_leaves_no_thread(kafka: str) -> None:
    topic = ensure_topic(kafka, name(), 1)
    before = threading.active_count()
    with LogReader(kafka, topic.name, {}) as reader:
        reader.poll(10, 10)
    assert threading.active_count() == before


def test_damaged_records_are_an_error_each_time_and_move_nothing(
    kafka: str, admin: KafkaAdminClient, open_reader: Opener
) -> None:
    topic = ensure_topic(kafka, name(), 1)
    write(kafka, topic, numbered(10))
    (segment,) = (log for folder in log_folders(admin) for log in (folder / f"{topic.name}-0").glob("*.log"))
    damaged = segment.read_bytes()
    with segment.open("r+b") as file:
        file.seek(damaged.index(b"v7"))
        file.write(b"V")
    with open_reader(kafka, topic.name, {}) as reader:
        for _ in range(2):
            assert topic.name in str(raised_by(lambda: reader.poll(100, 100), EventLogError))
        assert reader.positions == {topic.lane(0): 0}


def test_a_broker_that_goes_is_unreachable_and_when_it_is_back_reading_goes_on(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path, unused_port(), jars.default_cache())
    with kafka:
        topic = ensure_topic(kafka.brokers, name(), 1)
        first = write(kafka.brokers, topic, numbered(10))
        readers = [LogReader(kafka.brokers, topic.name, {}, public_path=public) for public in (False, True)]
        assert [rows_of(read_all(reader)) for reader in readers] == [first, first]
    with readers[0], readers[1]:
        for reader in readers:
            raised_by(lambda: reader.poll(100, 100), EventLogUnreachable)  # noqa: B023  # called at once
            with pytest.raises(EventLogUnreachable):
                reader.end_offsets()
        with kafka:
            second = write(kafka.brokers, topic, numbered(10))
            assert [rows_of(read_on(reader, {topic.lane(0): 20})) for reader in readers] == [second, second]
