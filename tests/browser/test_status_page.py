"""The status page in a real browser: with and without a script, by keyboard, live, signed in and cut off."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from oncall.v1 import incident_pb2 as incident
from oncall.v1 import status_page_pb2 as status_page
from tests.browser.chromium import PHONE
from tests.browser.conftest import Opening
from tests.browser.site import TOKEN, Site
from tests.unit.gateway.full_page import NOW, an_incident

CARD_BARS = "#bars-Card-payments"


def test_without_a_script_the_page_is_whole(opened: Opening) -> None:
    page = opened(java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("Partial System Outage")
    headings = page.get_by_role("heading", level=2).all_inner_texts()
    assert headings == ["3 open incidents", "Maintenance", "Components", "History"]
    expect(page.get_by_role("img", name="Card payments: 99.91 % available in the last 90 days")).to_be_visible()
    page.locator("#days-Card-payments summary").click()
    expect(page.get_by_text("24 November 2026 Partial outage 46 min")).to_be_visible()
    expect(page.locator("time").first).to_have_text("24 November 2026, 09:05 UTC")
    expect(page.get_by_text("This page updates by itself")).to_be_hidden()


def test_times_are_also_told_in_the_readers_zone(opened: Opening) -> None:
    page = opened(timezone_id="Asia/Tokyo")
    expect(page.locator(".headline time")).to_have_text("24 November 2026, 09:05 UTC (18:05 GMT+9)")
    expect(page.get_by_text("yours in brackets")).to_be_visible()
    page = opened(timezone_id="UTC")
    expect(page.locator(".headline time")).to_have_text("24 November 2026, 09:05 UTC")


def test_the_bars_of_a_component_are_one_tab_stop_with_named_days(opened: Opening) -> None:
    page = opened()
    bars = page.locator(CARD_BARS)
    bars.focus()
    expect(bars).to_have_attribute("aria-valuetext", "24 November 2026: Partial outage 46 min")
    expect(bars.locator("xpath=../p[contains(@class, 'day')]")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(bars).to_have_attribute("aria-valuetext", "23 November 2026: Operational")
    page.keyboard.press("Home")
    expect(bars).to_have_attribute("aria-valuetext", "27 August 2026: Operational")
    page.keyboard.press("ArrowLeft")
    expect(bars).to_have_attribute("aria-valuenow", "1")
    page.keyboard.press("End")
    expect(bars).to_have_attribute("aria-valuenow", "90")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.parentElement.id") == "days-Card-payments"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "bars-Direct-debit"
    page.locator("#bars-Client-libraries").focus()
    page.keyboard.press("Home")
    expect(page.locator("#bars-Client-libraries")).to_have_attribute("aria-valuetext", "27 August 2026: No data")


def test_the_first_tab_stop_leads_to_the_content(opened: Opening) -> None:
    page = opened()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_a_new_incident_appears_by_itself_and_nothing_moves_under_its_reader(opened: Opening, site: Site) -> None:
    page = opened()
    expect(page.get_by_text("This page updates by itself")).to_be_visible()
    page.locator("#days-Refunds summary").click()
    page.locator("#bars-Payouts").focus()
    page.keyboard.press("PageDown")
    before = page.locator("#bars-Payouts").bounding_box()
    site.content.incidents.insert(
        0, an_incident("Everything is slow", (incident.INCIDENT_STATUS_INVESTIGATING, NOW, "We are looking into it."))
    )
    site.change("tag-2")
    expect(page.get_by_role("heading", name="Everything is slow")).to_be_attached()
    expect(page.locator("#announcement")).to_have_text(
        "This page was updated: Partial System Outage, 4 open incidents."
    )
    expect(page.locator("#bars-Payouts")).to_be_focused()
    expect(page.locator("#bars-Payouts")).to_have_attribute("aria-valuenow", "83")
    expect(page.locator("#days-Refunds")).to_have_attribute("open", "")
    after = page.locator("#bars-Payouts").bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) < 2


def test_a_change_between_reading_and_listening_is_not_missed(opened: Opening, site: Site) -> None:
    page = opened()
    expect(page.get_by_text("This page updates by itself")).to_be_visible()
    assert site.reads == 1
    site.change("tag-1")
    site.change("tag-2")
    expect(page.locator("#main")).to_have_attribute("data-tag", "tag-2")
    assert site.reads == 2


def test_whoever_is_cut_off_sees_the_page_no_longer(opened: Opening, site: Site) -> None:
    page = opened()
    expect(page.get_by_text("This page updates by itself")).to_be_visible()
    site.revoke()
    expect(page.get_by_label("Access token")).to_be_visible()
    expect(page.get_by_text("Card payments")).to_have_count(0)


def test_a_private_page_is_signed_in_to_without_a_script(opened: Opening, site: Site) -> None:
    site.private = True
    page = opened(java_script_enabled=False)
    page.get_by_label("Access token").fill("ocp_wrong")
    page.get_by_role("button", name="Show the page").click()
    expect(page.get_by_text("This token is not known")).to_be_visible()
    field = page.get_by_label("Access token")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Partial System Outage")
    assert page.url == site.url


def test_the_page_speaks_german_to_who_asks_for_it(opened: Opening) -> None:
    page = opened(locale="de-AT")
    assert page.locator("html").get_attribute("lang") == "de"
    expect(page.get_by_role("heading", level=1)).to_have_text("Teilweiser Systemausfall")
    expect(page.locator(".headline time")).to_have_text(re.compile(r"24\. November 2026, 09:05 UTC \(10:05 MEZ\)"))
    page.locator(CARD_BARS).focus()
    expect(page.locator(CARD_BARS)).to_have_attribute("aria-valuetext", "24. November 2026: Teilausfall 46 min")


def test_nothing_is_wider_than_a_phone(opened: Opening) -> None:
    page = opened(viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size({"width": 320, "height": 640})  # WCAG 1.4.10
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_on_paper_everything_is_black_on_white_and_details_are_open(opened: Opening) -> None:
    page = opened(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 32, 39)"
    expect(page.get_by_text("27 August", exact=False)).to_have_count(0)
    expect(page.locator("#days-Card-payments li").first).to_be_visible()
    expect(page.get_by_role("link", name="Feed")).to_be_hidden()
    assert len(page.pdf()) > 10_000


def test_a_page_that_works_again_says_so(opened: Opening, site: Site) -> None:
    page = opened()
    expect(page.get_by_text("This page updates by itself")).to_be_visible()
    first = site.content.components[1]
    assert first.status == status_page.COMPONENT_STATUS_PARTIAL_OUTAGE
    first.status = status_page.COMPONENT_STATUS_OPERATIONAL
    site.change("tag-2")
    expect(page.locator("#component-Card-payments + .status")).to_have_text("Operational")
