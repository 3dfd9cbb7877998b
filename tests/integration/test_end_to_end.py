import pytest
from oracle import Oracle
from smoke.accounts import lane_lines, missing_trades
from smoke.capture import CaptureFacts, read_facts, write_made_up
from smoke.comparison import Comparison
from smoke.course import Course, run_course
from smoke.engines import ENGINES
from smoke.running import Running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

MADE_UP_TRADES = 4_000


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> CaptureFacts:
    path = tmp_path_factory.mktemp("capture") / "made-up.ndjson"
    write_made_up(path, MADE_UP_TRADES, seed=2)
    return read_facts(path)


@pytest.fixture(scope="module")
def course(facts: CaptureFacts, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """One run over real Kafka, Delta and Prefect, which several tests look at."""
    folder = tmp_path_factory.mktemp("end-to-end")
    engines = ENGINES["polars"]._replace(replay_s=60.0)
    return run_course(facts, folder, system=Running, engines=engines, every_s=0.5, tell=print)


@pytest.fixture(scope="module")
def oracle(course: Course) -> Oracle:
    return Oracle(course.records)


def test_every_answer_is_the_oracles_while_batch_cycles_pass(course: Course, oracle: Oracle) -> None:
    comparison = Comparison(oracle, course.instants)
    verdicts = [comparison.judge(instant) for instant in course.instants]
    assert [str(verdict) for verdict in verdicts if verdict.differences] == []
    assert len(verdicts) >= 20
    assert course.publications >= 1
    assert course.final[0].receipt["sequence"] >= 3


def test_rows_of_all_kinds_were_seen(course: Course) -> None:
    seen = {row["finality"] for instant in course.instants for row in instant.body["rows"]}
    assert seen == {"provisional", "closed", "revised"}


def test_every_record_is_accounted_for_by_lane(course: Course, oracle: Oracle) -> None:
    lines, wrong = lane_lines(oracle, course.lanes)
    assert lines
    assert wrong == []


def test_every_trade_of_the_capture_is_in_the_rows(facts: CaptureFacts, course: Course, oracle: Oracle) -> None:
    assert missing_trades(facts, oracle, course.final[0]) == []


def test_no_process_is_left_behind(course: Course) -> None:
    assert course.left_behind == []
