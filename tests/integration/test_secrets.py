"""No secret in what is shown: all of them are set to words that are easy to find, and what parts say is searched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from small_market import SmallMarket

from serving.access.keys import KeyFile
from twofold.port import free_port
from twofold.settings import load_settings

pytestmark = pytest.mark.integration

PASSWORD, WRONG_KEY, SIGNING = "k4fka-p4ssw0rd-secret", "tf_0badc0de_wr0ng-secret", "s1gning-secret-" + "x" * 32
PATHS = ("/v1/views", "/v1/views/bars?base=published", "/v1/lanes", "/v1/verification", "/openapi.json")
COMMANDS = [
    ("query", "bars"),
    ("cycle",),
    ("doctor",),
    ("dead-letters", "list"),
    ("receipt", "verify", "1j.AAAA.BBBB"),
    ("receipt", "show", "1j.AAAA.BBBB"),
    ("keys", "list"),
    ("keys", "create", "taken"),
    ("keys", "revoke", "nobody"),
    ("serve",),  # on a port that is taken
]


class Shown:
    """A deployment whose Kafka does not answer, and all that it showed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        market = SmallMarket(folder)
        market.trade("10:00:00")
        market.cycle()
        (folder / "receipt-keys.txt").write_text(SIGNING)
        self.key = KeyFile(folder / "api-keys.json").create("taken", ["read", "stream"])
        self.address = f"127.0.0.1:{free_port()}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TWOFOLD_")},
            "TWOFOLD_DATA_FOLDER": str(folder),
            "TWOFOLD_SERVING_ADDRESS": self.address,
            "TWOFOLD_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
            "TWOFOLD_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "TWOFOLD_KAFKA_USER": "desk",
            "TWOFOLD_KAFKA_PASSWORD": PASSWORD,
            "TWOFOLD_API_KEY": WRONG_KEY,
            "TWOFOLD_VERIFIED_SHARE": "1",
        }
        self.text = ""

    @property
    def secrets(self) -> list[str]:
        return [PASSWORD, WRONG_KEY, "wr0ng-secret", SIGNING, self.key, self.key.split("_", 2)[2]]

    def run(self, *words: str) -> None:
        """Run a command to its end."""
        command = [sys.executable, "-m", "twofold", *words]
        ended = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=120, check=False, cwd=self.folder
        )
        self.text += f"{words} {ended.returncode}\n{ended.stdout}{ended.stderr}"

    @contextmanager
    def serving(self) -> Iterator[httpx.Client]:
        """Run serving, with all that it logs."""
        log = self.folder / "serving.log"
        command = [sys.executable, "-X", "dev", "-m", "twofold", "serve"]
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output, cwd=self.folder)
        try:
            with httpx.Client(base_url=f"http://{self.address}", timeout=60) as client:
                eventually(lambda: process.poll() is not None or self._is_alive(client))
                yield client
        finally:
            process.terminate()
            process.wait(timeout=60)
            self.text += log.read_text()

    def _is_alive(self, client: httpx.Client) -> bool:
        try:
            return client.get("/healthz").is_success
        except httpx.HTTPError:
            return False

    def ask(self, client: httpx.Client, path: str, **headers: str) -> None:
        response = client.get(path, headers=headers)
        self.text += f"{path} {response.status_code} {response.headers!r} {response.text}\n"


def test_no_secret_is_shown_whatever_goes_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(tmp_path)
    with shown.serving() as client:
        right, wrong = {"Authorization": f"Bearer {shown.key}"}, {"Authorization": f"Bearer {WRONG_KEY}"}
        basic, cookie = {"Authorization": f"Basic {WRONG_KEY}"}, {"Cookie": f"twofold_session={WRONG_KEY}"}
        for headers in ({}, right, wrong, basic, cookie):
            for path in PATHS:
                shown.ask(client, path, **headers)
            shown.ask(client, "/v1/receipts/1j.AAAA.BBBB", **headers)
            shown.ask(client, "/v1/views/bars?limit=x", **headers)
        answer = client.get("/v1/views/bars?base=published", headers=right).json()
        shown.ask(client, f"/v1/receipts/{answer['receipt']['token']}", **right)
        begun = client.post("/v1/session", headers=right)
        shown.text += f"{begun.headers!r}"
        for words in COMMANDS:
            shown.run(*words)
    shown.run("query", "bars")
    for name in [name for name in os.environ if name.startswith("TWOFOLD_")]:
        monkeypatch.delenv(name)
    for name, value in shown.environment.items():
        if name.startswith("TWOFOLD_"):
            monkeypatch.setenv(name, value)
    settings = load_settings()
    shown.text += f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {settings.kafka!r}"
    for words in COMMANDS:
        assert f"{words} " in shown.text
    assert "key_needed" in shown.text
    assert "No Kafka broker answers" in shown.text
    assert "Traceback" not in shown.text
    assert [secret for secret in shown.secrets if secret in shown.text] == []
    kept = {
        path.name
        for path in tmp_path.rglob("*")
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in shown.secrets)
    }
    assert kept == {"receipt-keys.txt"}
