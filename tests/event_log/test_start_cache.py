"""What Java keeps of a start of Kafka: it is made once, used from then on, and never needed."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from twofold.event_log import jars
from twofold.event_log.embedded import EmbeddedKafka
from twofold.event_log.start_cache import make_start_cache
from twofold.port import free_port

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that has the jars and nothing else."""
    there = Path(jars.class_path(jars.default_cache())).parent
    cache = tmp_path_factory.mktemp("cache")
    folder = cache / there.name
    folder.mkdir()
    for jar in there.glob("*.jar"):
        shutil.copy2(jar, folder)
    return cache


@pytest.fixture(scope="module")
def made(cache: Path) -> Path:
    return make_start_cache(cache)


def mapped_by_java(folder: Path) -> Iterator[str]:
    """Files that the broker of a folder has in memory."""
    for process in psutil.process_iter():
        arguments = process.cmdline() if process.status() != psutil.STATUS_ZOMBIE else []
        if "kafka.Kafka" in arguments and str(folder) in arguments[-1] and "java" in arguments[0]:
            yield from (each.path for each in process.memory_maps())


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has in memory is told by Linux only")
def test_it_is_made_once_and_each_start_of_kafka_uses_it(cache: Path, made: Path, tmp_path: Path) -> None:
    stamp = made.stat().st_mtime_ns
    assert make_start_cache(cache) == made == jars.start_cache(cache)
    assert made.stat().st_mtime_ns == stamp
    with EmbeddedKafka(tmp_path, free_port(), cache):
        assert str(made) in set(mapped_by_java(tmp_path))


def test_nothing_but_jars_and_what_was_made_is_left(cache: Path, made: Path) -> None:
    assert [path.name for path in cache.iterdir()] == [made.parent.name]
    assert {path.suffix for path in made.parent.iterdir()} == {".jar", ".aot"}


def test_kafka_starts_without_it_and_with_one_that_is_damaged(cache: Path, made: Path, tmp_path: Path) -> None:
    whole = made.read_bytes()
    for left in (whole[: len(whole) // 2], b"not what Java made", None):
        made.unlink()
        if left is not None:
            made.write_bytes(left)
        with EmbeddedKafka(tmp_path, free_port(), cache):
            pass
