from datetime import UTC, datetime, timedelta

import pytest

from serving.query import MAX_LAST, BaseChoice, Query, parse_interval, parse_query, parse_time, rfc3339
from twofold.errors import QueryError
from twofold.views import VIEWS

BARS = VIEWS["bars"]
MINUTE_US = 60_000_000
MOMENT_US = int(datetime(2024, 8, 9, 10, 0, 0, 250_000, tzinfo=UTC).timestamp() * 1_000_000)


def question(
    *,
    venue: str | None = None,
    symbol: str | None = None,
    interval: str | None = None,
    start: str | None = None,
    end: str | None = None,
    last: int | None = None,
    base: BaseChoice = "live",
) -> Query:
    return parse_query(BARS, venue=venue, symbol=symbol, interval=interval, start=start, end=end, last=last, base=base)


@pytest.mark.parametrize(
    "text",
    [
        "2024-08-09T10:00:00.25Z",
        "2024-08-09T10:00:00.250000+00:00",
        "2024-08-09T12:00:00.250+02:00",
        "2024-08-09T04:30:00.25-05:30",
        "2024-08-09 10:00:00.25Z",
        "1723197600250",
    ],
)
def test_a_time_is_rfc_3339_with_any_offset_or_epoch_milliseconds(text: str) -> None:
    assert parse_time("start", text) == MOMENT_US


@pytest.mark.parametrize(("text", "time_us"), [("0", 0), ("-1", -1000), ("1969-12-31T23:59:59Z", -1_000_000)])
def test_a_time_may_lie_before_1970(text: str, time_us: int) -> None:
    assert parse_time("end", text) == time_us


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "nan",
        "inf",
        "1e3",
        "12.5",
        "0x10",
        "\u0661",
        "--5",
        "2024-13-01T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-08-09T25:00:00Z",
        "2024-08-09T10:00:60Z",
        "99999-01-01T00:00:00Z",
        "2024-08-09T00:00:00 02:00",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "999999999999999",
        "-999999999999999",
        "9" * 400,
    ],
)
def test_what_is_no_time_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(
        QueryError, match=r"start=.* is no time\. Write RFC 3339 with an offset.*milliseconds since 1970"
    ):
        parse_time("start", text)


@pytest.mark.parametrize("text", ["2024-08-09", "2024-08-09T10:00:00"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=r"end=.* has no time zone\. .*2024-08-09T00:00:00Z"):
        parse_time("end", text)


@pytest.mark.parametrize(
    ("text", "minutes"), [("1m", 1), ("60s", 1), ("5m", 5), ("7m", 7), ("1h", 60), ("90m", 90), ("2d", 2880)]
)
def test_an_interval_is_any_multiple_of_the_grain(text: str, minutes: int) -> None:
    assert parse_interval(text, BARS) == minutes * MINUTE_US


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m",
        "0m",
        "00m",
        "-1m",
        "+1m",
        "1",
        "1.5m",
        "30s",
        "90s",
        "1w",
        "1M",
        "1 m",
        " 1m",
        "1000000m",
        "\u0661m",
        "1m1s",
    ],
)
def test_what_is_no_multiple_of_the_grain_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=r"is no multiple of the grain of view 'bars', which is 1m\. Write .* 1m, 5m"):
        parse_interval(text, BARS)


def test_the_interval_is_the_grain_if_none_is_asked_for() -> None:
    assert question().interval_us == MINUTE_US


@pytest.mark.parametrize("end", ["2024-08-09T10:00:00Z", "2024-08-09T09:59:59.999999Z"])
def test_a_start_that_is_not_before_the_end_is_refused(end: str) -> None:
    with pytest.raises(QueryError, match=r"is not before end=.*; the end is exclusive"):
        question(start="2024-08-09T10:00:00Z", end=end)


@pytest.mark.parametrize("last", [0, -1, MAX_LAST + 1, 10**30])
def test_a_number_of_windows_out_of_range_is_refused(last: int) -> None:
    with pytest.raises(QueryError, match=f"is not between 1 and {MAX_LAST}. Ask for more by start and end"):
        question(last=last)


def test_equal_questions_have_one_canonical_form() -> None:
    one = question(interval="5m", start="2024-08-09T10:00:00Z", end="1723201200000", symbol="BTCUSDT", last=3)
    other = question(interval="300s", start="1723197600000", end="2024-08-09T13:00:00+02:00", symbol="BTCUSDT", last=3)
    assert one.canonical() == other.canonical()
    assert one.canonical() == {
        "view": "bars",
        "interval_us": 5 * MINUTE_US,
        "symbol": "BTCUSDT",
        "start_us": 1_723_197_600_000_000,
        "end_us": 1_723_201_200_000_000,
        "last": 3,
        "base": "live",
    }


@pytest.mark.parametrize(
    ("after_1970", "text"),
    [
        (timedelta(0), "1970-01-01T00:00:00Z"),
        (timedelta(milliseconds=1), "1970-01-01T00:00:00.001000Z"),
        (timedelta(days=1, microseconds=7), "1970-01-02T00:00:00.000007Z"),
    ],
)
def test_times_are_written_as_rfc_3339_in_utc(after_1970: timedelta, text: str) -> None:
    assert rfc3339(after_1970 // timedelta(microseconds=1)) == text
