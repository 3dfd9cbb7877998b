from collections.abc import Iterator

import pytest
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings
from scheduling import PrefectServer, prefect_server


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A Prefect server that all tests of a session share; what runs in this process uses it too."""
    with (
        prefect_server(tmp_path_factory.mktemp("prefect")) as server,
        temporary_settings({PREFECT_API_URL: server.url, PREFECT_HOME: server.folder}),
    ):
        yield server
        # What is still to be said goes out while someone listens, or this process would wait for that in the end.
        EventsWorker.drain_all()
        APILogWorker.drain_all()
