"""A partner in a real browser: signs in, is remembered by a cookie alone, and is cut off."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Opening
from tests.browser.site import Site
from tests.busy_page import BusyPage
from tests.status_pages import KnownPartner

LIVE = "This page updates by itself"


@pytest.fixture(scope="module")
def private(site: Site) -> BusyPage:
    return site.a_page()


@pytest.fixture
def partner(site: Site, private: BusyPage) -> KnownPartner:
    return site.does(site.desk.a_partner(private.page))


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Access token").fill(token)
    page.get_by_role("button", name="Show the page").click()


def expect_the_page(page: Page, site: Site, private: BusyPage) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Minor Service Outage")
    expect(page.get_by_text("Card payments").first).to_be_visible()
    assert page.url == site.url(private)


def expect_the_form(page: Page) -> None:
    expect(page.get_by_label("Access token")).to_be_visible(timeout=20_000)
    assert "Card payments" not in page.content()
    assert "Acme" not in page.content()


def test_a_private_page_is_signed_in_to_without_a_script(
    opened: Opening, site: Site, private: BusyPage, partner: KnownPartner
) -> None:
    page = opened(private, java_script_enabled=False)
    expect_the_form(page)
    sign_in(page, "ocp_wrong")
    expect(page.get_by_text("This token is not known")).to_be_visible()
    expect(page.get_by_label("Access token")).to_have_attribute("aria-invalid", "true")
    sign_in(page, partner.token)
    expect_the_page(page, site, private)


def test_the_session_is_a_cookie_of_this_page_that_no_script_reads(
    opened: Opening, site: Site, private: BusyPage, partner: KnownPartner
) -> None:
    page = opened(private)
    sign_in(page, partner.token)
    expect_the_page(page, site, private)
    (cookie,) = page.context.cookies(site.url(private))
    assert cookie["name"] == "__Secure-oncall-session"
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    assert cookie["path"] == f"/status/{private.page.slug}"
    assert partner.token not in cookie["value"]
    assert page.evaluate("document.cookie + localStorage.length + sessionStorage.length") == "00"
    assert page.context.cookies(f"{site.address}/status/another") == []
    page.reload()
    expect_the_page(page, site, private)


@pytest.mark.parametrize("with_script", [True, False])
def test_a_token_in_the_address_is_traded_and_taken_out_of_it(
    opened: Opening, site: Site, private: BusyPage, partner: KnownPartner, with_script: bool
) -> None:
    page = opened(private, f"?token={partner.token}", java_script_enabled=with_script)
    expect_the_page(page, site, private)
    assert "token" not in page.url
    page.reload()
    expect_the_page(page, site, private)


def test_an_open_page_is_cut_off_when_its_partner_is_revoked(
    opened: Opening, site: Site, private: BusyPage, partner: KnownPartner
) -> None:
    page, still = opened(private), opened(private, java_script_enabled=False)
    for one in (page, still):
        sign_in(one, partner.token)
        expect_the_page(one, site, private)
    expect(page.get_by_text(LIVE)).to_be_visible()
    site.does(site.desk.revoke(partner))
    expect(page.get_by_text("Card payments")).to_have_count(0, timeout=20_000)
    still.reload()
    for one in (page, still):
        assert "Card payments" not in one.content()
        one.goto(site.url(private))
        expect_the_form(one)
        assert one.context.cookies(site.url(private)) == []
