import logging
from types import SimpleNamespace

import pytest
from kafka.consumer.fetcher import Fetcher
from kafka.record.default_records import DefaultRecordBatch

from twofold.event_log.canary import take_fast_path
from twofold.event_log.fast_path import WholeBatches


@pytest.fixture
def consumer() -> SimpleNamespace:
    """As much of a consumer as the canary touches; a real one needs a broker (see the reader's tests)."""
    return SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords))


def test_the_installed_client_library_fits_the_fast_path(
    consumer: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "twofold"):
        assert take_fast_path(consumer)
    assert consumer._fetcher.PartitionRecords is WholeBatches
    assert not caplog.records


def renamed_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Fetcher.PartitionRecords, "_unpack_records")


def other_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_name_only(self: object, **everything: object) -> None:
        """Take no argument by its place."""

    monkeypatch.setattr(Fetcher.PartitionRecords, "__init__", by_name_only)


def renamed_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(DefaultRecordBatch, "_pos")


def positions_that_are_counted_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    take = WholeBatches.take

    def late(self: WholeBatches, n: int | None = None) -> object:
        taken = take(self, n)
        self.next_fetch_offset -= 1
        return taken

    monkeypatch.setattr(WholeBatches, "take", late)


@pytest.mark.parametrize(
    "change", [renamed_method, other_arguments, renamed_buffer, positions_that_are_counted_otherwise]
)
def test_a_release_that_changed_falls_back_to_the_public_path_with_one_warning(
    consumer: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, change: object
) -> None:
    assert callable(change)
    change(monkeypatch)
    with caplog.at_level(logging.WARNING, "twofold"):
        assert not take_fast_path(consumer)
    assert consumer._fetcher.PartitionRecords is Fetcher.PartitionRecords
    (warning,) = caplog.records
    assert "public path" in warning.getMessage()


def test_a_consumer_without_the_known_fetcher_takes_the_public_path() -> None:
    assert not take_fast_path(SimpleNamespace())
    assert not take_fast_path(SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=object)))
