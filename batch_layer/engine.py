"""The engine of the batch layer: what does the work of a cycle. Each gives the same tables and publications."""

from __future__ import annotations

from typing import Protocol

from batch_layer.cycle import BatchCycle, Folded
from batch_layer.intake import Intake
from batch_layer.quality.gate import Gate
from twofold.errors import EngineMissing, UnknownName
from twofold.event_log.opening import log_opener
from twofold.lake import Lake
from twofold.publication import Publication
from twofold.settings import Settings
from twofold.views.declared import declared_views

ENGINES = ("polars", "spark")


class Cycle(Protocol):
    """One cycle from the newest publication to the next, by an engine. Stages come in this order, each safe to repeat.

    Attributes:
        parent: The publication that it goes on from.
    """

    parent: Publication

    def ingest(self, max_records: int) -> Intake:
        """Take in records from the cut on and keep them whole in `raw`.

        Raises:
            CycleHeld: one is held that waits for a person.
            EventLogError: the event log cannot be read, or is another than the cut is of.
            Superseded: another cycle is at work.
            EngineError: the engine failed.
        """

    def has_news(self, intake: Intake) -> bool:
        """Whether there is something to publish."""

    def fold(self, intake: Intake) -> Folded:
        """Decode, tell first occurrences from repeats and conflicts, look what is missing, and fold every view.

        Raises:
            ArithmeticOverflow: a sum left the range of its type.
            Superseded: another cycle is at work.
            EngineError: the engine failed.
        """

    def publish(self, intake: Intake, folded: Folded) -> Publication:
        """Make the cycle's work public: one commit, by delta-rs whichever the engine.

        Raises:
            CycleHeld: the cycle failed its checks, and is held.
            Superseded: another cycle published first; nothing of this one is public.
        """


def open_cycle(settings: Settings, lake: Lake, engine: str | None = None) -> Cycle:
    """A cycle by an engine of `ENGINES`; by default the one that the settings name.

    Raises:
        UnknownName: there is no such engine.
        EngineMissing: what the engine needs is not installed; nothing was written.
        EngineError: the engine does not start; nothing was written.
        DeclarationError: the file of views cannot be used.
    """
    name = settings.engine if engine is None else engine
    if name not in ENGINES:
        raise UnknownName("engine", name, ENGINES)
    if name == "spark":
        return _by_spark(settings, lake)
    return polars_cycle(settings, lake)


def polars_cycle(settings: Settings, lake: Lake) -> BatchCycle:
    """A cycle by Polars, whichever engine the settings name."""
    return BatchCycle(
        lake,
        log_opener(settings),
        declared_views(settings.views),
        settings.sources,
        settings.default_source,
        settings.hole_age_s,
        gate=Gate(settings.quality_price_factor),
    )


def _by_spark(settings: Settings, lake: Lake) -> Cycle:
    try:
        from batch_layer.spark.cycle import SparkCycle, Topic  # noqa: PLC0415  # an extra, and slow to import
        from batch_layer.spark.session import open_session  # noqa: PLC0415  # likewise
    except ModuleNotFoundError as error:
        raise EngineMissing(
            f"The Spark engine needs the package {error.name!r}, which is not installed. Install the extra: "
            "`pip install 'twofold[spark]'`; or set TWOFOLD_ENGINE=polars. Nothing was written."
        ) from error
    return SparkCycle(
        open_session(settings.spark_master),
        Topic(settings.brokers, settings.topic, settings.kafka),
        lake,
        log_opener(settings),
        declared_views(settings.views),
        settings.sources,
        settings.default_source,
        settings.hole_age_s,
        gate=Gate(settings.quality_price_factor),
    )
