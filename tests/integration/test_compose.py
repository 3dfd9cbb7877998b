"""docker-compose.yml's own commands on this machine, word for word, with the environment that it gives them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from composition.database import Database, installed_database
from composition.described import OURS, SERVICES, given
from composition.host import Host, prefect_for
from composition.messages import Messages, installed_messages
from eventually import eventually
from expositions import figures, read_exposition
from scheduling import PrefectServer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

RUN = ["speed", "serving", "worker", "source"]
"""Our services that stay, but for those of a profile, in an order in which none waits for one behind it."""


@pytest.fixture(scope="module")
def database() -> Iterator[Database | None]:
    """In place of the image of PostgreSQL; None where it is not installed."""
    found = installed_database()
    with ExitStack() as stack:
        yield None if found is None else stack.enter_context(found.runs())


@pytest.fixture(scope="module")
def messages() -> Iterator[Messages | None]:
    """In place of the image of Redis; None where it is not installed."""
    found = installed_messages()
    with ExitStack() as stack:
        yield None if found is None else stack.enter_context(found.runs())


@pytest.fixture(scope="module")
def prefect(
    database: Database | None, messages: Messages | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrefectServer]:
    """A Prefect server with the database and the messages that the file names, where there are such."""
    server = prefect_for(tmp_path_factory.mktemp("prefect"), database, messages)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def host(kafka: str, prefect: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """All of our services, started in the order in which they wait for each other."""
    with ExitStack() as stack:
        running = Host(tmp_path_factory.mktemp("compose"), kafka, prefect)
        running.run("deployments")
        for name in RUN:
            stack.enter_context(running.runs(name))
            if "healthcheck" in SERVICES[name]:
                eventually(lambda name=name: running.is_healthy(name))  # type: ignore[misc]  # bound as it is now
        yield running


def ask(host: Host, path: str, **parameters: str | int) -> dict[str, Any] | None:
    """What serving answers, if it does."""
    try:
        response = httpx.get(f"http://{host.serving}{path}", params=parameters, timeout=10)
    except httpx.HTTPError:
        return None
    answer: dict[str, Any] = response.json()
    return answer if response.is_success else None


def test_all_of_our_services_run_here_but_those_of_a_profile() -> None:
    assert {*RUN, "deployments"} == {name for name in OURS if "profiles" not in SERVICES[name]}


def test_nothing_of_the_environment_names_what_is_not_here(host: Host) -> None:
    there = ("/var/lib/twofold", "0.0.0.0", *(f"{service}:" for service in SERVICES))  # noqa: S104  # looked for, not bound
    for name in RUN:
        ours = {key: text for key, text in host.environment(name).items() if key in given(name)}
        assert [text for text in ours.values() if any(place in text for place in there)] == []


def test_the_system_comes_to_an_answer_of_both_sides(host: Host) -> None:
    def merged() -> dict[str, Any] | None:
        answer = ask(host, "/v1/views/bars", last=3)
        if answer is None or answer["receipt"]["sequence"] == 0 or answer["freshness"]["speed"] != "live":
            return None
        cut, positions = answer["receipt"]["cut"], answer["receipt"]["positions"]
        return answer if sum(positions.values()) > sum(cut.values()) > 0 else None

    answer = eventually(merged, within_s=240)
    assert sum(row["trades"] for row in answer["rows"]) > 0
    lanes = ask(host, "/v1/lanes")
    assert lanes is not None
    assert all(lane["balanced"] for lane in lanes["lanes"])


def test_both_parts_of_the_live_side_tell_their_metrics_where_prometheus_asks(host: Host) -> None:
    told = {place: read_exposition(httpx.get(f"http://{place}/metrics").text) for place in (host.serving, host.metrics)}
    assert figures(told[host.serving], "twofold_speed_mode")["live",] == 1
    assert sum(figures(told[host.metrics], "twofold_worker_lane_position").values()) > 0


@pytest.mark.usefixtures("host")
def test_prefect_keeps_what_ran_in_postgresql(database: Database | None) -> None:
    if database is None:
        pytest.skip("There is no PostgreSQL in /usr/lib/postgresql: apt-get install -y postgresql")
    eventually(lambda: int(database.ask("select count(*) from flow_run where state_type = 'COMPLETED'") or 0) > 0)


@pytest.mark.usefixtures("host")
def test_prefect_hands_its_events_on_through_redis(messages: Messages | None) -> None:
    if messages is None:
        pytest.skip("There is no redis-server on the path: apt-get install -y redis-server")
    eventually(lambda: messages.ask("type", "events") == "stream")
    eventually(lambda: int(messages.ask("xinfo", "stream", "events").split("entries-added\n")[-1].split()[0]) > 0)
