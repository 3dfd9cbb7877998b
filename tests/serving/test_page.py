"""The page at `/` over plain HTTP: its files, how long they may be kept, and what its policy lets a browser do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from served import Served, assert_is_problem, served
from small_market import SmallMarket

FOLDER = Path(__file__).parents[2] / "serving" / "page"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
LIBRARY = "lightweight-charts-5.2.1"
HTML = (FOLDER / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(SmallMarket(tmp_path_factory.mktemp("market")).lake) as api:
        yield api


def test_the_page_is_there_before_any_trade_is(api: Served) -> None:
    response = api.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.text == HTML


@pytest.mark.parametrize("name", [name for name in FILES if name != "index.html"])
def test_each_file_of_the_page_is_served_as_what_it_is(api: Served, name: str) -> None:
    response = api.get(f"/page/{name}")
    assert response.content == (FOLDER / name).read_bytes()
    kinds = {".css": "text/css", ".svg": "image/svg+xml", "": "text/plain"}
    assert response.headers["content-type"].split(";")[0] == kinds.get(Path(name).suffix, "text/javascript")
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/", "/page/main.js", f"/page/{LIBRARY}/lightweight-charts.standalone.production.mjs"]
)
def test_a_browser_is_told_to_load_and_ask_nothing_from_elsewhere(api: Served, path: str) -> None:
    policy = dict(
        directive.strip().split(" ", 1)
        for directive in api.get(path).headers["content-security-policy"].split(";")
        if directive
    )
    assert policy.pop("default-src") == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"


def test_the_page_has_no_script_or_style_of_its_own_and_nothing_from_elsewhere(api: Served) -> None:
    assert re.findall(r"<script(?![^>]*\bsrc=)", HTML) == re.findall(r"<style|\sstyle=|\son[a-z]+=", HTML) == []
    loaded = re.findall(r'<(?:link|script|img)[^>]*\b(?:href|src)="([^"]+)"', HTML)
    assert len(loaded) >= 4
    for address in loaded:
        assert urljoin("http://here/", address).startswith("http://here/page/")
        assert api.get(f"/{address}").status_code == 200


def test_no_text_becomes_markup_in_our_scripts() -> None:
    for path in FOLDER.glob("*.js"):
        assert (
            re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text("utf-8")) == []
        )


def test_files_under_a_version_are_kept_for_a_year_and_the_others_asked_for_again(api: Served) -> None:
    for name in FILES:
        caching = api.get("/" if name == "index.html" else f"/page/{name}").headers["cache-control"]
        assert caching == ("public, max-age=31536000, immutable" if name.startswith(LIBRARY) else "no-cache")


@pytest.mark.parametrize("path", ["/", "/page/main.js"])
def test_a_file_that_has_not_changed_is_not_sent_again(api: Served, path: str) -> None:
    first = api.get(path)
    again = api.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]


def test_the_library_is_compressed_for_those_that_take_it(api: Served) -> None:
    response = api.client.get(f"/page/{LIBRARY}/lightweight-charts.standalone.production.mjs")
    assert response.headers["content-encoding"] in {"gzip", "zstd"}


def test_the_headers_of_the_page_can_be_asked_for_alone(api: Served) -> None:
    response = api.client.head("/")
    assert (response.status_code, response.content) == (200, b"")


def test_the_page_names_the_library_with_its_notice_and_a_link(api: Served) -> None:
    notice = api.get(f"/page/{LIBRARY}/NOTICE").text
    assert "TradingView, Inc." in notice
    assert 'href="https://www.tradingview.com/"' in HTML
    assert "Apache License" in api.get(f"/page/{LIBRARY}/LICENSE").text


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app.py",
        "/page/..%2Fapp.py",
        "/page/%2e%2e/app.py",
        "/page/..%5Capp.py",
        f"/page/{LIBRARY}/..%2f..%2f..%2fapp.py",
        "/page//etc/passwd",
        "/page/%2Fetc%2Fpasswd",
        "/page/main.js%00",
        "/page/main.js/",
        "/page/",
        "/page/index.html",
        "/page/MAIN.JS",
        "/page/missing.js",
    ],
)
def test_no_path_leads_out_of_the_page(api: Served, path: str) -> None:
    assert_is_problem(api.client.get(path), 404, "/docs")


def test_a_parameter_is_refused_as_everywhere(api: Served) -> None:
    assert_is_problem(api.get("/", symbol="BTCUSDT"), 422, "no parameter 'symbol'")


def test_the_page_is_no_part_of_the_described_api(api: Served) -> None:
    assert not [path for path in api.get("/openapi.json").json()["paths"] if path == "/" or path.startswith("/page")]
