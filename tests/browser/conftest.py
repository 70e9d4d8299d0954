"""A browser and a site for all tests of a file, and for each test a way to open pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from cli.launcher.embedded_postgres import EmbeddedPostgres
from cli.launcher.embedded_redis import EmbeddedRedis
from tests.browser.chromium import DESKTOP, a_browser
from tests.browser.site import Site, a_site
from tests.busy_page import BusyPage
from tests.conftest import empty_database, empty_redis
from tests.status_pages import PUBLIC

Opening = Callable[..., Page]


@pytest.fixture(scope="module")
def site(
    postgres: EmbeddedPostgres, redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with (
        empty_database(postgres) as database_url,
        a_site(database_url, empty_redis(redis_server), tmp_path_factory.mktemp("site")) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator[Browser]:
    """Begins after the site and ends before it: Playwright has a loop run in this thread, beside which none can."""
    with a_browser() as running:
        yield running


@pytest.fixture(scope="module")
def busy(site: Site) -> BusyPage:
    """A public page that all tests of a file look at, and none changes."""
    return site.a_page(PUBLIC, slug="acme")


@pytest.fixture
def opened(browser: Browser, site: Site) -> Iterator[Opening]:
    """Opens a page in a context of its own, and fails the test that leaves an error of the page behind."""
    contexts, errors = [], []

    def open_page(busy: BusyPage, query: str = "", **options: Any) -> Page:
        defaults = {
            "viewport": DESKTOP,
            "locale": "en-GB",
            "timezone_id": "Europe/Berlin",
            "ignore_https_errors": True,  # the certificate names itself
        }
        context = browser.new_context(**(defaults | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(site.url(busy) + query)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
