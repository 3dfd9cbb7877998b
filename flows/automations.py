"""Automations: what the Prefect server does by itself about what it hears of a Twofold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal, NamedTuple

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ActionTypes, ChangeFlowRunState, DoNothing, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.settings import PREFECT_API_URL

from twofold.errors import SchedulerUnreachable, UnknownName
from twofold.prefect_events import CYCLE_HELD, HEARTBEAT, STATE, lake_resource, worker_resource
from twofold.settings import Settings

SILENT = timedelta(minutes=2)
"""Without a heartbeat of a live speed worker for so long, live data is stale: four beats."""

UNPUBLISHED = timedelta(minutes=10)
"""Without a publication for so long, published data is stale."""

ZOMBIE = timedelta(minutes=10)
"""A run whose process has been silent for so long has crashed: three heartbeats at Prefect's default pace."""

_RUN_BEAT = "prefect.flow-run.heartbeat"
_ENDED = tuple(f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed"))
_PUBLISHED = "prefect.asset.materialization.succeeded"

Applied = Literal["created", "changed", "unchanged"]


class Outcome(NamedTuple):
    """What became of an automation."""

    name: str
    applied: Applied


def apply_automations(settings: Settings) -> list[Outcome]:
    """Have the server that PREFECT_API_URL names keep the automations; what is so already is not touched.

    One that was paused by hand stays paused.

    Raises:
        SchedulerUnreachable: no Prefect server answers.
        UnknownName: there is no block of the name that TWOFOLD_NOTIFICATION_BLOCK gives.
    """
    try:
        with get_client(sync_client=True) as client:
            wanted = list(automations(settings.topic, _notifies(client, settings.notification_block)))
            return [Outcome(each.name, _apply(client, each)) for each in wanted]
    except (httpx.HTTPError, PrefectException, RuntimeError) as error:
        raise SchedulerUnreachable(
            f"The Prefect server at {PREFECT_API_URL.value()} does not do as asked: {error!r}. Start one, or set "
            "PREFECT_API_URL; then apply again."
        ) from error


def automations(topic: str, block: SendNotification | None) -> Iterator[AutomationCore]:
    """The automations of the Twofold over a topic.

    Args:
        topic: The event log's, by which those of several on one server are told apart.
        block: Says through which block people are notified; without one, the server only keeps that it fired.
    """
    yield _automation(
        f"twofold {topic}: live data is stale",
        "No live speed worker was heard of for two minutes: it is away, paused or catching up.",
        _absence(HEARTBEAT, {"prefect.resource.id": worker_resource(topic, "*"), STATE: "live"}, SILENT),
        _notified(block, "live data is stale"),
    )
    yield _automation(
        f"twofold {topic}: published data is stale",
        "Nothing was published for ten minutes: no cycle gets through, or the source is silent.",
        _absence(_PUBLISHED, {"prefect.resource.id": f"twofold://{topic}/publications"}, UNPUBLISHED),
        _notified(block, "published data is stale"),
    )
    yield _automation(
        f"twofold {topic}: a cycle is held",
        "A batch cycle failed its checks, and waits for a person.",
        EventTrigger(expect={CYCLE_HELD}, match=_labels({"prefect.resource.id": lake_resource(topic)})),
        _notified(block, "a cycle is held"),
    )
    crash = ChangeFlowRunState(
        state=StateType.CRASHED, name="Crashed", message="Its process has been silent for ten minutes."
    )
    yield _automation(
        "twofold: a run is stuck",
        "The process of a run is gone, and has not said how the run ended: the run is set to crashed.",
        EventTrigger(
            after={_RUN_BEAT},
            expect={_RUN_BEAT, *_ENDED},
            match=_labels({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=_labels({"prefect.resource.id": "prefect.tag.twofold", "prefect.resource.role": "tag"}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=ZOMBIE,
        ),
        crash,
    )


def _absence(event: str, labels: dict[str, str], within: timedelta) -> EventTrigger:
    return EventTrigger(
        after={event},
        expect={event},
        match=_labels(labels),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=within,
    )


def _automation(name: str, description: str, trigger: EventTrigger, action: ActionTypes) -> AutomationCore:
    return AutomationCore(name=name, description=description, tags=["twofold"], trigger=trigger, actions=[action])


def _labels(labels: dict[str, str]) -> ResourceSpecification:
    return ResourceSpecification.model_validate(labels)


def _notified(block: SendNotification | None, what: str) -> ActionTypes:
    if block is None:
        return DoNothing()
    return block.model_copy(update={"subject": f"Twofold: {what}"})


def _notifies(client: SyncPrefectClient, name: str) -> SendNotification | None:
    if not name:
        return None
    kind, _, of = name.partition("/")
    try:
        document = client.read_block_document_by_name(of, kind, include_secrets=False)
    except ObjectNotFound:
        exist = client.read_block_documents(include_secrets=False)
        names = [f"{each.block_type.slug}/{each.name}" for each in exist if each.block_type is not None]
        raise UnknownName("Prefect block", name, names) from None
    body = "{{ automation.name }}: {{ automation.description }}\n{{ event.resource.id }} at {{ event.occurred }}"
    return SendNotification(block_document_id=document.id, subject="Twofold", body=body)


def _apply(client: SyncPrefectClient, wanted: AutomationCore) -> Applied:
    found = client.read_automations_by_name(wanted.name)
    if not found:
        client.create_automation(wanted)
        return "created"
    if _told(found[0]) == _told(wanted):
        return "unchanged"
    whole = wanted.model_dump(exclude={"owner_resource"}) | {"enabled": found[0].enabled}
    client.update_automation(found[0].id, AutomationCore(**whole))  # defaults count as set, or they would not be sent
    return "changed"


def _told(automation: AutomationCore) -> dict[str, Any]:
    """What an automation says, in one way of writing: sets of events come in any order."""
    told = AutomationCore(**automation.model_dump()).model_dump(
        mode="json", exclude={"enabled", "owner_resource", "trigger"}
    )
    trigger = automation.trigger.model_dump(mode="json")
    return told | {"trigger": {name: sorted(v) if isinstance(v, list) else v for name, v in trigger.items()}}
