"""Choosing an engine, and what is said where it cannot be had: always before anything is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import batch_layer
from batch_layer.cycle import BatchCycle
from batch_layer.engine import ENGINES, open_cycle
from batch_layer.spark import java
from twofold.errors import EngineMissing, SettingsError, UnknownName
from twofold.lake import Lake
from twofold.settings import Settings, load_settings


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def without_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(java, "_INSTALLED", tmp_path / "jvm")


def make_java(home: Path, modules: str) -> Path:
    """A runtime that says which modules it has, as `java --list-modules` does."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\nprintf '{modules}'\n")
    program.chmod(0o755)
    return home


def test_polars_does_the_work_by_default(lake: Lake) -> None:
    assert type(open_cycle(Settings(), lake)) is BatchCycle


def test_a_setting_names_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_ENGINE", "spark")
    assert load_settings().engine == "spark"
    monkeypatch.setenv("TWOFOLD_ENGINE", "duck")
    with pytest.raises(SettingsError, match=r"TWOFOLD_ENGINE.*'polars' or 'spark'"):
        load_settings()


def test_an_engine_that_does_not_exist_is_refused_with_those_that_do(lake: Lake) -> None:
    with pytest.raises(UnknownName) as unknown:
        open_cycle(Settings(), lake, "duck")
    assert unknown.value.exist == sorted(ENGINES)
    assert not Path(lake.root).exists()


@pytest.mark.usefixtures("without_java")
def test_without_java_the_spark_engine_says_what_to_install_and_writes_nothing(lake: Lake) -> None:
    with pytest.raises(EngineMissing, match=r"Java 17 or 21.*Found: none.*openjdk-17-jre-headless"):
        open_cycle(Settings(engine="spark"), lake)
    assert not Path(lake.root).exists()


@pytest.mark.usefixtures("without_java")
@pytest.mark.parametrize(
    ("modules", "said"),
    [
        (r"java.base@11.0.2\njdk.incubator.vector@11.0.2\n", r"\(Java 11\)"),
        (r"java.base@25\njdk.incubator.vector@25\n", r"\(Java 25\)"),
        (r"java.base@17.0.9\n", r"\(Java 17 without jdk.incubator.vector\)"),
        ("", r"\(which does not start\)"),
    ],
)
def test_a_java_that_spark_does_not_run_on_is_named(
    modules: str, said: str, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_java(tmp_path / "some-java", modules)
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(EngineMissing, match=f"Found: {home} {said}"):
        open_cycle(Settings(engine="spark"), lake)
    assert not Path(lake.root).exists()


@pytest.mark.usefixtures("without_java")
@pytest.mark.parametrize("version", java.VERSIONS)
def test_a_java_that_fits_is_found_past_one_that_does_not(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "named", r"java.base@11\n")))
    home = make_java(tmp_path / "jvm" / "fitting", rf"java.base@{version}.0.1\njdk.incubator.vector@{version}.0.1\n")
    assert java.java_home() == home


def test_without_the_extra_the_spark_engine_says_how_to_install_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_layer, "spark", batch_layer.spark)  # so that it comes back with its modules
    for name in [name for name in sys.modules if name.startswith("batch_layer.spark")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(EngineMissing, match=r"'pyspark.*pip install 'twofold\[spark\]'"):
        open_cycle(Settings(engine="spark"), lake)
    assert not Path(lake.root).exists()
