"""What the `type` of a problem leads to."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Path, Response

from serving.problem import PATH, PROBLEMS
from serving.reply import json_reply
from serving.routes.described import ProblemMeaning, ProblemMeanings, described
from twofold.errors import UnknownName


def add_problems(app: FastAPI) -> None:
    """Add the routes."""

    @app.get(PATH, summary="The problems that there are", tags=["problems"], responses=described(ProblemMeanings))
    async def list_problems() -> Response:
        return json_reply({"problems": [_described(name) for name in PROBLEMS]})

    @app.get(
        PATH + "/{name}",
        summary="What a problem means",
        tags=["problems"],
        responses=described(ProblemMeaning, "unknown_name"),
    )
    async def read_problem(
        name: Annotated[str, Path(description="The end of a problem's `type`.", examples=["bad_question"])],
    ) -> Response:
        if name not in PROBLEMS:
            raise UnknownName("problem", name[:100], PROBLEMS)
        return json_reply(_described(name))


def _described(name: str) -> dict[str, Any]:
    kind = PROBLEMS[name]
    return {"type": f"{PATH}/{name}", "title": kind.title, "status": kind.status.value, "meaning": kind.meaning}
