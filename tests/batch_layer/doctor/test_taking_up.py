"""Going on after the log is another one: a topic made anew, another cluster, a log that lost its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lake_files import LakeFiles, empty
from laws.parts import check_rows, cuts_up_to
from memory_log import MemoryLog
from oracle import Oracle, OracleRecord
from served import served
from small_market import LANES, ROOMY_BYTES, SmallMarket, runs, time_us, trade_value

from batch_layer.cycle import BatchCycle
from batch_layer.doctor import Definitions, examine, mends
from batch_layer.doctor.mending import MoveAside
from serving.batch_side import load_batch_side
from speed_layer.worker import SpeedWorker
from twofold.clock import utc_now
from twofold.errors import ClusterDiffers, EventLogError, LogTruncated, TopicReplaced
from twofold.lane import at_least
from twofold.publication import Publication, Publications
from twofold.source import SHIPPED_SOURCES
from twofold.views import VIEWS

NEW = ("7d1b9a40-0d0e-4b8f-8f0e-55d6a7f0c0aa/0", "7d1b9a40-0d0e-4b8f-8f0e-55d6a7f0c0aa/1")
OLD_0, OLD_1 = LANES
DEFINITIONS = Definitions(SHIPPED_SOURCES, "simulator")


class Kept:
    """Every record that was ever logged, by what its lane is called, for the oracle."""

    def __init__(self, market: SmallMarket) -> None:
        self._market = market
        self._records: dict[tuple[str, int], OracleRecord] = {}

    def note(self, names: dict[str, str] | None = None) -> None:
        """Keep what is in the log now."""
        for r in self._market.log.records:
            lane = (names or {}).get(r.lane, r.lane)
            self._records.setdefault(
                (lane, r.offset), OracleRecord(lane, r.offset, r.timestamp_ms, r.key, r.value, r.headers)
            )

    def check(self) -> None:
        """What is public is what the oracle makes of it, up to the cut."""
        public = Publications(self._market.lake).newest()
        cuts = cuts_up_to(self._market.lake, public.sequence)
        check_rows(load_batch_side(self._market.lake, VIEWS, public, None), None, Oracle(self._records.values()), cuts)


@pytest.fixture
def kept(market: SmallMarket) -> Kept:
    kept = Kept(market)
    kept.note()
    return kept


def made_anew(market: SmallMarket) -> None:
    """The topic is deleted and made again; a trade comes that was there before, and one that was not."""
    again = market.log.records[0].value
    market.log = MemoryLog(NEW)
    for value in (again, trade_value("10:04:00", 9_001)):
        market.log.append(NEW[0], value, timestamp_ms=time_us("10:05:00") // 1000)


def mirrored(market: SmallMarket) -> None:
    """Another cluster has the topic, with the same records and one more."""
    market.log.cluster_id = "mirror"
    market.trade("10:04:00")


def truncated(market: SmallMarket) -> None:
    """Lane 0 loses its end, and others come there, past the cut."""
    market.log.truncate(OLD_0, 4)
    for second in range(20):
        market.trade(f"10:04:{second:02}")


def offered(market: SmallMarket) -> list[MoveAside]:
    found = mends(examine(market.lake, market.log.open_reader, DEFINITIONS.sources), DEFINITIONS)
    assert all(isinstance(mend, MoveAside) for mend in found)
    return found


def mended(market: SmallMarket) -> Publication:
    (mend,) = offered(market)
    assert mend.may_lose
    mend.carry_out(market.lake, utc_now)
    return Publications(market.lake).newest()


@pytest.mark.parametrize(
    ("happens", "error"), [(made_anew, TopicReplaced), (mirrored, ClusterDiffers), (truncated, LogTruncated)]
)
def test_a_cycle_refuses_by_name_until_there_is_consent(
    market: SmallMarket, happens: Callable[[SmallMarket], None], error: type[EventLogError]
) -> None:
    happens(market)
    with pytest.raises(error):
        market.cycle()
    mended(market)
    assert market.cycle().sequence == 5
    assert offered(market) == []


def test_a_topic_made_anew_is_read_from_its_beginning_and_the_old_lanes_stay(market: SmallMarket, kept: Kept) -> None:
    before = Publications(market.lake).newest()
    made_anew(market)
    kept.note()
    assert f"close {OLD_0} at {before.cut[OLD_0]}, {OLD_1} at {before.cut[OLD_1]}" in offered(market)[0].sentence
    public = mended(market)
    assert public.cut == {**before.cut, NEW[0]: 0, NEW[1]: 0}
    assert (public.accounts, public.tables) == (before.accounts, before.tables)
    after = market.cycle()
    assert after.cut == {**before.cut, NEW[0]: 2, NEW[1]: 0}
    assert (after.accounts[NEW[0]].folded, after.accounts[NEW[0]].duplicates) == (1, 1)
    kept.check()


def test_another_cluster_is_read_whole_as_lanes_of_its_own(market: SmallMarket, kept: Kept) -> None:
    before = Publications(market.lake).newest()
    mirrored(market)
    kept.note({lane: f"{lane}~1" for lane in LANES})
    assert mended(market).cut == {**before.cut, f"{OLD_0}~1": 0, f"{OLD_1}~1": 0}
    after = market.cycle()
    assert after.accounts[f"{OLD_0}~1"].folded == 1
    assert after.accounts[OLD_0] == before.accounts[OLD_0]
    kept.check()


def test_after_a_lost_end_reading_goes_on_where_records_are_others(market: SmallMarket, kept: Kept) -> None:
    before = Publications(market.lake).newest()
    truncated(market)
    assert mended(market).cut == {**before.cut, f"{OLD_0}~1": 4}
    after = market.cycle()
    assert after.cut == {**before.cut, f"{OLD_0}~1": 24}
    assert after.accounts[f"{OLD_0}~1"].folded == 20
    kept.note({OLD_0: f"{OLD_0}~1"})
    kept.check()
    market.log.truncate(OLD_0, 20)
    market.trade("10:05:00")
    assert mended(market).cut == {**after.cut, f"{OLD_0}~2": 20}


def test_what_was_closed_comes_back_in_no_cycle(market: SmallMarket) -> None:
    made_anew(market)
    closed = mended(market)
    for _ in range(2):
        assert market.cycle().still_open({**closed.cut, NEW[0]: 1}).keys() == set(NEW)


def live_worker(market: SmallMarket) -> SpeedWorker:
    def open_reader(start):  # noqa: ANN001, ANN202  # whichever log there is by now
        return market.log.open_reader(start)

    return SpeedWorker(market.lake, open_reader, VIEWS, DEFINITIONS.sources, "simulator", ROOMY_BYTES)


def test_a_running_speed_worker_and_serving_go_over_to_the_new_topic(market: SmallMarket) -> None:
    market.trade("10:03:30")  # is read live, and lost with its topic
    with runs(live_worker(market)) as address, served(market.lake, address) as api:
        before = api.wait_until(lambda answer: answer["receipt"]["positions"] == market.log.end_offsets())
        made_anew(market)
        cut = mended(market).cut
        after = api.wait_until(lambda answer: answer["receipt"]["positions"] == {**cut, NEW[0]: 2})
        assert after["receipt"]["sequence"] == 4
        assert at_least(before["receipt"]["positions"], {lane: cut[lane] for lane in LANES})
        lanes = {lane["lane"]: lane["closed"] for lane in api.get("/v1/lanes").json()["lanes"]}
        assert lanes == {OLD_0: True, OLD_1: True, NEW[0]: False, NEW[1]: False}
        assert api.is_ready()


def test_a_running_speed_worker_and_serving_follow_a_lake_that_went_back(market: SmallMarket) -> None:
    with runs(live_worker(market)) as address, served(market.lake, address) as api:
        before = api.wait_until(lambda answer: answer["receipt"]["positions"] == market.log.end_offsets())
        assert before["receipt"]["sequence"] == 3
        empty(LakeFiles(market.lake).commit("publications", 3))
        (going_back,) = offered(market)
        going_back.carry_out(market.lake, utc_now)
        for second in range(3):
            market.trade(f"10:06:0{second}")
        assert market.cycle().sequence == 5
        after = api.wait_until(lambda answer: answer["receipt"]["sequence"] == 5)
        assert sum(row["trades"] for row in after["rows"]) == sum(row["trades"] for row in before["rows"]) + 3
        assert after["receipt"]["positions"] == market.log.end_offsets()


def test_a_lake_made_anew_under_running_processes_is_refused_in_words(market: SmallMarket, tmp_path: Path) -> None:
    with runs(live_worker(market)) as address, served(market.lake, address) as api:
        api.wait_for("live")
        Path(market.lake.root).rename(tmp_path / "old")
        BatchCycle(market.lake, market.log.open_reader, VIEWS, DEFINITIONS.sources, "simulator")
        market.cycle()
        refused = api.get("/v1/views/bars")
        for _ in range(100):
            if refused.status_code == 503 and "made anew" in refused.text:
                break
            refused = api.get("/v1/views/bars")
        assert "Restart this process" in refused.text
