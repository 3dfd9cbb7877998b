import httpx
import pytest
from fastapi import FastAPI
from served import assert_is_problem, running

from serving.problem import answer_errors_as_problems
from twofold.errors import ArithmeticOverflow, BaseGone, LakeUnreachable, QueryError, TwofoldError, UnknownName


def refusal(error: Exception) -> httpx.Response:
    """What an application answers when this is raised in it."""
    app = FastAPI()
    answer_errors_as_problems(app)

    @app.get("/")
    def fail() -> None:
        raise error

    with running(app) as client:
        return client.get("/")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (QueryError("Ask so."), 422, "Ask so."),
        (UnknownName("view", "bar", ["bars"]), 404, "Did you mean 'bars'?"),
        (LakeUnreachable("The disk is off."), 503, "The disk is off."),
        (BaseGone(3, [4, 5]), 503, "publication 3"),
        (ArithmeticOverflow("Too much."), 500, "Too much."),
    ],
)
def test_each_error_has_its_status_and_keeps_its_words(error: TwofoldError, status: int, words: str) -> None:
    assert_is_problem(refusal(error), status, words)


def test_what_may_pass_says_when_to_ask_again() -> None:
    assert refusal(LakeUnreachable("The disk is off.")).headers["retry-after"] == "1"


def test_what_was_not_foreseen_is_a_problem_that_gives_nothing_away() -> None:
    response = refusal(ZeroDivisionError("password=hunter2"))
    assert_is_problem(response, 500, "ZeroDivisionError", "log")
    assert "hunter2" not in response.text
