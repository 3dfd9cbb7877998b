"""Which scope a path needs: what is not known to be open is not."""

from __future__ import annotations

import pytest
from vouched import vouching

from serving.access.scopes import needed_scope
from serving.app import make_app
from serving.seam import Seam
from serving.speed_side import SpeedClient
from twofold.lake import Lake
from twofold.views import VIEWS


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/", None),
        ("/page/main.js", None),
        ("/docs", None),
        ("/openapi.json", None),
        ("/healthz", None),
        ("/v1/problems/key_needed", None),
        ("/v1/session", None),
        ("/v1/views", "read"),
        ("/v1/views/bars", "read"),
        ("/v1/views/bars/stream", "stream"),
        ("/v1/views/bars/stream/", "stream"),
        ("/v1/receipts/x", "read"),
        ("/v1/lanes", "read"),
        ("/udf/history", "read"),
        ("/api/v3/klines", "read"),
        ("/v1/sql", "sql"),
        ("/V1/views", "read"),
        ("//v1/views", "read"),
        ("/page", "read"),
        ("", "read"),
        ("/whatever/comes/next", "read"),
    ],
)
def test_a_path_needs_a_scope(path: str, scope: str | None) -> None:
    assert needed_scope(path) == scope


def test_only_these_described_paths_are_open() -> None:
    lake = Lake("unused")
    app = make_app(Seam(lake, SpeedClient("127.0.0.1:1"), VIEWS), vouching(lake))
    assert {path for path in app.openapi()["paths"] if needed_scope(path) is None} == {
        "/healthz",
        "/readyz",
        "/v1/problems",
        "/v1/problems/{name}",
        "/v1/session",
    }
