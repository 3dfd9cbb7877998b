import os
import socket
import subprocess
import sys
from pathlib import Path

from twofold.port import free_port


def up(folder: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "TWOFOLD_DATA_FOLDER": str(folder),
        "TWOFOLD_KAFKA_PORT": str(free_port()),
        "TWOFOLD_PREFECT_PORT": str(free_port()),
        "TWOFOLD_SPEED_ADDRESS": f"127.0.0.1:{free_port()}",
        "TWOFOLD_SERVING_ADDRESS": f"127.0.0.1:{free_port()}",
    }
    return subprocess.run(
        [sys.executable, "-m", "twofold", "up", *options],
        env=os.environ | environment | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_ends_it_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = up(tmp_path / "data", TWOFOLD_PREFECT_PORT=port)
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "TWOFOLD_PREFECT_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_speed_that_is_none_ends_it_before_anything_starts(tmp_path: Path) -> None:
    ended = up(tmp_path / "data", "--speed", "quick")
    assert ended.returncode == 1
    assert "--speed 10" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_capture_that_is_not_there_is_told(tmp_path: Path) -> None:
    ended = up(tmp_path / "data", "--replay", str(tmp_path / "missing.gz"))
    assert ended.returncode == 2
    assert "missing.gz" in ended.stderr.replace("\n", "").replace("│", "").replace(" ", "")
    assert not (tmp_path / "data").exists()
