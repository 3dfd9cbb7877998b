"""The seam over a real lake and a real speed worker: both sides switch together, and positions never go back."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from eventually import eventually
from served import NOBODY, Served, assert_is_problem, served
from small_market import LANES, ROOMY_BYTES, SmallMarket, runs

from serving.seam import Pair, Seam
from serving.speed_side import SpeedClient
from twofold.errors import LakeUnreachable
from twofold.lake import Lake
from twofold.lane import at_least
from twofold.port import free_port
from twofold.publication import found_lake
from twofold.views import VIEWS

Answer = dict[str, Any]


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    return SmallMarket(tmp_path)


def positions(answer: Answer) -> dict[str, int]:
    return dict(answer["receipt"]["positions"])


def trades(answer: Answer) -> int:
    return sum(row["trades"] for row in answer["rows"])


def wait_for_all(api: Served, market: SmallMarket) -> Answer:
    """The first answer that has all that is logged."""
    return api.wait_until(lambda answer: positions(answer) == market.log.end_offsets())


class Series:
    """Answers asked for one after the other. In this market every record is a trade, so each counts exactly once."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def ask(self, api: Served) -> Answer:
        answer = api.bars()
        assert trades(answer) == sum(positions(answer).values())
        assert at_least(positions(answer), answer["receipt"]["cut"])
        if self.answers:
            assert at_least(positions(answer), positions(self.answers[-1]))
            assert answer["receipt"]["sequence"] >= self.answers[-1]["receipt"]["sequence"]
        self.answers.append(answer)
        return answer

    def ask_until(self, api: Served, is_so: Callable[[Answer], bool]) -> Answer:
        return eventually(lambda: answer if is_so(answer := self.ask(api)) else None)


@contextmanager
def trading(market: SmallMarket) -> Iterator[None]:
    """Log a trade every few milliseconds, in both lanes."""
    done = Event()

    def trade() -> None:
        number = 0
        while not done.wait(0.003):
            market.trade(f"10:{number // 50 % 60:02}:{number % 50:02}", lane=number % 2)
            number += 1

    thread = Thread(target=trade)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_while_nothing_is_loaded_serving_says_when_to_ask_again(market: SmallMarket) -> None:
    seam = Seam(market.lake, SpeedClient(NOBODY), VIEWS)
    for base in ("live", "published"):
        with pytest.raises(LakeUnreachable, match=r"still loading the newest publication\. Ask again"):
            seam.pair(base)


def test_without_a_lake_serving_runs_and_says_so_until_there_is_one(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    with served(lake) as api:
        eventually(lambda: api.seam.lake_error)
        for path in ("/v1/views/bars", "/v1/views/bars?base=published", "/v1/lanes", "/readyz"):
            response = api.client.get(path)
            assert_is_problem(response, 503, "There is no lake", "twofold up")
            assert int(response.headers["retry-after"]) >= 1
        assert api.get("/healthz").is_success
        assert api.get("/v1/views").is_success
        found_lake(lake)
        assert eventually(lambda: api.get("/v1/views/bars", base="published").is_success)
        assert_is_problem(api.get("/v1/views/bars"), 503, "has just started")


def test_a_lake_that_goes_away_is_a_503_until_it_is_back(market: SmallMarket, tmp_path: Path) -> None:
    market.trade("10:00:00")
    market.cycle()
    with market.live_side() as address, served(market.lake, address) as api:
        before = wait_for_all(api, market)
        (tmp_path / "lake").rename(tmp_path / "elsewhere")
        eventually(lambda: not api.get("/v1/views/bars").is_success)
        for path in ("/v1/views/bars", "/v1/views/bars?base=published", "/v1/lanes", "/readyz"):
            response = api.client.get(path)
            assert_is_problem(response, 503, "The lake cannot be read")
            assert int(response.headers["retry-after"]) >= 1
        (tmp_path / "elsewhere").rename(tmp_path / "lake")
        assert api.wait_for("live")["rows"] == before["rows"]


def test_a_publication_whose_data_cannot_be_read_is_an_error_until_it_can(market: SmallMarket) -> None:
    seam = Seam(market.lake, SpeedClient(NOBODY), VIEWS)
    market.cycle()
    seam.look_at_lake()
    market.trade("10:00:00")
    market.cycle()
    (file,) = Path(market.lake.root, "views", "bars").rglob("*.parquet")
    hidden = file.rename(file.with_suffix(".hidden"))
    seam.look_at_lake()
    with pytest.raises(LakeUnreachable, match=r"The lake cannot be read.* Table 'views/bars'"):
        seam.pair("published")
    hidden.rename(file)
    seam.look_at_lake()
    assert seam.pair("published").batch.publication.sequence == 2


def test_without_a_speed_worker_the_batch_side_answers_and_moves_on(market: SmallMarket) -> None:
    market.trade("10:00:00")
    market.cycle()
    series = Series()
    with served(market.lake, worker_left=True) as api:
        first = api.wait_for("away")
        assert positions(first) == first["receipt"]["cut"] == {LANES[0]: 1, LANES[1]: 0}
        assert first["freshness"]["lag_records"] is None
        assert_is_problem(api.get("/readyz"), 503, "speed worker is away")
        market.trade("10:00:01")
        market.cycle()
        assert trades(series.ask_until(api, lambda answer: answer["receipt"]["sequence"] == 2)) == 2


def test_serving_that_has_just_started_waits_for_the_speed_worker(market: SmallMarket) -> None:
    market.trade("10:00:00")
    market.cycle()
    port = free_port()
    with served(market.lake, f"127.0.0.1:{port}") as api:
        eventually(lambda: api.get("/v1/views/bars", base="published").is_success)
        eventually(lambda: api.seam.mode == "away")
        market.trade("10:00:01")
        market.cycle()
        eventually(lambda: api.seam.newest and api.seam.newest.publication.sequence == 2)
        response = api.get("/v1/views/bars")
        assert_is_problem(response, 503, "has just started")
        assert "retry-after" in response.headers
        with market.live_side(port):
            api.wait_for("live")


def test_live_trades_are_in_the_answer_and_the_cut_moves_under_it(market: SmallMarket) -> None:
    series = Series()
    with market.live_side() as address, served(market.lake, address) as api:
        eventually(api.is_ready)
        with trading(market):
            for sequence in (1, 2, 3):
                series.ask_until(api, lambda answer: trades(answer) > 20 * sequence)  # noqa: B023  # called at once
                market.cycle()
                series.ask_until(api, lambda answer: answer["receipt"]["sequence"] == sequence)  # noqa: B023  # likewise
        market.cycle()
        series.ask_until(api, lambda answer: answer["receipt"]["sequence"] == 4)
    assert {answer["receipt"]["sequence"] for answer in series.answers} >= {0, 1, 2, 3, 4}
    assert {answer["freshness"]["speed"] for answer in series.answers} == {"live"}


def test_a_worker_that_goes_away_and_comes_back_takes_nothing_back(market: SmallMarket) -> None:
    port = free_port()
    series = Series()
    market.trade("10:00:00")
    market.cycle()
    with served(market.lake, f"127.0.0.1:{port}", worker_left=True) as api:
        api.wait_for("away")
        with market.live_side(port):
            market.trade("10:00:01")
            eventually(api.is_ready)
            series.ask_until(api, lambda answer: trades(answer) == 2)
        left = series.ask_until(api, lambda answer: answer["freshness"]["speed"] == "away")
        assert trades(left) == 2
        assert isinstance(left["freshness"]["age_ms"], int)
        assert_is_problem(api.get("/readyz"), 503, "speed worker is away")

        market.trade("10:00:02")
        with market.live_side(port):
            back = series.ask_until(api, lambda answer: trades(answer) == 3)
            assert back["freshness"]["speed"] == "live"
            eventually(api.is_ready)


def test_with_the_worker_away_the_batch_side_takes_over_once_it_has_come_as_far(market: SmallMarket) -> None:
    port = free_port()
    series = Series()
    market.trade("10:00:00")
    market.cycle()
    with served(market.lake, f"127.0.0.1:{port}") as api:
        with market.live_side(port):
            eventually(api.is_ready)
            market.trade("10:00:01")
            market.trade("10:00:02", lane=1)
            series.ask_until(api, lambda answer: trades(answer) == 3)
        series.ask_until(api, lambda answer: answer["freshness"]["speed"] == "away")
        market.cycle(max_records=1)  # up to (2, 0): less than what was answered
        eventually(lambda: api.seam.newest and api.seam.newest.publication.sequence == 2)
        assert trades(api.bars(base="published")) == 2
        kept = series.ask(api)
        assert (kept["receipt"]["sequence"], trades(kept)) == (1, 3)
        market.cycle()
        moved = series.ask_until(api, lambda answer: answer["receipt"]["sequence"] == 3)
        assert positions(moved) == moved["receipt"]["cut"]
        assert moved["freshness"]["lag_records"] is None


def test_a_worker_that_starts_on_a_newer_base_than_serving_has_is_met_there(market: SmallMarket) -> None:
    port = free_port()
    series = Series()
    market.trade("10:00:00")
    market.cycle()
    with served(market.lake, f"127.0.0.1:{port}") as api:
        with market.live_side(port):
            eventually(api.is_ready)
            market.trade("10:00:01")
            series.ask_until(api, lambda answer: trades(answer) == 2)
        market.trade("10:00:02")
        market.cycle()
        market.trade("10:00:03")
        with market.live_side(port):
            last = series.ask_until(api, lambda answer: trades(answer) == 4)
            assert last["receipt"]["sequence"] == 2


def test_a_worker_of_another_decoder_is_left_for_the_batch_side_and_said_to_be_behind(
    market: SmallMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speed_layer.worker.GRACE_S", 0.5)
    series = Series()
    market.trade("10:00:00")
    market.cycle()
    with market.live_side() as address, served(market.lake, address) as api:
        eventually(api.is_ready)
        market.trade("10:00:01")
        series.ask_until(api, lambda answer: trades(answer) == 2)
        with monkeypatch.context() as newer_code:
            newer_code.setattr("batch_layer.cycle.DECODER_HASH", "another decoder")
            market.cycle()
        alone = series.ask_until(api, lambda answer: answer["receipt"]["sequence"] == 2)
        assert (alone["freshness"]["speed"], alone["freshness"]["lag_records"]) == ("catching_up", None)
        assert positions(alone) == alone["receipt"]["cut"]
        assert_is_problem(api.get("/readyz"), 503, "speed worker is catching up")
        market.trade("10:00:02")
        market.cycle()
        back = series.ask_until(api, lambda answer: answer["freshness"]["speed"] == "live")
        assert (back["receipt"]["sequence"], trades(back)) == (3, 3)


def test_serving_that_is_started_again_takes_nothing_back(market: SmallMarket) -> None:
    series = Series()
    market.trade("10:00:00")
    with market.live_side() as address, trading(market):
        for _ in range(5):
            with served(market.lake, address) as api:
                market.cycle()
                api.wait_until(lambda _: True)
                for _ in range(5):
                    series.ask(api)


def test_a_paused_worker_is_named_with_its_lag(market: SmallMarket) -> None:
    worker = market.worker()
    with ExitStack() as stack:
        address = stack.enter_context(runs(worker))
        api = stack.enter_context(served(market.lake, address))
        market.trade("10:00:00")
        wait_for_all(api, market)
        worker._memory_bytes = 1
        api.wait_for("paused")
        for second in range(7):
            market.trade(f"10:00:{second:02}", lane=1)
        behind = eventually(lambda: answer if (answer := api.bars())["freshness"]["lag_records"] else None)
        assert behind["freshness"]["lag_records"] == 7
        assert trades(behind) == 1
        assert_is_problem(api.get("/readyz"), 503, "speed worker is paused")
        worker._memory_bytes = ROOMY_BYTES
        api.wait_for("live")
        assert wait_for_all(api, market)["freshness"]["lag_records"] == 0


def test_what_is_to_be_done_before_each_pair_is_done_before_answers_come_from_it(market: SmallMarket) -> None:
    market.trade("10:00:00")
    market.cycle()
    seen: list[tuple[Pair, Pair | None]] = []
    with market.live_side() as address:
        seam = Seam(market.lake, SpeedClient(address), VIEWS)
        seam.before_each(lambda pair: seen.append((pair, seam.current)))
        seam.look_at_lake()
        market.trade("10:00:01")

        def has_both() -> bool:
            seam.look_at_speed()
            return seam.current is not None and sum(seam.current.positions.values()) == 2

        eventually(has_both)
    assert seam.current is seen[-1][0]
    assert all(pair is not current for pair, current in seen)
