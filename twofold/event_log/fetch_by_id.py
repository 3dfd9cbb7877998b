"""Fetching by topic id, so that a topic made anew under the old name can never be read for the old one.

By name, a fetch after that is answered with the new topic's records, and offsets begin at 0 again. From version 13 of
the fetch request on (KIP-516, Kafka 3.1) it names the topic by its id, and a broker answers for no other. kafka-python
3 knows that version's form but asks for 12 at most. `TopicIds` stands between its fetcher and the wire: requests are
raised to 13 and get the ids, answers get the names. That is no public interface; where it does not fit, fetches go by
name, and a topic made anew is noticed when the watch next looks.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import InconsistentTopicIdError, UnknownTopicIdError
from kafka.protocol.consumer import FetchRequest, FetchResponse

from twofold.event_log.topic import Topic

_BY_ID_VERSION = 13

_log = logging.getLogger(__name__)


Offsets = Mapping[TopicPartition, int]
Requests = Mapping[int, tuple[FetchRequest, Offsets]]
"""By node."""

_STRANGE = {UnknownTopicIdError.errno, InconsistentTopicIdError.errno}


def fetch_by_id(consumer: KafkaConsumer, topic: Topic, strange: Callable[[], None]) -> bool:
    """Make one consumer fetch a topic by its id; return whether it does, if the broker can.

    Where a broker has no topic of that id (any more), nothing is fetched, and `strange` is called, from another thread.
    """
    try:
        TopicIds(consumer._fetcher, topic, strange)  # noqa: SLF001  # the private surface that is tried out here
    except Exception as error:  # noqa: BLE001  # whatever a release changed, fetching by name goes on
        _log.warning(
            "Fetching by topic id does not fit the installed kafka-python (%s: %s); a topic that is made anew while it "
            "is read is noticed only after some seconds.",
            type(error).__name__,
            error,
        )
        return False
    return True


class TopicIds:
    """Puts a topic's id into a fetcher's requests, and its name into the answers.

    Raises:
        AttributeError: the fetcher is not made as this knows it.
        TypeError: likewise.
    """

    def __init__(self, fetcher: Fetcher, topic: Topic, strange: Callable[[], None]) -> None:
        self._name, self._id = topic.name, uuid.UUID(topic.topic_id)
        self._strange = strange
        self._create, self._handle = fetcher._create_fetch_requests, fetcher._handle_fetch_response  # noqa: SLF001
        self._create()  # with nothing assigned there are none; this sees that they can be made
        fetcher._create_fetch_requests, fetcher._handle_fetch_response = self._with_ids, self._with_names  # noqa: SLF001

    def _with_ids(self) -> Requests:
        requests: Requests = self._create()
        for request, _ in requests.values():
            request._max_version = _BY_ID_VERSION  # noqa: SLF001
            for part in [*request.topics, *request.forgotten_topics_data]:
                part.topic_id = self._id
        return requests

    def _with_names(self, node_id: int, fetch_offsets: Offsets, send_time: float, response: FetchResponse) -> None:
        if response.API_VERSION >= _BY_ID_VERSION:
            for part in response.responses:
                part.topic = self._name
                if any(partition.error_code in _STRANGE for partition in part.partitions):
                    self._strange()
        self._handle(node_id, fetch_offsets, send_time, response)
