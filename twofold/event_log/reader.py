"""The reader: reads a topic from given positions on, in whole record batches where that is possible."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import AuthorizationError, LogTruncationError, OffsetOutOfRangeError, RetriableError

from twofold.errors import ClusterDiffers, EventLogError, EventLogUnreachable, LogTruncated, TopicReplaced
from twofold.event_log.brokers import ANSWER_TIMEOUT_MS, in_our_words, knock, refusal, unreachable
from twofold.event_log.canary import take_fast_path
from twofold.event_log.epochs import epoch_at, seek
from twofold.event_log.fast_path import to_batches
from twofold.event_log.fetch_by_id import fetch_by_id
from twofold.event_log.gathering import IDLE_MS, Gathering
from twofold.event_log.security import PLAIN, Security
from twofold.event_log.topic import Topic, describe_topic
from twofold.event_log.watch import TopicWatch
from twofold.lane import ALL_LANES, Lane, Positions, Share
from twofold.log_identity import LogIdentity
from twofold.records import Lost, RecordBatch

_PARTITION_FETCH_BYTES = 4 * 1024**2  # a longer record batch comes whole all the same
_FETCH_BYTES = 32 * 1024**2
_METADATA_AGE_MS = 4_000
_MARKERS_EVERY_S = 0.25


class LogReader:
    """Reads every lane of a topic from given positions on; for use as a context manager, by one thread.

    It belongs to no consumer group and commits nothing: what is read is a function of `start` alone. Lanes that `start`
    does not name are read from offset 0, partitions that are added later too. Records of aborted transactions never
    appear. After `EventLogUnreachable` the next poll goes on where it was; after any other
    error none does.

    Args:
        brokers: `host:port,…`.
        topic: the topic's name.
        start: lane name to the next offset to read; lanes of this topic only.
        share: which lanes to read; partitions that are added later are read if they belong to it.
        public_path: take the client library's public path, for several times the CPU.
        security: how to connect.

    Raises:
        TopicMissing: there is no such topic.
        TopicReplaced: `start` names lanes of another topic.
        EventLogUnreachable: no broker answers.
    """

    def __init__(
        self,
        brokers: str,
        topic: str,
        start: Positions,
        *,
        share: Share = ALL_LANES,
        public_path: bool = False,
        security: Security = PLAIN,
    ) -> None:
        self._brokers = brokers
        self._security = security
        self._share = share
        self._start = dict(start)
        self._names = {Lane.parse(lane).partition: lane for lane in sorted(start, key=Lane.parse)}
        self._epochs: dict[str, int] = {}
        self._positions: dict[str, int] = {}
        self._lanes: dict[TopicPartition, str] = {}
        self._lost: list[Lost] = []
        self._paused = False
        self._astray = False
        self._failure: EventLogError | None = None
        self._markers_passed_s = 0.0
        with ExitStack() as stack:
            self._watch = stack.enter_context(TopicWatch(brokers, topic, security=security))
            self._topic = self._watch.newest()
            self._refuse_other_topics()
            self._consumer = stack.enter_context(closing(_open_consumer(brokers, security)))
            self._fast = not public_path and take_fast_path(self._consumer)
            fetch_by_id(self._consumer, self._topic, self._watch.hurry)
            self._gathering = Gathering(self._consumer)
            self._open_lanes(self._topic)
            self._resources = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the brokers."""
        self._resources.close()

    @property
    def topic(self) -> Topic:
        """The topic that is read, with the partitions that are known by now."""
        return self._topic

    @property
    def fast(self) -> bool:
        """Whether whole record batches are read, and not one record at a time."""
        return self._fast

    @property
    def positions(self) -> dict[str, int]:
        """The next offset to read of every lane; never goes back."""
        return dict(self._positions)

    @property
    def lost(self) -> list[Lost]:
        """What retention took before this reader came to it, in the order in which it was noticed."""
        return list(self._lost)

    @property
    def log(self) -> LogIdentity:
        """What is read, and in which leader epoch each lane's position was reached, where that is known."""
        return LogIdentity(self._topic.cluster_id, self._topic.topic_id, dict(self._epochs))

    def hold_to(self, log: LogIdentity) -> None:
        """See that the positions mean here what they meant in the log that they are of; call it before the first poll.

        That the records below them are still the same, by leader epoch, is seen to by the polls.

        Raises:
            ClusterDiffers: they are of another cluster.
        """
        if log.cluster_id not in ("", self._topic.cluster_id):
            raise self._of_another_cluster(log.cluster_id, self._topic.cluster_id)
        self._epochs = {
            lane: epoch for lane, epoch in log.epochs.items() if self._positions.get(lane) == self._start.get(lane, 0)
        }
        for partition, lane in self._lanes.items():
            self._seek(partition, lane)

    def end_offsets(self) -> dict[str, int]:
        """Ask the brokers up to which offset each lane can be read now.

        Raises:
            EventLogUnreachable: no broker answers.
        """
        with in_our_words(self._brokers):
            ends = self._consumer.end_offsets(list(self._lanes), timeout_ms=ANSWER_TIMEOUT_MS)
        return {self._lanes[partition]: offset for partition, offset in ends.items()}

    def pause(self) -> None:
        """Fetch nothing more until `resume`; `poll` then waits out its time and returns nothing."""
        self._paused = True
        self._consumer.pause(*self._lanes)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused = False
        self._consumer.resume(*self._lanes)

    def poll(self, timeout_ms: int, max_records: int) -> list[RecordBatch]:
        """Return what has been fetched, or what comes within the time, and move the positions behind it.

        One batch per lane (more if records of old message formats lie between). It ends with the record batch that
        reaches `max_records`, as a whole.

        Raises:
            EventLogUnreachable: nothing came, and no broker answers; poll again, later.
            TopicMissing: the topic was deleted.
            TopicReplaced: the topic was deleted and made anew.
            ClusterDiffers: another cluster answers.
            LogTruncated: the broker lost records that had been read.
            EventLogError: what was fetched is corrupt, or the broker refuses.
        """
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        try:
            silence = self._follow_topic()
            batches = self._read(timeout_ms, max_records)
        except EventLogUnreachable:
            raise
        except EventLogError as error:
            self._failure = error  # the library's fetcher never ends a poll after it has failed inside a batch
            raise
        if silence is not None and not batches:
            raise silence
        return batches

    def _follow_topic(self) -> EventLogUnreachable | None:
        try:
            newest = self._watch.newest()
        except EventLogUnreachable as silence:
            return silence
        if newest != self._topic:
            self._open_lanes(newest)
        return None

    def _refuse_other_topics(self) -> None:
        strange = sorted(lane for lane in self._start if Lane.parse(lane).topic_id != self._topic.topic_id)
        if strange:
            where = ", ".join(f"{lane} from {self._start[lane]} on" for lane in strange)
            raise TopicReplaced(
                f"To be read are {where}, but topic {self._topic.name!r} has the id {self._topic.topic_id}: it was "
                "deleted and made anew, or the positions are of another topic. What was not read of those lanes is not "
                "to be had here. Read the topic that they are of (TWOFOLD_TOPIC, TWOFOLD_BOOTSTRAP_SERVERS), or give "
                "them up and go on with this one: `twofold doctor --mend`."
            )

    def _open_lanes(self, topic: Topic) -> None:
        if topic.cluster_id != self._topic.cluster_id:
            raise self._of_another_cluster(self._topic.cluster_id, topic.cluster_id)
        if topic.topic_id != self._topic.topic_id:
            raise self._replaced(topic)
        names, has = self._names, self._share.has
        known = {TopicPartition(topic.name, n): names.get(n) or topic.lane(n) for n in topic.partitions if has(n)}
        new = [partition for partition in known if partition not in self._lanes]
        beginnings = self._beginnings(new)
        self._consumer.assign(list(known))
        for partition in new:
            self._go_to(partition, known[partition], self._start.get(known[partition], 0), beginnings[partition])
        if self._paused:
            self._consumer.pause(*new)
        self._lanes = known
        self._topic = topic

    def _beginnings(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        with in_our_words(self._brokers):
            found: dict[TopicPartition, int] = self._consumer.beginning_offsets(
                partitions, timeout_ms=ANSWER_TIMEOUT_MS
            )
        return found

    def _go_to(self, partition: TopicPartition, lane: str, position: int, beginning: int) -> None:
        if position < beginning:
            self._lost.append(Lost(lane, position, beginning))
            self._epochs.pop(lane, None)
        self._positions[lane] = max(position, beginning)
        self._seek(partition, lane)

    def _seek(self, partition: TopicPartition, lane: str) -> None:
        seek(self._consumer, partition, self._positions[lane], self._epochs.get(lane, -1))

    def _move(self, behind: dict[str, int]) -> None:
        """Move positions, and the epochs with them: one of an earlier position would say that its log was truncated."""
        for partition, lane in self._lanes.items():
            if behind.get(lane, self._positions[lane]) != self._positions[lane]:
                self._positions[lane] = behind[lane]
                self._epochs.pop(lane, None)
                if (epoch := epoch_at(self._consumer, partition, behind[lane])) >= 0:
                    self._epochs[lane] = epoch

    def _read(self, timeout_ms: int, max_records: int) -> list[RecordBatch]:
        """Poll, and move the positions only when everything that came is at hand."""
        if self._astray:  # a poll was left by an exception: what it had taken comes again
            for partition, lane in self._lanes.items():
                self._seek(partition, lane)
        self._astray = True
        try:
            batches = self._fetch(timeout_ms, max_records)
            behind = self._behind_markers()
        except OffsetOutOfRangeError as error:
            self._skip_lost(error.args[0])
            return []
        except LogTruncationError as error:
            parts = {self._lanes[partition]: of and of.offset for partition, of in error.divergent_offsets.items()}
            raise self._truncated(parts) from error
        except RetriableError as error:
            raise unreachable(self._brokers, error) from error
        except AuthorizationError as error:
            raise refusal(self._brokers, error) from error
        except Exception as error:
            raise EventLogError(
                f"What was fetched of topic {self._topic.name!r} behind {self._positions} cannot be read "
                f"({type(error).__name__}: {error}). Look at the broker's log for damaged segments, and at what "
                "compression its producers use; to go on without these records, delete them on the broker, up to an "
                "offset behind them."
            ) from error
        behind |= {batch.lane: max(batch.next_offset, behind.get(batch.lane, 0)) for batch in batches}
        self._move(behind)
        self._astray = False
        return [batch for batch in batches if len(batch)]

    def _fetch(self, timeout_ms: int, max_records: int) -> list[RecordBatch]:
        fetched = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        self._gathering.after(records_came=bool(fetched))
        batches: list[RecordBatch] = []
        for partition, records in fetched.items():
            lane = self._lanes[partition]
            batches.extend(to_batches(lane, records, self._positions[lane]))
        return batches

    def _behind_markers(self) -> dict[str, int]:
        """Where the lanes stand, transaction markers included, which have offsets but are no records.

        Asking costs the square of the number of lanes, so not every poll does.
        """
        now_s = time.monotonic()
        if now_s - self._markers_passed_s < _MARKERS_EVERY_S:
            return {}
        self._markers_passed_s = now_s
        return {lane: self._consumer.position(partition, timeout_ms=0) for partition, lane in self._lanes.items()}

    def _skip_lost(self, out_of_range: dict[TopicPartition, int]) -> None:
        beginnings = self._beginnings(list(out_of_range))
        beyond = sorted(self._lanes[p] for p in out_of_range if self._positions[self._lanes[p]] >= beginnings[p])
        if beyond:
            raise self._truncated(dict.fromkeys(beyond))
        for partition, beginning in beginnings.items():
            lane = self._lanes[partition]
            self._go_to(partition, lane, self._positions[lane], beginning)

    def _truncated(self, parts_at: dict[str, int | None]) -> EventLogError:
        now = describe_topic(self._brokers, self._topic.name, self._security)  # whose offsets may begin again, too
        if now.cluster_id != self._topic.cluster_id:
            return self._of_another_cluster(self._topic.cluster_id, now.cluster_id)
        if now.topic_id != self._topic.topic_id:
            return self._replaced(now)
        where = ", ".join(
            f"{lane} (read up to {self._positions[lane]}, "
            + (f"the same up to {offset})" if offset is not None else "up to where it is the same is not known)")
            for lane, offset in sorted(parts_at.items())
        )
        return LogTruncated(
            f"The broker lost records of topic {self._topic.name!r} that had been read: {where}. This follows an "
            "unclean leader election or a restored disk; new records come under the same offsets. Bring the records "
            "back, or go on with what the log holds now as lanes of their own: `twofold doctor --mend`.",
            parts_at,
        )

    def _replaced(self, topic: Topic) -> TopicReplaced:
        where = ", ".join(f"{lane} from {offset} on" for lane, offset in sorted(self._positions.items()))
        return TopicReplaced(
            f"Topic {topic.name!r} was deleted and made anew while it was read: its id was {self._topic.topic_id} and "
            f"is {topic.topic_id}. Not read, and not to be had any more: {where}. Give those lanes up and go on with "
            "the new topic: `twofold doctor --mend`."
        )

    def _of_another_cluster(self, expected: str, found: str) -> ClusterDiffers:
        return ClusterDiffers(
            f"Kafka at {self._brokers} is cluster {found}, and the positions of topic {self._topic.name!r} are of "
            f"cluster {expected}, as with a mirror or a cluster made anew: the same offsets may be other records. Set "
            "TWOFOLD_BOOTSTRAP_SERVERS to the cluster that was read, or let this one take its place: `twofold doctor "
            "--mend`."
        )


def _open_consumer(brokers: str, security: Security) -> KafkaConsumer:
    knock(brokers, security)
    with in_our_words(brokers):
        return KafkaConsumer(
            bootstrap_servers=brokers.split(","),
            bootstrap_timeout_ms=ANSWER_TIMEOUT_MS,
            client_id="twofold",
            enable_auto_commit=False,
            auto_offset_reset="none",  # anything else passes over lost records without a word
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=IDLE_MS,
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
            metadata_max_age_ms=_METADATA_AGE_MS,
            reconnect_backoff_max_ms=1_000,
            metrics_enabled=False,
            **security.client_options(),
        )
