"""docker-compose.yml: valid by the compose specification, in step with the code, closed to other machines."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from packaging.requirements import Requirement

from twofold.cli.app import app
from twofold.event_log.jars import KAFKA
from twofold.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
WHOLE: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
STAND_INS = dict(
    re.findall(r"^\| `(\w+)` \| (.+?) \|", (ROOT / "deploy" / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
)
"""The services that are not ours, and what stands in for each where there is no container engine."""
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("twofold")]


def _validate(path: Path) -> int:
    """Check against the compose specification's schema, which check-jsonschema carries."""
    command = [
        str(Path(sys.executable).with_name("check-jsonschema")),
        "--builtin-schema",
        "vendor.compose-spec",
        str(path),
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_the_file_keeps_the_compose_specification() -> None:
    assert _validate(COMPOSE) == 0


def test_the_check_refuses_a_file_that_does_not(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(COMPOSE.read_text(encoding="utf-8").replace("depends_on:", "dependson:"), encoding="utf-8")
    assert _validate(broken) != 0


def test_the_parts_are_those_that_twofold_up_has_with_a_worker_of_prefect_for_its_deployments() -> None:
    assert set(OURS) == {"deployments", "worker", "speed", "serving", "source", "spark"}


def test_what_is_not_ours_has_a_stand_in_for_tests() -> None:
    assert set(SERVICES) == {*OURS, *STAND_INS}


@pytest.mark.parametrize("name", [name for name in OURS if SERVICES[name]["command"][0] == "twofold"])
def test_each_command_is_one_that_twofold_takes(name: str) -> None:
    command = typer.main.get_command(app)
    with command.make_context("twofold", [*SERVICES[name]["command"][1:]]) as context:
        assert isinstance(command, typer.core.TyperGroup)
        part, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert part is not None
        assert found is not None
        found.make_context(part, rest)


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_those_it_needs_to_be_healthy_or_to_have_ended_well(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        if SERVICES[needed]["restart"] == "on-failure":
            assert how["condition"] == "service_completed_successfully"
        else:
            assert how["condition"] == "service_healthy"
            assert "test" in SERVICES[needed]["healthcheck"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_keeps_its_data_in_declared_volumes(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        place = volume.split(":")[0]
        assert (ROOT / place).exists() if place.startswith("./") else place in WHOLE["volumes"]


@pytest.mark.parametrize("name", OURS)
def test_each_environment_variable_is_a_setting(name: str) -> None:
    known = {f"TWOFOLD_{field.upper()}" for field in Settings.model_fields} | {"PREFECT_API_URL"}
    assert set(SERVICES[name]["environment"]) <= known


@pytest.mark.parametrize("name", ["worker", "speed", "serving", "spark"])
def test_whoever_works_on_the_lake_shares_it(name: str) -> None:
    assert f"lake:{SERVICES[name]['environment']['TWOFOLD_LAKE']}" in SERVICES[name]["volumes"]


def test_whoever_makes_answers_again_asks_serving_and_has_its_keys() -> None:
    environment = SERVICES["worker"]["environment"]
    assert environment["TWOFOLD_SERVING_ADDRESS"] == "serving:18080"
    assert environment["TWOFOLD_RECEIPT_KEYS"] == SERVICES["serving"]["environment"]["TWOFOLD_RECEIPT_KEYS"]
    assert "keys:/var/lib/twofold/keys" in SERVICES["worker"]["volumes"]


def test_kafka_has_the_version_of_the_embedded_one() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA.rsplit(':', 1)[1]}"


def test_prefect_server_has_the_version_of_the_client() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    (pin,) = (line.removesuffix(" \\") for line in lock if line.startswith("prefect=="))
    version = next(iter(Requirement(pin).specifier)).version
    assert SERVICES["prefect"]["image"].startswith(f"prefecthq/prefect:{version}-")


def test_the_image_has_the_deployments_where_it_works() -> None:
    assert "WORKDIR /var/lib/twofold\nCOPY prefect.yaml ./\n" in DOCKERFILE
    assert "!prefect.yaml\n" in (ROOT / ".dockerignore").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", ["twofold", "speed_layer", "batch_layer", "serving", "flows"])
def test_the_image_holds_each_package(package: str) -> None:
    assert f"COPY {package} ./{package}\n" in DOCKERFILE
    assert f"!{package}\n" in (ROOT / ".dockerignore").read_text(encoding="utf-8")


def test_the_image_installs_by_hash_and_does_not_run_as_root() -> None:
    assert "pip install --no-deps --require-hashes -r requirements.lock\n" in DOCKERFILE
    assert DOCKERFILE.rindex("\nUSER twofold\n") > DOCKERFILE.rindex("\nRUN ")


@pytest.mark.parametrize("name", SERVICES)
def test_each_image_is_pinned(name: str) -> None:
    assert re.search(r":v?\d+(\.\d+)+(-[\w.-]+)?$", SERVICES[name]["image"])
    assert all(
        re.search(r":\d+\.\d+\.\d+-", base) for base in re.findall(r"^FROM (python\S*)", DOCKERFILE, re.MULTILINE)
    )


def test_passwords_stand_in_the_environment_alone() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?[^}]+\}", COMPOSE.read_text(encoding="utf-8")))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert asked == set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    for service in SERVICES.values():
        for variable, text in service.get("environment", {}).items():
            assert "PASSWORD" not in variable or re.fullmatch(r"\$\{\w+:\?[^}]+\}", text)


def test_each_target_of_the_image_that_is_built_is_a_stage_that_does_not_run_as_root() -> None:
    stages = dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL))
    for name in OURS:
        assert re.findall(r"^USER (\w+)$", stages[SERVICES[name]["build"]["target"]], re.MULTILINE)[-1] == "twofold"


@pytest.mark.parametrize("job", ["twofold-serving", "twofold-speed"])
def test_prometheus_reads_the_services_where_they_listen(job: str) -> None:
    read = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (targets,) = (each["static_configs"][0]["targets"] for each in read["scrape_configs"] if each["job_name"] == job)
    environment = SERVICES["speed"]["environment"]
    told = {"twofold-serving": "serving:18080", "twofold-speed": environment["TWOFOLD_SPEED_METRICS_ADDRESS"]}
    assert targets == [told[job]]
