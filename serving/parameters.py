"""The parameters of a question: each one is known, and stands there once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.requests import HTTPConnection

from twofold.errors import QueryError


async def refuse_unknown(request: HTTPConnection) -> None:
    """Refuse parameters that would be passed over in silence. A dependency of every route.

    It waits for nothing, and is a coroutine so that it is not handed to a thread and back.

    Raises:
        QueryError: one is not known here, or stands there more than once.
    """
    route: APIRoute | APIWebSocketRoute = request.scope["route"]
    known = list(_named(route.dependant))
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise QueryError(f"There is no parameter {name!r} to {request.url.path}: {takes}.")
        if count > 1:
            raise QueryError(f"The parameter {name!r} stands there {count} times. Write it once.")


def _named(dependant: Dependant) -> Iterator[str]:
    """The names of the parameters that a route takes, by itself and by what it depends on."""
    yield from (parameter.alias for parameter in dependant.query_params)
    for other in dependant.dependencies:
        yield from _named(other)
