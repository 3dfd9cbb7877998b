"""The page at `/`: a live chart with finality, freshness, gaps and lanes, made of files that lie beside."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from serving.routes.views import has_already

FOLDER = Path(__file__).parents[1] / "page"

_INDEX = "index.html"
_MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    "": "text/plain",
}
"""Of each kind of file that is served. Licences have no ending."""

_FOR_A_YEAR = "public, max-age=31536000, immutable"
"""For files in a folder that is named after their version."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Asset(NamedTuple):
    """A file of the page, with the headers that it goes with."""

    body: bytes
    media_type: str
    headers: dict[str, str]


def add_page(app: FastAPI) -> None:
    """Add the page and its files. They are read once, here, so that no request is ever a path on the disk."""
    assets = dict(_assets())

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def read_page(request: Request) -> Response:
        return _answered(assets[_INDEX], request)

    @app.api_route("/page/{name:path}", methods=["GET", "HEAD"], include_in_schema=False)
    async def read_asset(name: str, request: Request) -> Response:
        if name == _INDEX or name not in assets:
            raise HTTPException(404)
        return _answered(assets[name], request)


def _assets() -> Iterator[tuple[str, Asset]]:
    for path in FOLDER.rglob("*"):
        if path.is_file() and path.suffix in _MEDIA_TYPES:
            name = path.relative_to(FOLDER).as_posix()
            body = path.read_bytes()
            caching = {
                "Cache-Control": _FOR_A_YEAR if "/" in name else "no-cache",
                "ETag": f'W/"{blake2b(body, digest_size=12).hexdigest()}"',
            }
            yield name, Asset(body, _MEDIA_TYPES[path.suffix], {**caching, **_HEADERS})


def _answered(asset: Asset, request: Request) -> Response:
    if has_already(request, asset.headers["ETag"]):
        return Response(status_code=304, headers=asset.headers)
    return Response(asset.body, headers=asset.headers, media_type=asset.media_type)
