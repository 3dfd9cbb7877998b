"""What docker-compose.yml says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WHOLE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("twofold")]
"""The services that run this project, in the order of the file."""


def given(service: str) -> dict[str, str]:
    """The environment that the file gives a service, with the passwords of .env.example in it."""
    example = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    environment: dict[str, str] = SERVICES[service].get("environment", {})
    return {
        name: re.sub(r"\$\{(\w+):\?[^}]+\}", lambda found: example[found[1]], text)
        for name, text in environment.items()
    }
