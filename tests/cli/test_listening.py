"""Commands that listen: what they say where they cannot."""

import os
import socket
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("command", "setting"), [("speed", "TWOFOLD_SPEED_ADDRESS"), ("serve", "TWOFOLD_SERVING_ADDRESS")]
)
def test_a_port_that_is_taken_is_named_with_the_setting_that_moves_it(command: str, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = subprocess.run(
            [sys.executable, "-m", "twofold", command],
            env={**os.environ, setting: address},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ended.returncode == 1
    said = " ".join(ended.stderr.split())
    assert address in said
    assert setting in said
    assert "Traceback" not in said


def test_a_speed_worker_that_is_not_listed_says_which_are() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "twofold", "speed", "--worker", "1"],
        env={**os.environ, "TWOFOLD_SPEED_ADDRESS": "127.0.0.1:1|127.0.0.1:2"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    said = " ".join(ended.stderr.split())
    assert "There is no speed worker 1" in said
    assert "TWOFOLD_SPEED_ADDRESS" in said
    assert "Traceback" not in said
