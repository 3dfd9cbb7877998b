"""Every error that Twofold raises on purpose.

    TwofoldError
    ├── SettingsError            a setting is missing, malformed or contradicts another
    ├── DeclarationError         a view or a source is declared wrongly
    ├── UnknownName              a name was asked for that does not exist
    │   └── NothingTraded        there is no trade on a day that was asked for
    ├── QueryError               a question to the serving API cannot be answered as asked
    │   ├── AmbiguousSymbol      a symbol is traded at several venues, and none was named
    │   ├── BadInterval          klines have no interval of that name
    │   ├── BadCombination       parameters contradict each other
    │   ├── TooMuch              its answer would be larger than one may be
    │   ├── NotAcceptable        its answer cannot be written in a way that was asked for
    │   ├── CursorGone           the answer that a cursor goes on with is no longer held
    │   ├── ServingUnavailable   serving does not answer, or has nothing to answer from at this moment
    │   │   └── ViewChanged      the view was changed while it was asked; the same question can be asked anew
    │   ├── TooManyStreams       as many streams are read as serving can give
    │   ├── SqlRefused           a query in SQL is not one SELECT over the views, or DuckDB refuses it
    │   ├── QueryAborted         the process that ran a query in SQL ended before it had answered
    │   ├── TooManyQueries       as many queries in SQL run and wait as serving can take
    │   ├── TooManyRequests      one caller asks, or reads streams, more than it may
    │   └── AccessDenied         serving needs an API key, or another one than was sent
    ├── ArithmeticOverflow       a sum left the range of its decimal type
    ├── CaptureError             a file of trades cannot be read
    ├── PositionsUnreadable      a file of positions cannot be read
    ├── SchedulerUnreachable     no Prefect server answers
    ├── EventLogError
    │   ├── EventLogUnreachable  no broker answers
    │   ├── EventLogDenied       the brokers do not let us in, or not do what was asked
    │   ├── TopicMissing         the topic does not exist
    │   ├── ClusterDiffers       positions are of the same topic in another cluster
    │   ├── TopicReplaced        positions are of a topic that was deleted and made anew
    │   ├── LogTruncated         the broker lost records that had been read
    │   ├── LaneStalled          no records come of a lane, though it has more
    │   └── EmbeddedKafkaError   the embedded Kafka did not start
    ├── LakeError
    │   ├── LakeUnreachable      the lake cannot be read
    │   ├── NoLake               there is no lake at the root yet
    │   ├── GivenUp              a publication was given up; nothing can be made again from it
    │   ├── DecoderDiffers       a publication was made by another decoder than the one at hand
    │   ├── ViewUnreadable       a view in the lake is made of what this version does not know
    │   ├── ViewDiffers          a view cannot be changed as asked, as things stand
    │   ├── FeatureForeign       a table has a protocol feature that not every engine can use
    │   ├── TurnTaken            another batch cycle is at work
    │   ├── CycleHeld            a cycle failed its checks; its records wait for a person, and nothing of it is public
    │   ├── ExclusionRefused     trades cannot be excluded as asked
    │   └── Superseded           another writer committed first; nothing of this cycle is public
    ├── EngineError              the engine of the batch layer failed
    │   └── EngineMissing        what the engine needs is not installed; nothing was written
    ├── ReceiptError             an answer cannot be made again from its receipt
    │   ├── ReceiptInvalid       the token is not one that this deployment signed
    │   ├── PublicationUnknown   the lake has no such publication
    │   ├── MeaningDiffers       decoder, sources or publication are others than the receipt names
    │   ├── ViewRetired          the lake does not carry the view as it was any more
    │   ├── RecordsGone          records above the cut are neither in the lake nor in the event log
    │   └── AnswersDiffer        answers came out otherwise when they were made again, or could not be
    ├── SpeedError
    │   ├── BaseGone             the speed worker does not hold that base (any more)
    │   └── SpeedAway            the speed worker does not answer
    └── SupervisionError         the parts of `twofold up` cannot be started or watched
        └── PortTaken            a port that a part is to listen on is in use

A message says what happened, to what, and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches


class TwofoldError(Exception):
    """The root of every error that Twofold raises on purpose."""


class SettingsError(TwofoldError):
    """A setting is missing, malformed or contradicts another."""


class DeclarationError(TwofoldError):
    """A view or a source is declared wrongly."""


class UnknownName(TwofoldError):
    """A name was asked for that does not exist; the message names those that do."""

    def __init__(self, kind: str, name: str, exist: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.exist = sorted(exist)
        near = get_close_matches(name, self.exist, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        names = ", ".join(self.exist) or "none"
        super().__init__(f"There is no {kind} {name!r}.{hint} Known: {names}.")

    @classmethod
    def told(cls, message: str) -> UnknownName:
        """One that another process found, of which no more than its message is known here."""
        error = cls("", "", ())
        error.args = (message,)
        return error


class NothingTraded(UnknownName):
    """There is no trade on a day that was asked for; the message names the first and the last day that have any."""

    def __init__(self, sequence: int, day: date, first_and_last: Iterable[date]) -> None:
        super().__init__(f"trade in publication {sequence} on", str(day), map(str, first_and_last))


class QueryError(TwofoldError):
    """A question to the serving API cannot be answered as asked."""


class AmbiguousSymbol(QueryError):
    """A symbol is traded at several venues, and none was named; the message names them."""

    def __init__(self, symbol: str, venues: Iterable[str]) -> None:
        super().__init__(f"The symbol {symbol!r} is traded at {', '.join(venues)}. Say which venue is meant.")


class BadInterval(QueryError):
    """Klines have no interval of that name; the message names those that they have."""


class BadCombination(QueryError):
    """Parameters of a question contradict each other."""


class TooMuch(QueryError):
    """An answer would be larger than one may be; the message says how large."""


class NotAcceptable(QueryError):
    """An answer cannot be written in any of the ways that were asked for; the message names those that exist."""


class CursorGone(QueryError):
    """The answer that a cursor goes on with is no longer held; begin again without a cursor."""


class ServingUnavailable(QueryError):
    """The serving API does not answer, or has nothing to answer from at this moment; ask again."""


class ViewChanged(ServingUnavailable):
    """A view was changed while it was asked, or followed; ask the same anew."""

    def __init__(self, view: str) -> None:
        super().__init__(f"The view {view!r} has just been changed. Ask the same anew: it is served as it is by now.")


class TooManyStreams(QueryError):
    """As many streams are read, or questions followed, as serving can give; come back later."""


class SqlRefused(QueryError):
    """A query in SQL is not one SELECT over the views, or DuckDB refuses it; the message says why."""


class QueryAborted(QueryError):
    """The process that ran a query in SQL ended before it had answered; ask again."""


class TooManyQueries(QueryError):
    """As many queries in SQL run, and wait, as serving can take; ask again."""


class TooManyRequests(QueryError):
    """One caller makes more requests, or reads more streams, than it may; come back later."""


class AccessDenied(QueryError):
    """The serving API needs a key, does not take the one that was sent, or not for what was asked."""


class ArithmeticOverflow(TwofoldError):
    """A sum left the range of its decimal type; nothing was written."""


class CaptureError(TwofoldError):
    """A file of trades cannot be read."""


class PositionsUnreadable(TwofoldError):
    """A file of positions cannot be read; the message names the line."""


class SchedulerUnreachable(TwofoldError):
    """No Prefect server answers."""


class EventLogError(TwofoldError):
    """Something about the event log (Kafka) stands in the way."""


class EventLogUnreachable(EventLogError):
    """No broker answers at the configured addresses."""


class EventLogDenied(EventLogError):
    """The brokers do not take user name and password, are not who they should be, or the user may not do that."""


class TopicMissing(EventLogError):
    """The topic does not exist."""


class ClusterDiffers(EventLogError):
    """Positions are of another cluster than the one that answers, as with a mirror or a cluster made anew."""


class TopicReplaced(EventLogError):
    """Positions are of another topic than the one that now has the name: it was deleted and made anew."""


class LogTruncated(EventLogError):
    """The broker lost records that had been read: the log ends, or parts, below a position.

    `parts_at` is up to where each such lane still is what was read; None where the brokers do not know.
    """

    def __init__(self, message: str, parts_at: Mapping[str, int | None] | None = None) -> None:
        self.parts_at = dict(parts_at or {})
        super().__init__(message)


class LaneStalled(EventLogError):
    """No records come of a lane, though the broker says that it has more."""


class EmbeddedKafkaError(EventLogError):
    """The embedded Kafka did not start."""


class LakeError(TwofoldError):
    """Something about the lake (the Delta tables) stands in the way."""


class LakeUnreachable(LakeError):
    """The lake cannot be read."""


class NoLake(LakeError):
    """There is no lake at the root yet: no batch side has started on it."""


class GivenUp(LakeError):
    """A publication was given up with the operator's consent: nothing can be made again from it."""


class DecoderDiffers(LakeError):
    """A publication was made by another decoder than the one at hand: the two may make different trades of a record."""


class ViewUnreadable(LakeError):
    """A view that the lake carries is made of what this version of Twofold does not know, or means something else."""


class ViewDiffers(LakeError):
    """A view cannot be changed as asked, since the lake has it otherwise; the message says what there is."""


class FeatureForeign(LakeError):
    """A table has a protocol feature that not every engine of the batch layer can read and write."""


class TurnTaken(LakeError):
    """Another batch cycle is at work on the lake."""


class CycleHeld(LakeError):
    """A cycle failed its checks, or goes on where one is held: nothing of it is public, and its records wait."""

    def __init__(self, message: str, number: int, *, is_new: bool) -> None:
        self.number = number
        self.is_new = is_new
        super().__init__(message)


class ExclusionRefused(LakeError):
    """Trades cannot be excluded as asked; the message says why, and nothing was published."""


class Superseded(LakeError):
    """Another writer committed first; nothing of this cycle is public, and it is safe to run again."""


class EngineError(TwofoldError):
    """The engine of the batch layer failed; nothing of the cycle is public, and it is safe to run again."""


class EngineMissing(EngineError):
    """What the engine of the batch layer needs is not installed; nothing was written."""


class ReceiptError(TwofoldError):
    """An answer cannot be made again from its receipt."""


class ReceiptInvalid(ReceiptError):
    """A token is cut off, altered, or signed by a key that is not among those known here."""


class PublicationUnknown(ReceiptError):
    """A receipt names a publication that the lake does not have."""


class MeaningDiffers(ReceiptError):
    """A receipt is of another decoder, of other declarations of sources, or of another publication of that number."""


class ViewRetired(ReceiptError):
    """A receipt is of an edition of a view that was retired, or that the lake never had."""


class RecordsGone(ReceiptError):
    """Records that an answer was made of are neither in the lake nor in the event log any more."""


class AnswersDiffer(ReceiptError):
    """Answers came out otherwise when they were made again, or could not be made again right after they were given."""


class SpeedError(TwofoldError):
    """Something about the speed worker stands in the way."""


class BaseGone(SpeedError):
    """The speed worker does not hold the base that was asked for; reload the newest publication."""

    def __init__(self, sequence: int, held: Iterable[int]) -> None:
        self.sequence = sequence
        self.held = sorted(held)
        super().__init__(
            f"The speed worker holds no base for publication {sequence}; it holds {self.held}. "
            "Load the newest publication and ask again."
        )


class SpeedAway(SpeedError):
    """The speed worker does not answer; answers can only be made from the batch side."""


class SupervisionError(TwofoldError):
    """The parts of `twofold up` cannot be started or watched."""


class PortTaken(SupervisionError):
    """A port that a part is to listen on is in use; nothing was started."""
