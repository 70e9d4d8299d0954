"""The status page in a real browser: with and without a script, by keyboard, live, and what it weighs."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import CDPSession, Page, expect

from oncall.v1 import status_page_pb2 as status_page
from tests.browser.chromium import PHONE
from tests.browser.conftest import Opening
from tests.browser.site import Site
from tests.busy_page import BusyPage
from tests.status_pages import PUBLIC

MOST_BYTES = 60_000
LIVE = "This page updates by itself"


def today() -> date:
    return datetime.now(ZoneInfo("Europe/Berlin")).date()


def written(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def bars_of(page: Page, busy: BusyPage, name: str) -> str:
    return f"#bars-{busy.components[name].id}"


def test_without_a_script_the_page_is_whole(opened: Opening, busy: BusyPage) -> None:
    page = opened(busy, java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("Minor Service Outage")
    headings = page.get_by_role("heading", level=2).all_inner_texts()
    assert headings == ["1 open incident", "Maintenance", "Components", "History"]
    expect(
        page.get_by_role("img", name=re.compile(r"^Refunds: 99\.\d\d % available in the last 90 days"))
    ).to_be_visible()
    page.locator(f"#days-{busy.components['Refunds'].id} summary").click()
    failed = written(today() - timedelta(days=16))
    expect(page.get_by_text(re.compile(rf"{failed} Partial outage"))).to_be_visible()
    expect(page.locator("time").first).to_have_text(re.compile(r"\d{4}, \d\d:\d\d UTC$"))
    expect(page.get_by_text(LIVE)).to_be_hidden()


def test_times_are_also_told_in_the_readers_zone(opened: Opening, busy: BusyPage) -> None:
    page = opened(busy, timezone_id="Asia/Tokyo")
    expect(page.locator(".headline time")).to_have_text(re.compile(r"UTC \((\d+ \w+, )?\d\d:\d\d GMT\+9\)$"))
    expect(page.get_by_text("yours in brackets")).to_be_visible()
    page = opened(busy, timezone_id="UTC")
    expect(page.locator(".headline time")).to_have_text(re.compile(r"UTC$"))


def test_the_bars_of_a_component_are_one_tab_stop_with_named_days(opened: Opening, busy: BusyPage) -> None:
    page = opened(busy)
    bars = page.locator(bars_of(page, busy, "Refunds"))
    last = today()  # of the page; a test that runs over midnight looks again
    bars.focus()
    expect(bars).to_have_attribute("aria-valuetext", f"{written(last)}: Operational")
    page.keyboard.press("ArrowLeft")
    expect(bars).to_have_attribute("aria-valuetext", f"{written(last - timedelta(days=1))}: Operational")
    page.keyboard.press("End")
    for _ in range(2):
        page.keyboard.press("PageDown")
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    failed = written(last - timedelta(days=16))
    expect(bars).to_have_attribute("aria-valuetext", re.compile(rf"^{failed}: Partial outage"))
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    expect(bars).to_have_attribute("aria-valuenow", "1")
    page.keyboard.press("End")
    expect(bars).to_have_attribute("aria-valuenow", "90")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.parentElement.id") == f"days-{busy.components['Refunds'].id}"
    page.keyboard.press("Tab")
    assert page.evaluate("'#' + document.activeElement.id") == bars_of(page, busy, "Payouts")


def test_the_first_tab_stop_leads_to_the_content(opened: Opening, busy: BusyPage) -> None:
    page = opened(busy)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_a_new_incident_appears_by_itself_and_nothing_moves_under_its_reader(opened: Opening, site: Site) -> None:
    busy = site.a_page(PUBLIC)
    page = opened(busy)
    expect(page.get_by_text(LIVE)).to_be_visible()
    page.locator(f"#days-{busy.components['Refunds'].id} summary").click()
    payouts = page.locator(bars_of(page, busy, "Payouts"))
    payouts.focus()
    page.keyboard.press("PageDown")
    before = payouts.bounding_box()
    site.does(site.desk.an_incident(busy.page, title="Everything is slow"))
    expect(page.get_by_role("heading", name="Everything is slow")).to_be_attached(timeout=20_000)
    expect(page.locator("#announcement")).to_have_text(re.compile(r"^This page was updated: .*, 2 open incidents\.$"))
    expect(payouts).to_be_focused()
    expect(payouts).to_have_attribute("aria-valuenow", "83")
    expect(page.locator(f"#days-{busy.components['Refunds'].id}")).to_have_attribute("open", "")
    after = payouts.bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) < 2


def test_a_component_that_works_again_says_so_by_itself(opened: Opening, site: Site) -> None:
    busy = site.a_page(PUBLIC)
    reports = busy.components["Reports"].id
    site.does(site.desk.sets(reports, status=status_page.COMPONENT_STATUS_MAJOR_OUTAGE))
    page = opened(busy)
    expect(page.get_by_text(LIVE)).to_be_visible()
    expect(page.locator(f"#component-{reports} + .status")).to_have_text("Major outage")
    site.does(site.desk.sets(reports, status=status_page.COMPONENT_STATUS_OPERATIONAL))
    expect(page.locator(f"#component-{reports} + .status")).to_have_text("Operational", timeout=20_000)


def test_the_page_speaks_german_to_who_asks_for_it(opened: Opening, busy: BusyPage) -> None:
    page = opened(busy, locale="de-AT")
    assert page.locator("html").get_attribute("lang") == "de"
    expect(page.locator(".headline time")).to_have_text(re.compile(r"\d+\. \w+ \d{4}, \d\d:\d\d UTC \(.*M.*Z\)"))
    bars = page.locator(bars_of(page, busy, "Refunds"))
    bars.focus()
    expect(bars).to_have_attribute("aria-valuetext", re.compile(r"^\d+\. \w+ \d{4}: Funktioniert|^\d+\. \w+ \d{4}: .+"))


def test_nothing_is_wider_than_a_phone(opened: Opening, busy: BusyPage) -> None:
    page = opened(busy, viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size({"width": 320, "height": 640})  # WCAG 1.4.10
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_on_paper_everything_is_black_on_white_and_details_are_open(opened: Opening, busy: BusyPage) -> None:
    page = opened(busy, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 32, 39)"
    expect(page.locator(f"#days-{busy.components['Refunds'].id} li").first).to_be_visible()
    expect(page.get_by_role("link", name="Feed")).to_be_hidden()
    assert len(page.pdf()) > 10_000


def test_all_that_the_page_loads_weighs_less_than_60_kb(opened: Opening, busy: BusyPage) -> None:
    page = opened(busy)
    network: CDPSession = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: dict[str, float] = {}
    addresses: dict[str, str] = {}
    network.on("Network.responseReceived", lambda told: addresses.update({told["requestId"]: told["response"]["url"]}))
    network.on("Network.loadingFinished", lambda told: sizes.update({told["requestId"]: told["encodedDataLength"]}))
    page.reload()
    expect(page.get_by_text(LIVE)).to_be_visible()
    # What the page before this one had asked for may end meanwhile, too; its answer was told to nobody here.
    answered = {number: size for number, size in sizes.items() if number in addresses}
    loaded = {addresses[number].rpartition("/")[2].split(".")[0]: size for number, size in answered.items()}
    assert {"acme", "status"} <= set(loaded)
    assert len(answered) >= 3  # page, stylesheet, script
    assert sum(answered.values()) < MOST_BYTES, loaded
