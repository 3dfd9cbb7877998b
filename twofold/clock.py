"""The clock: the one place where the time of day is read, so that it can be injected."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Tells the time, in UTC."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """The time of day in UTC."""
    return datetime.now(UTC)


def from_epoch_us(microseconds: int) -> datetime:
    """A time from UTC microseconds since the epoch, exactly."""
    return EPOCH + timedelta(microseconds=microseconds)


def to_epoch_us(time: datetime) -> int:
    """A time as UTC microseconds since the epoch, exactly."""
    return (time - EPOCH) // timedelta(microseconds=1)
