"""What responses look like, for the OpenAPI document and those who read it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from serving.presentation import MEDIA_TYPES
from serving.problem import MEDIA_TYPE, PATH, PROBLEMS
from serving.push.sse import MEDIA_TYPE as EVENT_STREAM
from serving.query import Finality
from serving.seam import SpeedMode
from twofold.metrics import MEDIA_TYPE as METRICS_TYPE
from twofold.view import Described

TIME = pl.Datetime("us", "UTC")

OF_EVERY_VIEW = {
    "venue": Described("where the trades happened", ""),
    "symbol": Described("what was traded, as its venue writes it", ""),
    "window_start": Described("start of the window, inclusive, by event time", "UTC"),
    "window_end": Described("end of the window, exclusive", "UTC"),
    "finality": Described(
        "provisional: trades may still come, or are missing; closed: neither; revised: changed after it was closed; "
        "held: it has trades of a batch cycle that failed its checks, and waits for a person",
        "",
    ),
    "revisions": Described("how often the row changed after it was closed", "times"),
}
"""The columns that rows of every view have."""

_EVERYWHERE = (
    *("content_too_large", "address_too_long", "headers_too_large", "bad_question"),
    *("key_needed", "key_invalid", "scope_missing", "foreign_host", "too_many_requests", "malformed", "too_slow"),
)

Time = Annotated[str, Field(description="RFC 3339, UTC.", examples=["2024-08-09T10:00:00Z"])]
Sequence = Annotated[int, Field(description="Number of the publication.", examples=[42])]
Positions = Annotated[
    dict[str, int],
    Field(description="Lane (`<topic id>/<partition>`) to the next offset."),
]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(_Shape):
    """A problem (RFC 9457)."""

    type: str = Field(description="Leads to what this kind of problem means.", examples=[f"{PATH}/bad_question"])
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="What happened, to what, what to do, and what exists.")


class ProblemMeaning(_Shape):
    """What a kind of problem means."""

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    meaning: str = Field(description="When it comes, and what to do.")


class ProblemMeanings(_Shape):
    """The problems that there are."""

    problems: list[ProblemMeaning]


class ColumnMeaning(_Shape):
    """A column of a view's rows."""

    name: str
    type: str = Field(description="As Polars writes it. Decimals are text in JSON.", examples=["Decimal(38, 8)"])
    meaning: str
    unit: str = Field(description="Empty where there is none.", examples=["quote currency per unit"])


class ViewMeaning(_Shape):
    """A view."""

    view: str = Field(examples=["bars"])
    hash: str = Field(description="Of all that the view means.")
    grain: str = Field(description="Its shortest interval.", examples=["1m"])
    grain_us: int = Field(description="The same in microseconds.")
    keys: list[str] = Field(description="What rows are told apart by, beside the window.")
    columns: list[ColumnMeaning] = Field(description="All columns of its rows, in their order.")


class Row(BaseModel):
    """A row. Its other columns are the view's: /v1/views describes them. Decimals are text, times RFC 3339 in UTC."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str | int | None]

    venue: str
    symbol: str
    window_start: Time
    finality: Finality


class LostRange(_Shape):
    """Offsets that could not be read."""

    lane: str
    first_offset: int
    next_offset: int = Field(description="Exclusive.")


class Receipt(BaseModel):
    """What an answer was made of. The same view, sequence, positions and query make the same rows."""

    model_config = ConfigDict(extra="allow")

    view_hash: str = Field(description="Of the view's meaning.")
    decoder_hash: str = Field(description="The beginning of the hash of the decoder's meaning.")
    sources_hash: str | None = Field(description="Of what is declared of the sources; null with the batch side alone.")
    sequence: Sequence
    cut: Positions = Field(description="Up to where the publication has taken records in, per lane.")
    positions: Positions = Field(description="Up to where records are in the answer, per lane.")
    lost: list[LostRange] = Field(description="What retention took above the cut before it was read.")
    exclusions: int | None = Field(
        default=None,
        description="The publication that last changed which trades are excluded: /v1/quality lists them. Absent where "
        "none are.",
    )
    token: str = Field(description="Makes rows and receipt again: /v1/receipts/{token}.")
    query: dict[str, str | int] = Field(description="The question in canonical form: equal questions have equal ones.")


class Freshness(_Shape):
    """How fresh an answer is."""

    newest_event: Time | None = Field(description="Event time of the newest trade that was folded.")
    lag_records: int | None = Field(description="Records in the log that are not in the answer; null if not known.")
    age_ms: int | None = Field(description="Milliseconds since the speed worker was heard; null if it was not.")
    speed: SpeedMode = Field(description="What the speed worker does; `unused` with base=published.")
    held: int | None = Field(
        description="The number of the hold, where a batch cycle failed its checks and waits: /v1/quality tells of it."
    )


class AnswerByRows(_Shape):
    """Rows by keys and window start."""

    view: str
    rows: list[Row]
    receipt: Receipt
    next: str | None = Field(default=None, description="Cursor to the next page; absent on the last one.")
    freshness: Freshness


class AnswerByColumns(_Shape):
    """The same with an array for each column."""

    view: str
    columns: dict[str, list[str | int | None]]
    receipt: Receipt
    next: str | None = Field(default=None, description="Cursor to the next page; absent on the last one.")
    freshness: Freshness


class AnswerAgain(_Shape):
    """An earlier answer, made again."""

    rows: list[Row]
    receipt: Receipt


class Incident(_Shape):
    """An answer that came out otherwise when it was made again."""

    token: str
    found_at: Time


class Verified(_Shape):
    """What came of the answers that were made again by themselves."""

    share: float = Field(description="Part of the answers that is taken.", ge=0, le=1)
    waiting: int = Field(description="Answers that are still to be made again.")
    same: int
    different: int
    not_made: int = Field(description="Answers that cannot be made again any more.")
    why_not_made: str | None = Field(description="The reason of the last of these.")
    incidents: list[Incident] = Field(description="The newest answers that came out otherwise.")


class Gap(_Shape):
    """Ids that a contiguous source left out."""

    venue: str
    symbol: str
    first_id: int
    last_id: int = Field(description="Inclusive.")
    ids: int = Field(description="How many they are.")
    state: Literal["open", "unusable", "lost"] = Field(
        description="open: they may still come; unusable: a dead letter bears the id; lost: open for too long."
    )
    first_event: Time | None = Field(description="Event time of the trade before them.")
    last_event: Time | None = Field(description="Event time of the trade after them.")
    since: Time | None = Field(description="Arrival of the trade after them.")


class Gaps(_Shape):
    """The gaps of a publication."""

    gaps: list[Gap]
    sequence: Sequence


class LaneAccount(_Shape):
    """What became of the records of a lane: folded + duplicates + dead_letters + lost + excluded = read."""

    lane: str
    position: int = Field(description="The next offset.")
    read: int
    folded: int
    duplicates: int
    dead_letters: int
    lost: int = Field(description="Records that the log had deleted before they were read.")
    excluded: int = Field(description="Trades that a person took out.")
    balanced: bool = Field(description="Whether the sum is right.")
    closed: bool = Field(description="Whether nothing is read of it any more: its topic was deleted or made anew.")
    stalled: bool = Field(description="Whether the log has more and nothing comes of it.")


class Lanes(_Shape):
    """All lanes."""

    lanes: list[LaneAccount]
    sequence: Sequence
    published_at: Time = Field(description="When that was made; 1970 where nothing was published yet.")
    speed: SpeedMode


class PublicationTold(_Shape):
    """A publication, and what it added to the one before; folded to excluded add up to read."""

    sequence: Sequence
    published_at: Time
    after_s: float | None = Field(description="Seconds after the one before; null for the first.")
    read: int = Field(description="Records; below 0 where a mend went back.")
    folded: int
    duplicates: int
    dead_letters: int
    lost: int
    excluded: int
    tables: list[str] = Field(description="Tables of the lake that have changed.", examples=[["raw", "views/bars"]])
    given_up: list[int] = Field(description="Earlier publications that were given up by it.")


class PublicationsTold(_Shape):
    """The newest publications, the newest first."""

    publications: list[PublicationTold]
    sequence: Sequence


class CheckTold(_Shape):
    """What a check of a batch cycle found."""

    check: str = Field(examples=["price_near_published"])
    table: str = Field(description="What it looked at; `records`: the cycle as a whole.", examples=["trades"])
    outcome: Literal["passed", "warned", "failed"] = Field(description="A cycle with a check that failed is held.")
    failed: int = Field(description="Rows that did not pass, where it is about rows.")
    detail: str = Field(description="What was found; empty where there is nothing to say.")


class FailingTold(_Shape):
    """Trades that failed a check, of one symbol in one lane."""

    lane: str
    symbol: str
    first_offset: int
    last_offset: int = Field(description="Inclusive.")
    trades: int


class HoldTold(_Shape):
    """A batch cycle that failed its checks, and was not published."""

    number: int
    held_at: Time
    parent: Sequence
    is_open: bool = Field(description="Whether it waits for a person.")
    begins: Positions = Field(description="Where its records begin, per lane.")
    cut: Positions = Field(description="Where they end, per lane; exclusive.")
    records: int
    checks: list[CheckTold]
    failing: list[FailingTold]


class ExclusionTold(_Shape):
    """Trades that a person took out."""

    lane: str
    first_offset: int
    next_offset: int = Field(description="Exclusive.")
    symbol: str = Field(description="Of this symbol alone; empty for all.")
    since: Sequence
    reason: str


class QualityTold(_Shape):
    """What was checked."""

    sequence: Sequence
    held: int | None = Field(description="The number of a hold that is open, if there is one.")
    checks: list[CheckTold] = Field(description="Of the newest cycle that was published with records.")
    holds: list[HoldTold] = Field(description="The newest, the newest first.")
    exclusions: list[ExclusionTold]


class Alive(_Shape):
    """Always the same."""

    status: Literal["alive"]


class Ready(_Shape):
    """Answers are up to date."""

    status: Literal["ready"]
    sequence: Sequence


def described(shape: Any, *problems: str) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401  # a model or a list of one
    """What a route answers: JSON of a shape, the problems of every route, and some of its own."""
    told: dict[int | str, dict[str, Any]] = {200: {"model": shape, "description": "The answer."}}
    for name in (*problems, *_EVERYWHERE):
        kind = PROBLEMS[name]
        same = told.setdefault(kind.status.value, {"model": Problem, "description": "", "content": {MEDIA_TYPE: {}}})
        same["description"] = f"{same['description']} {kind.title}.".strip()
        if headers := _TOLD_WITH.get(kind.status):
            same["headers"] = headers
    return told


def _header(description: str, example: str | int, kind: str = "string") -> dict[str, Any]:
    return {
        "description": description,
        "schema": {"type": kind},
        "example": example,
    }


_AGAIN = {"Retry-After": _header("Seconds after which to ask again.", 1, "integer")}
_CHALLENGE = {"WWW-Authenticate": _header("How to send a key (RFC 6750).", 'Bearer realm="twofold"')}
_TOLD_WITH = {
    HTTPStatus.SERVICE_UNAVAILABLE: _AGAIN,
    HTTPStatus.UNAUTHORIZED: _CHALLENGE,
    HTTPStatus.FORBIDDEN: _CHALLENGE,
    HTTPStatus.TOO_MANY_REQUESTS: {
        **_AGAIN,
        "RateLimit": _header("Requests that are left, and seconds until there are more.", '"requests";r=0;t=1'),
        "RateLimit-Policy": _header("Requests at once, and in how many seconds.", '"requests";q=2000;w=2'),
    },
}
"""Headers of problems, by their status."""


def _answers() -> dict[int | str, dict[str, Any]]:
    told = described(
        AnswerByRows | AnswerByColumns,
        *("unknown_name", "not_acceptable", "cursor_gone", "too_much", "arithmetic_overflow", "not_ready"),
        *("records_gone", "meaning_differs", "given_up", "publication_unknown"),  # with as_of or known_after
    )
    named = {
        "ETag": _header("Names the answer: publication, positions, question and format.", 'W/"9a3f0c"'),
        "Cache-Control": _header("`no-cache`, or how long it may be used when all windows are over.", "no-cache"),
        "Vary": _header("What else it depends on.", "Accept, Accept-Encoding"),
    }
    paged = {
        "Twofold-Next": _header("The cursor to the next page, if there is one.", "9a3f.41bc.1000"),
        "Link": _header("The address of the next page (RFC 8288), if there is one.", '<?limit=9&cursor=…>; rel="next"'),
        "Twofold-Receipt": _header("With CSV: the receipt, as JSON.", '{"sequence":42}'),
        "Twofold-Freshness": _header("With CSV: the freshness, as JSON.", '{"speed":"live"}'),
    }
    told[200] |= {
        "description": "Rows by keys and window start, with finality, receipt and freshness. Values are the same in "
        "every format. In Arrow and Parquet decimals are decimal128, times timestamp[us, UTC], and receipt, freshness "
        "and next are in the schema's metadata as `twofold.receipt`, `twofold.freshness` and `twofold.next`. In CSV "
        "decimals are plain and times RFC 3339.",
        "headers": {**named, **paged},
        "content": {
            MEDIA_TYPES["arrow"]: {"schema": {"type": "string", "format": "binary"}},
            MEDIA_TYPES["parquet"]: {"schema": {"type": "string", "format": "binary"}},
            MEDIA_TYPES["csv"]: {
                "schema": {"type": "string"},
                "example": "venue,symbol,window_start,close,finality\r\n"
                "binance,BTCUSDT,2024-08-09T10:00:00Z,60000.10000000,closed\r\n",
            },
        },
    }
    told[304] = {"description": "The client has this answer already (If-None-Match).", "headers": named}
    return told


ANSWERS = _answers()
"""What the rows of a view come as."""


def _streams() -> dict[int | str, dict[str, Any]]:
    told = described(
        AnswerByRows, *("unknown_name", "too_much", "arithmetic_overflow", "too_many_streams", "not_ready")
    )
    told[200] = {
        "description": "Events without end; lines that begin with a colon are a heartbeat. Each event has JSON data. "
        "`state`: `rows` as they are, in place of all that was told before, and why in `because`: `begin`; "
        "`unknown_id`, where what Last-Event-ID names cannot be made again; `behind`, where the reader is slow; or "
        "`leap`, where too much changed at once. `change`: the `rows` that are others than they were told, and in "
        "`was` those of them that had been closed or revised, as they were told; no rows where only what the speed "
        "worker does has changed. Both have `view`, `receipt` and `freshness` as an answer has; the receipt is of an "
        "answer that has all these rows. `end`: nothing follows, for the `reason` `slow`, `stopping`, `view_changed`, "
        "where the view means something else from now on, or `failed`, with a `detail`. An event's id names question, "
        "publication and positions: it is a receipt's token.",
        "content": {
            EVENT_STREAM: {
                "schema": {"type": "string"},
                "example": 'event: change\ndata: {"view":"bars","rows":[…],"was":[],"receipt":{…},"freshness":{…}}\n'
                "id: 0eyJ…\n\n",
            }
        },
    }
    return told


STREAMS = _streams()
"""What a stream comes as, or is refused by."""


def _metrics() -> dict[int | str, dict[str, Any]]:
    told = described(Alive)
    text = {"schema": {"type": "string"}, "example": "# TYPE twofold_lake_up gauge\ntwofold_lake_up 1.0\n"}
    told[200] = {"description": "Every metric that there is.", "content": {METRICS_TYPE: text}}
    return told


METRICS = _metrics()
"""What metrics come as."""
