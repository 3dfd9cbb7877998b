"""Opening the event log that the settings name."""

from __future__ import annotations

from twofold.event_log.reader import LogReader
from twofold.lane import ALL_LANES, Positions, Share
from twofold.records import OpenReader, RecordReader
from twofold.settings import Settings


def log_opener(settings: Settings, share: Share = ALL_LANES) -> OpenReader:
    """What opens readers of the topic that the settings name, or of a share of its lanes.

    What it gives raises `TopicMissing`, `EventLogUnreachable` and `EventLogDenied`.
    """
    security = settings.kafka

    def open_reader(start: Positions) -> RecordReader:
        return LogReader(settings.brokers, settings.topic, start, share=share, security=security)

    return open_reader
