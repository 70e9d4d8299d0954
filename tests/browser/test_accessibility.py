"""axe-core finds nothing on any page, in either theme, at either width."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.chromium import DESKTOP, PHONE
from tests.browser.conftest import Opening
from tests.browser.site import Site
from tests.unit.gateway.full_page import NOW

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

LOOKS = [(scheme, size) for scheme in ("light", "dark") for size in (DESKTOP, PHONE)]


def findings(page: Page) -> list[str]:
    found: dict[str, Any] = Axe().run(page, options={"runOnly": RULES}).response
    assert len(found["passes"]) > 10  # it looked
    return [f"{one['id']}: {node['html'][:150]}" for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize(("scheme", "size"), LOOKS)
@pytest.mark.parametrize("kind", ["page", "stale", "sign-in", "refusal"])
def test_axe_finds_nothing(opened: Opening, site: Site, kind: str, scheme: str, size: dict[str, int]) -> None:
    site.stale_since = NOW - timedelta(minutes=12) if kind == "stale" else None
    site.private = kind == "sign-in"
    site.down = kind == "refusal"
    page = opened(color_scheme=scheme, viewport=size)
    if kind == "sign-in":
        page.get_by_label("Access token").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("This token is not known")).to_be_visible()
    for summary in page.locator("summary").all()[:6]:
        summary.click()
    assert findings(page) == []


def test_axe_finds_nothing_without_a_script(opened: Opening, site: Site) -> None:
    page = opened()
    stripped = page.evaluate("fetch('/status/acme').then(answer => answer.text())")
    page.set_content(stripped.replace("<script", "<template").replace("</script>", "</template>"))
    assert findings(page) == []
    site.change("tag-1")


def test_axe_does_find_what_is_wrong(opened: Opening) -> None:
    page = opened()
    page.evaluate("document.querySelector('#title-exports-do-not-finish').style.color = '#ddd'")
    assert any(found.startswith("color-contrast") for found in findings(page))
