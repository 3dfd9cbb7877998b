"""The batch cycle as a Prefect flow: ingest, fold, publish."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed, Failed

from batch_layer.cycle import Folded
from batch_layer.engine import Cycle, open_cycle
from batch_layer.intake import Intake
from batch_layer.report import by_lane
from batch_layer.turn import turn
from flows.assets import tell_assets
from flows.stage import stage, unsearched
from twofold.errors import CycleHeld, Superseded, TurnTaken
from twofold.hold import Holds
from twofold.lake import Lake
from twofold.prefect_events import CYCLE_HELD, lake_resource
from twofold.publication import Publication
from twofold.quality import Quality
from twofold.settings import load_settings

ARTIFACT = "batch-cycle"
"""The key of the artifact that tables what each cycle did."""

QUALITY = "batch-cycle-quality"
"""The key of the artifact that tables what the checks of a cycle found."""


@stage
def ingest(cycle: Cycle, max_records: int) -> Intake:
    """Take in what the log holds beyond the cut."""
    return cycle.ingest(max_records)


@stage
def fold(cycle: Cycle, intake: Intake) -> Folded:
    """Decode it, tell repeats apart, and fold every view."""
    return cycle.fold(intake)


@stage
def publish(cycle: Cycle, intake: Intake, folded: Folded) -> Publication:
    """Make it public in one commit."""
    return cycle.publish(intake, folded)


@flow(name="batch-cycle", flow_run_name="batch-cycle", persist_result=False, validate_parameters=True)
def batch_cycle(max_records: int | None = None, engine: Literal["polars", "spark"] | None = None) -> State[object]:
    """Move the published cut up to what the event log holds now.

    Args:
        max_records: Take in at most about this many records; the rest waits for the next cycle. By default what the
            setting TWOFOLD_CYCLE_MAX_RECORDS says.
        engine: What does the work. By default what the setting TWOFOLD_ENGINE says.
    """
    settings = load_settings()
    lake = Lake(settings.lake_root)
    try:
        with turn(lake, settings.cycle_interval_s):
            cycle = open_cycle(settings, lake, engine)
            state, publication = _run(cycle, settings.cycle_max_records if max_records is None else max_records)
            if publication is not None:
                tell_assets(lake, settings.topic, cycle.parent, publication)
            return state
    except TurnTaken as taken:
        return Completed(name="Skipped", message=str(taken))
    except CycleHeld as held:
        return _held(lake, settings.topic, held)
    except Superseded as superseded:
        return Completed(name="Superseded", message=str(superseded))


def _held(lake: Lake, topic: str, held: CycleHeld) -> State[object]:
    """The cycle that is held fails, so that somebody looks; those that wait for it have nothing to do."""
    if not held.is_new:
        return Completed(name="Held", message=str(held))
    hold = next(each for each in Holds(lake).all() if each.number == held.number)
    _tell_checks(hold.quality, f"Hold {held.number}: nothing was published.")
    told = {"prefect.resource.id": lake_resource(topic), "prefect.resource.name": f"the lake of {topic}"}
    emit_event(CYCLE_HELD, told, payload={"hold": held.number})
    return Failed(name="Held", message=str(held))


def _tell_checks(quality: Quality, description: str) -> None:
    create_table_artifact([asdict(each) for each in quality.checks], key=QUALITY, description=description)


def _run(cycle: Cycle, max_records: int) -> tuple[State[object], Publication | None]:
    intake = ingest(cycle, max_records)
    if not cycle.has_news(intake):
        ends = f"The log ends at the cut of publication {cycle.parent.sequence}."
        return Completed(name="Nothing new", message=ends), None
    folded = fold(cycle, unsearched(intake))
    publication = publish(cycle, unsearched(intake), folded)
    table = by_lane(cycle.parent, intake, folded)
    create_table_artifact(table, key=ARTIFACT, description=f"Publication {publication.sequence}, records by lane.")
    _tell_checks(publication.quality, f"Publication {publication.sequence}.")
    summary = f"Publication {publication.sequence}: {intake.records} records taken in."
    get_run_logger().info(summary)
    if intake.stalled:
        lanes = ", ".join(intake.stalled)
        get_run_logger().warning("No records came of %s, though the log has more: look at the broker.", lanes)
    return Completed(message=summary), publication
