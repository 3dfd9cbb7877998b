"""Stages: the tasks of every flow, tried again where that may help."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.tasks import exponential_backoff
from prefect.utilities.annotations import opaque

from twofold.errors import (
    ClusterDiffers,
    EventLogDenied,
    EventLogError,
    LakeUnreachable,
    LogTruncated,
    ServingUnavailable,
    TopicReplaced,
)

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = 3
"""Tries after the first: about 1, 2 and 4 s later, each put off by up to half of that again."""

_MAY_PASS = (EventLogError, LakeUnreachable, ServingUnavailable, OSError)
_STAYS = (ClusterDiffers, TopicReplaced, LogTruncated, EventLogDenied)
"""The event log is another one, or does not let us in: that takes a person."""


def stage(function: Callable[P, R]) -> Task[P, R]:
    """A stage of a flow as a task; stages are safe to run again."""
    return Task(
        function,
        name=function.__name__,
        retries=RETRIES,
        retry_delay_seconds=exponential_backoff(backoff_factor=1),
        retry_jitter_factor=0.5,
        retry_condition_fn=_is_worth_retrying,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def unsearched(argument: R) -> R:
    """Keep Prefect from looking through every record for futures, which takes longer than folding them."""
    return cast("R", opaque(argument))


def _is_worth_retrying(_task: object, _run: object, state: State[object]) -> bool:
    """Another try helps where a broker, a disk or serving did not answer, and nowhere else."""
    try:
        state.result()
    except _STAYS:
        return False
    except _MAY_PASS:
        return True
    except Exception:  # noqa: BLE001  # whatever else it is, it will be the same again
        return False
    return False
