"""The check of receipts as a Prefect flow: answers are taken of the serving API, and made again without it."""

from __future__ import annotations

from random import Random
from typing import Annotated, Any, NamedTuple

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.stage import stage, unsearched
from serving.receipts.differences import differences
from serving.receipts.opening import open_remaker
from serving.receipts.sampling import SampledQuestion, sample_questions
from twofold.errors import AnswersDiffer, GivenUp, ReceiptError
from twofold.lake import Lake
from twofold.publication import Publications
from twofold.serving_client import ask
from twofold.settings import load_settings
from twofold.views.declared import declared_views

ARTIFACT = "verify-receipts"
"""The key of the artifact that tables what came of each answer."""

_SAME = "the same"


class Taken(NamedTuple):
    """A question and the answer that the serving API gave."""

    question: SampledQuestion
    answer: dict[str, Any]


class Checked(NamedTuple):
    """What came of an answer: `_SAME`, how it differs, or why it could not be made again."""

    taken: Taken
    outcome: str

    def row(self) -> dict[str, Any]:
        """This as a row of the artifact."""
        receipt = self.taken.answer["receipt"]
        return {
            "question": str(self.taken.question),
            "publication": receipt["sequence"],
            "rows": len(self.taken.answer["rows"]),
            "made again": self.outcome,
            "token": receipt["token"],
        }


@stage
def take(answers: int, seed: int | None) -> list[Taken]:
    """Ask the serving API questions of chance about what it has; none while it has nothing."""
    settings = load_settings()
    address, key = settings.serving_address, settings.api_key
    served = Publications(Lake(settings.lake_root)).newest().served
    views = {name: edition.view for name, edition in served(declared_views(settings.views)).items()}
    newest = ask(address, next(iter(views)), {"last": 1}, api_key=key)["rows"]
    if not newest:
        return []
    random = Random(seed)  # noqa: S311  # which questions are asked is no secret
    return [
        Taken(question, ask(address, question.view, question.parameters, api_key=key))
        for question in sample_questions(newest, views, answers, random)
    ]


@stage
def make_again(taken: list[Taken]) -> list[Checked]:
    """Make each answer again from the lake and the event log, with no part of the serving API."""
    remaker = open_remaker(load_settings())
    checked = []
    for each in taken:
        try:
            again = remaker.make_again(each.answer["receipt"]["token"])
        except (ReceiptError, GivenUp) as error:
            checked.append(Checked(each, f"not possible: {error}"))
        else:
            found = differences(each.answer, again.parsed())
            checked.append(Checked(each, "; ".join(found) or _SAME))
    return checked


@flow(name="verify-receipts", flow_run_name="verify-receipts", persist_result=False, validate_parameters=True)
def verify_receipts(answers: Annotated[int, Field(ge=1, le=1000)] = 20, seed: int | None = None) -> State[object]:
    """Take answers of the serving API, make each again from its receipt, and fail where one does not come out the same.

    Args:
        answers: So many answers are taken, to questions of chance about one market each.
        seed: Equal seeds ask the same questions of the same data. By default each run asks others.
    """
    taken = take(answers, seed)
    if not taken:
        return Completed(name="Nothing to ask", message="The serving API has no rows yet.")
    checked = make_again(unsearched(taken))
    table = [each.row() for each in checked]
    create_table_artifact(table, key=ARTIFACT, description=f"{len(table)} answers, made again from their receipts.")
    if wrong := [each for each in checked if each.outcome != _SAME]:
        first = f"The first was to {wrong[0].taken.question}: {wrong[0].outcome}."
        raise AnswersDiffer(
            f"{len(wrong)} of {len(checked)} answers did not come out the same. {first} The artifact {ARTIFACT!r} has "
            "all of them; look at the lake with `twofold doctor`."
        )
    sequences = {each["publication"] for each in table}
    between = f"publications {min(sequences)} to {max(sequences)}"
    return Completed(message=f"{len(checked)} answers of {between} came out the same.")
