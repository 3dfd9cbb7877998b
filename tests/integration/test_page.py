"""The page in a real Chromium, over a serving API that runs: what is seen while bars come, close and are revised."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eventually import eventually
from keyed import key_file, keyed
from served import Served, served
from small_market import SmallMarket

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip(
    "playwright.sync_api", reason="The page is tried in Chromium by playwright: pip install playwright"
)

pytestmark = pytest.mark.integration

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE_MS = 30_000
PHONE = {"width": 360, "height": 740}
LINES = """(selector) => [...document.querySelectorAll(selector)].map(
  (line) => [...line.cells].map((cell) => cell.innerText)
)"""
"""The cells of lines of a table, read at one moment."""

UNREACHABLE = ("net::ERR_", "status of 503")
"""What a browser itself notes of requests while serving is down, or starts."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("There is no chromium, chromium-browser or google-chrome on the path: apt-get install -y chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def market(tmp_path: Path) -> SmallMarket:
    """Two closed minutes, and a third that has begun, in the lake."""
    market = SmallMarket(tmp_path)
    for clock, price in (("10:00:10", "100"), ("10:01:10", "101.5"), ("10:05:00", "102"), ("10:05:01", "103")):
        market.trade(clock, price=price)
    market.trade("10:05:01", symbol="ETHUSDT", price="7.25", lane=1, trade_id=1)
    market.poison(lane=1)
    market.cycle()
    return market


class Seen:
    """The page as it is seen, and what the browser complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on(
            "console", lambda told: self.complaints.append(told.text) if told.type in {"error", "warning"} else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def bars(self) -> list[tuple[str, str, str]]:
        """Of the newest bars, newest first: clock, finality and close."""
        lines = self.page.evaluate(LINES, "#bars tbody tr[data-finality]")
        return [(cell[0].split()[1], cell[1].split()[1], cell[5]) for cell in lines]

    def wait_for(self, *bars: tuple[str, str, str]) -> None:
        """Wait until these are the newest bars."""
        eventually(lambda: self.bars()[: len(bars)] == list(bars), PATIENCE_MS / 1000)

    def text(self, selector: str) -> str:
        text: str = self.page.locator(selector).inner_text()
        return text


@contextmanager
def seen(browser: Browser, api: Served, path: str = "/", **options: Any) -> Iterator[Seen]:  # noqa: ANN401  # as playwright takes them
    """Open the page in a browser profile of its own."""
    with browser.new_context(**options) as context:
        view = Seen(context.new_page())
        view.page.goto(f"{str(api.client.base_url).rstrip('/')}{path}")
        yield view


@contextmanager
def running(market: SmallMarket) -> Iterator[Served]:
    with market.live_side() as address, served(market.lake, address) as api:
        eventually(api.is_ready)
        yield api


def test_bars_arrive_and_a_provisional_one_closes_and_is_revised(browser: Browser, market: SmallMarket) -> None:
    with running(market) as api, seen(browser, api) as view:
        view.wait_for(("10:05", "provisional", "103.0"), ("10:01", "closed", "101.5"), ("10:00", "closed", "100.0"))
        assert view.text("#price") == "103.0"
        market.trade("10:05:30", price="104.25")
        view.wait_for(("10:05", "provisional", "104.25"))
        for clock in ("10:09:00", "10:09:01", "10:09:02"):  # the third largest of the times is the watermark
            market.trade(clock, price="105")
        view.wait_for(("10:09", "provisional", "105.00"), ("10:05", "provisional", "104.25"))
        market.cycle()
        view.wait_for(("10:09", "provisional", "105.00"), ("10:05", "closed", "104.25"))
        market.trade("10:05:59", price="102", arrives="10:09:30")
        market.cycle()
        view.wait_for(("10:09", "provisional", "105.00"), ("10:05", "revised", "102.00 (was 104.25)"))
        assert view.page.locator("#chart canvas").count() > 0
        assert view.complaints == []


def test_the_page_goes_on_after_the_server_restarted(browser: Browser, market: SmallMarket) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with market.live_side() as address:
        with served(market.lake, address, port=port) as api:
            eventually(api.is_ready)
            context = browser.new_context()
            view = Seen(context.new_page())
            view.page.goto(str(api.client.base_url))
            view.wait_for(("10:05", "provisional", "103.0"))
            assert view.text("#stream") == "Stream live"
        playwright.expect(view.page.locator("#away")).to_contain_text("The stream is away since", timeout=PATIENCE_MS)
        assert view.bars()[0] == ("10:05", "provisional", "103.0")
        market.trade("10:05:40", price="99.5")
        with served(market.lake, address, port=port):
            view.wait_for(("10:05", "provisional", "99.5"))
            playwright.expect(view.page.locator("#away")).to_be_hidden(timeout=PATIENCE_MS)
            assert view.text("#stream") == "Stream live"
            market.trade("10:05:41", price="98.5")
            view.wait_for(("10:05", "provisional", "98.5"))
            assert [told for told in view.complaints if not any(word in told for word in UNREACHABLE)] == []
            context.close()


def test_it_says_what_became_of_records_and_how_fresh_bars_are(browser: Browser, market: SmallMarket) -> None:
    market.trade("10:05:02", symbol="ETHUSDT", lane=1, trade_id=4)
    market.cycle()
    with running(market) as api, seen(browser, api) as view:
        lanes = view.page.locator("#lanes tbody tr[data-lane]")
        playwright.expect(lanes).to_have_count(2, timeout=PATIENCE_MS)
        accounts = [line[1:] for line in view.page.evaluate(LINES, "#lanes tbody tr[data-lane]")]
        told = api.get("/v1/lanes").json()["lanes"]
        kinds = ("read", "folded", "duplicates", "dead_letters", "lost", "excluded")
        assert accounts == [[*(str(lane[kind]) for kind in kinds), "✓ adds up", "read"] for lane in told]
        playwright.expect(view.page.locator("#speed")).to_have_text("● live", timeout=PATIENCE_MS)
        playwright.expect(view.page.locator("#sequence")).to_have_text("#2", timeout=PATIENCE_MS)
        assert view.text("#lag") == "0 records"
        assert view.text("#published").endswith(" ago")
        assert view.text("#dead") == "1"
        gaps = api.get("/v1/gaps").json()["gaps"]
        assert gaps != []
        playwright.expect(view.page.locator("#gaps tbody tr[data-state]")).to_have_count(len(gaps), timeout=PATIENCE_MS)
        assert view.text("#missing") == str(sum(gap["ids"] for gap in gaps))
        assert view.complaints == []


def test_it_shows_the_last_batch_cycles(browser: Browser, market: SmallMarket) -> None:
    with running(market) as api, seen(browser, api) as view:
        cycles = view.page.locator("#cycles tbody tr[data-sequence]")
        playwright.expect(cycles).to_have_count(1, timeout=PATIENCE_MS)
        (first,) = view.page.evaluate(LINES, "#cycles tbody tr")
        assert first[0] == "#1"
        assert first[3:9] == ["6", "5", "0", "1", "0", "0"]
        assert "views/bars" in first[9]
        market.trade("10:06:00")
        market.cycle()
        playwright.expect(cycles).to_have_count(2, timeout=PATIENCE_MS)
        newest, before = view.page.evaluate(LINES, "#cycles tbody tr")
        assert (newest[0], newest[3:9]) == ("#2", ["1", "1", "0", "0", "0", "0"])
        assert newest[2].endswith(("s", "min"))
        assert before == first
        assert view.complaints == []


def test_another_symbol_and_interval_are_chosen_and_kept_in_the_address(browser: Browser, market: SmallMarket) -> None:
    with running(market) as api, seen(browser, api) as view:
        view.wait_for(("10:05", "provisional", "103.0"))
        view.page.get_by_label("Symbol").select_option("ETHUSDT")
        view.wait_for(("10:05", "provisional", "7.25"))
        view.page.get_by_role("button", name="BTCUSDT").click()
        view.page.get_by_text("5m", exact=True).click()
        view.wait_for(("10:05", "provisional", "103.0"), ("10:00", "closed", "101.5"))
        assert view.page.url.endswith("#simulator/BTCUSDT/5m")
        view.page.reload()
        view.wait_for(("10:05", "provisional", "103.0"), ("10:00", "closed", "101.5"))
        assert view.page.get_by_role("radio", name="5m", exact=True).is_checked()
        assert view.complaints == []


def test_bars_can_be_read_by_keyboard(browser: Browser, market: SmallMarket) -> None:
    with running(market) as api, seen(browser, api) as view:
        view.wait_for(("10:05", "provisional", "103.0"))
        view.page.get_by_role("application").focus()
        view.page.keyboard.press("ArrowLeft")
        assert "10:01 UTC, closed: open 101.5" in view.text("#spoken")
        assert view.text("#reading-close") == "101.5"
        view.page.keyboard.press("End")
        assert view.text("#reading-close") == "103.0"
        assert view.complaints == []


@pytest.mark.parametrize("address", ["<img src=x onerror=alert(1)>/x/2m", "simulator/%3Cb%3E", "%E0%A4%A/%", "/"])
def test_an_address_that_names_what_is_not_there_shows_what_is(
    browser: Browser, market: SmallMarket, address: str
) -> None:
    with running(market) as api, seen(browser, api, f"/#{address}") as view:
        view.wait_for(("10:05", "provisional", "103.0"))
        assert view.page.url.endswith("#simulator/BTCUSDT/1m")
        assert view.page.locator("main img, main b:not(.legend b)").count() == 0
        assert view.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_reaches_over_the_edge_of_a_phone(browser: Browser, market: SmallMarket, scheme: str) -> None:
    options = {"viewport": PHONE, "is_mobile": True, "has_touch": True, "color_scheme": scheme}
    with running(market) as api, seen(browser, api, **options) as view:
        view.wait_for(("10:05", "provisional", "103.0"))
        widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        assert view.page.evaluate(widths) == [PHONE["width"], PHONE["width"]]
        background = view.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(11, 16, 23)" if scheme == "dark" else "rgb(243, 245, 248)")
        assert view.complaints == []


def test_it_says_so_where_nothing_was_traded_yet(browser: Browser, tmp_path: Path) -> None:
    market = SmallMarket(tmp_path)
    with running(market) as api, seen(browser, api) as view:
        playwright.expect(view.page.locator("#empty")).to_contain_text("No trade was folded yet", timeout=PATIENCE_MS)
        market.trade("10:00:00", price="5")
        view.wait_for(("10:00", "provisional", "5"))
        assert view.complaints == []


def test_a_key_is_asked_for_once_where_one_is_needed(browser: Browser, market: SmallMarket, tmp_path: Path) -> None:
    key = key_file(tmp_path).create("reader", ["read", "stream"])
    policy = keyed(tmp_path)
    with market.live_side() as address, served(market.lake, address, policy=policy) as api, seen(browser, api) as view:
        field = view.page.get_by_label("Key", exact=True)
        field.fill("tf_no_key")
        field.press("Enter")
        problem = view.page.locator("#login-problem")
        playwright.expect(problem).to_contain_text("Send a key that is taken here", timeout=PATIENCE_MS)
        field.fill(f" {key} ")
        view.page.get_by_role("button", name="Open", exact=True).click()
        view.wait_for(("10:05", "provisional", "103.0"))
        assert view.text("#stream") == "Stream live"
        assert not view.page.locator("#login").is_visible()
        view.page.reload()
        view.wait_for(("10:05", "provisional", "103.0"))
        assert view.page.evaluate("document.cookie") == ""
        assert {told for told in view.complaints if "status of 401" not in told} == set()
