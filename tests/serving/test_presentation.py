"""How an answer is to be written: by name, else by the header Accept with its weights and wildcards."""

import pytest

from serving.presentation import MEDIA_TYPES, Presentation, negotiate
from twofold.errors import NotAcceptable, QueryError


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("application/*", "json"),
        ("text/csv", "csv"),
        ("TEXT/CSV; header=present", "csv"),
        ("text/*", "csv"),
        ("application/vnd.apache.arrow.stream", "arrow"),
        ("application/vnd.apache.parquet", "parquet"),
        ("text/csv;q=0.5, application/vnd.apache.parquet;q=0.9, */*;q=0.1", "parquet"),
        ("application/json;q=0.2, text/csv;q=0.3", "csv"),
        ("text/csv, */*", "csv"),
        ("application/json;q=0, */*", "arrow"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
    ],
)
def test_the_most_welcome_format_is_given(accept: str | None, chosen: str) -> None:
    assert negotiate(accept, None, None) == Presentation(chosen, "rows")


def test_a_format_by_name_goes_before_the_header() -> None:
    assert negotiate("text/csv", "arrow", None).format == "arrow"


@pytest.mark.parametrize(
    "accept", ["text/html", "*/*;q=0", "image/*, text/plain", "nonsense", "a/b/c", ",", "text/csv;q=0"]
)
def test_what_cannot_be_given_is_refused_with_what_exists(accept: str) -> None:
    with pytest.raises(NotAcceptable) as refused:
        negotiate(accept, None, None)
    assert all(media_type in str(refused.value) for media_type in MEDIA_TYPES.values())


def test_an_unknown_format_is_refused_with_those_that_exist() -> None:
    with pytest.raises(NotAcceptable, match=r"format=xml.*format=json.*format=arrow.*format=parquet.*format=csv"):
        negotiate(None, "xml", None)


def test_a_layout_is_one_of_json() -> None:
    assert negotiate("application/json", None, "columns") == Presentation("json", "columns")
    with pytest.raises(QueryError, match="layout=columns is a layout of JSON; the answer would be csv"):
        negotiate("text/csv", None, "columns")
