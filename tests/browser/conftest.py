"""A browser for all tests of a file, and for each test a site and a way to open pages of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import DESKTOP, a_browser
from tests.browser.site import Site, a_site

Opening = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as running:
        yield running


@pytest.fixture
def site() -> Iterator[Site]:
    with a_site() as serving:
        yield serving


@pytest.fixture
def opened(browser: Browser, site: Site) -> Iterator[Opening]:
    """Opens the page in a context of its own, and fails the test that leaves an error of the page behind."""
    contexts, errors = [], []

    def open_page(**options: Any) -> Page:
        defaults = {"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "Europe/Berlin"}
        context = browser.new_context(**(defaults | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(site.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
