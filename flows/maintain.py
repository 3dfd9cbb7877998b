"""The maintenance as a Prefect flow: join small files, publish, and remove old ones."""

from __future__ import annotations

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from batch_layer.maintenance.maintenance import Maintenance, Tidied
from batch_layer.maintenance.report import about, by_table
from batch_layer.turn import turn
from flows.assets import tell_assets
from flows.stage import stage, unsearched
from twofold.errors import Superseded, TurnTaken
from twofold.lake import Lake
from twofold.publication import Publication
from twofold.settings import load_settings

ARTIFACT = "maintenance"
"""The key of the artifact that tables what was done to each table."""


@stage
def compact(job: Maintenance) -> dict[str, int]:
    """Join small files."""
    return job.compact()


@stage
def publish(job: Maintenance, changed: dict[str, int]) -> Publication:
    """Make public what was joined, and from which publication on table versions stay."""
    return job.publish(changed)


@stage
def clean(job: Maintenance, publication: Publication) -> list[Tidied]:
    """Remove the files that no publication within retention is made of."""
    return job.clean(publication)


@flow(name="maintain", flow_run_name="maintain", persist_result=False, validate_parameters=True)
def maintain() -> State[object]:
    """Join the small files of the lake's tables, and remove those that no publication within retention is made of."""
    settings = load_settings()
    lake = Lake(settings.lake_root)
    try:
        with turn(lake, settings.cycle_interval_s):
            job = Maintenance(lake, settings.retention_s)
            publication = publish(unsearched(job), compact(unsearched(job)))
            tidied = clean(unsearched(job), unsearched(publication))
    except TurnTaken as taken:
        return Completed(name="Skipped", message=str(taken))
    except Superseded as superseded:
        return Completed(name="Superseded", message=str(superseded))
    if publication != job.parent:
        tell_assets(lake, settings.topic, job.parent, publication)
    create_table_artifact(by_table(tidied, is_done=True), key=ARTIFACT, description=about(job.retention))
    freed = sum(each.removed.data_bytes for each in tidied)
    joined = sum(each.before - each.after for each in tidied)
    message = f"Publication {publication.sequence}: {joined} files fewer, {freed} bytes freed."
    get_run_logger().info(message)
    return Completed(message=message)
