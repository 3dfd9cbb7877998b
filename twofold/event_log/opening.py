"""Opening the event log that the settings name."""

from __future__ import annotations

from twofold.event_log.reader import LogReader
from twofold.lane import Positions
from twofold.records import OpenReader, RecordReader
from twofold.settings import Settings


def log_opener(settings: Settings) -> OpenReader:
    """What opens readers of the topic that the settings name.

    What it gives raises `TopicMissing` and `EventLogUnreachable`.
    """

    def open_reader(start: Positions) -> RecordReader:
        return LogReader(settings.brokers, settings.topic, start)

    return open_reader
