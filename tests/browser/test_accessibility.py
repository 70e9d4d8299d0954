"""axe-core finds nothing on any page, in either theme, at either width."""

from __future__ import annotations

import time
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.chromium import DESKTOP, PHONE
from tests.browser.conftest import Opening
from tests.browser.site import Site
from tests.busy_page import BusyPage

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

LOOKS = [(scheme, size) for scheme in ("light", "dark") for size in (DESKTOP, PHONE)]


def findings(page: Page) -> list[str]:
    found: dict[str, Any] = Axe().run(page, options={"runOnly": RULES}).response
    assert len(found["passes"]) > 10  # it looked
    return [f"{one['id']}: {node['html'][:150]}" for one in found["violations"] for node in one["nodes"]]


def look(page: Page) -> None:
    """Looks in both themes and at both widths, with all details open."""
    for summary in page.locator("summary").all():
        summary.click()
    for scheme, size in LOOKS:
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # one of the two
        assert (scheme, size, findings(page)) == (scheme, size, [])


def read_until_stale(page: Page) -> None:
    """Until the gateway has noticed that nobody tells it of changes, what it keeps is fresh."""
    deadline = time.monotonic() + 30
    while page.locator("#main[data-stale]").count() == 0:
        assert time.monotonic() < deadline
        page.reload()


@pytest.fixture(scope="module")
def private(site: Site) -> BusyPage:
    return site.a_page()


def test_axe_finds_nothing_on_the_page(opened: Opening, busy: BusyPage) -> None:
    page = opened(busy)
    expect(page.get_by_text("This page updates by itself")).to_be_visible()
    assert page.locator("summary").count() > 3
    look(page)


def test_axe_finds_nothing_on_the_page_in_german(opened: Opening, busy: BusyPage) -> None:
    assert findings(opened(busy, locale="de-DE")) == []


def test_axe_finds_nothing_on_the_sign_in_form(opened: Opening, private: BusyPage) -> None:
    page = opened(private)
    assert findings(page) == []
    page.get_by_label("Access token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This token is not known")).to_be_visible()
    look(page)


def test_axe_finds_nothing_on_the_page_for_who_is_refused(opened: Opening, site: Site, private: BusyPage) -> None:
    partner = site.does(site.desk.a_partner(private.page, ip_allowlist=["192.0.2.7"]))
    page = opened(private)
    page.set_extra_http_headers({"authorization": f"Bearer {partner.token}"})
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Address not allowed")
    look(page)


def test_axe_finds_nothing_without_a_script(opened: Opening, busy: BusyPage) -> None:
    page = opened(busy)
    stripped = page.evaluate("fetch(location.pathname).then(answer => answer.text())")
    page.set_content(stripped.replace("<script", "<template").replace("</script>", "</template>"))
    assert findings(page) == []


def test_axe_does_find_what_is_wrong(opened: Opening, busy: BusyPage) -> None:
    page = opened(busy)
    page.evaluate("document.querySelector('article h3').style.color = '#ddd'")
    assert any(found.startswith("color-contrast") for found in findings(page))


def test_axe_finds_nothing_while_the_server_is_away(opened: Opening, site: Site, busy: BusyPage) -> None:
    """The last test of the file: the server does not come back."""
    page = opened(busy)
    site.goes_away()
    read_until_stale(page)
    assert findings(page) == []
    page.goto(f"{site.address}/status/never-seen")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not available just now")
    look(page)
