"""The gate: who is let in to a page, and that nobody else learns whether it exists."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from uuid import uuid4

import pytest

from kernel.errors import NotFound, OncallError, PermissionDenied, Unauthenticated
from server.domain.partner import Partner, PartnerContent
from server.domain.partner_gate import (
    Credential,
    KnownToken,
    NoCredential,
    PageCredential,
    PartnerCredential,
    admit,
)
from server.domain.partner_token import PartnerTokens
from server.domain.status_page import StatusPage, StatusPageContent, Visibility
from server.operations.administer_partners import Rotation

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
CLIENT = ip_address("192.0.2.7")
NOTHING = NoCredential()
GARBAGE = PartnerCredential(None)


def a_page(visibility: Visibility = Visibility.PRIVATE, token_hash: bytes | None = None) -> StatusPage:
    content = StatusPageContent("acme", "Acme", visibility)
    return StatusPage(uuid4(), uuid4(), content, token_hash, 1, uuid4(), NOW, NOW)


def a_partner(page: StatusPage, **content: object) -> Partner:
    said = PartnerContent(name="Partner", **content)  # type: ignore[arg-type]
    return Partner(uuid4(), page.id, said, "ocp_x", None, None, 0, 1, uuid4(), NOW, NOW)


def a_token(partner: Partner) -> KnownToken:
    return KnownToken(uuid4(), "ocp_x", None, None, partner)


def refusal(page: StatusPage | None, credential: Credential) -> tuple[type[OncallError], str, str]:
    with pytest.raises(OncallError) as caught:
        admit(page, credential, CLIENT, NOW)
    return type(caught.value), caught.value.reason, caught.value.message


def test_a_partner_is_let_in_to_their_page() -> None:
    page = a_page()
    token = a_token(a_partner(page))
    assert admit(page, PartnerCredential(token), CLIENT, NOW).token is token


def test_everybody_is_let_in_to_a_public_page() -> None:
    page = a_page(Visibility.PUBLIC)
    assert admit(page, NOTHING, CLIENT, NOW).token is None


def test_a_token_nobody_knows_is_refused_also_on_a_public_page() -> None:
    assert refusal(a_page(Visibility.PUBLIC), GARBAGE)[:2] == (Unauthenticated, "TOKEN_UNKNOWN")


def test_without_a_credential_a_private_page_and_no_page_are_the_same() -> None:
    assert refusal(a_page(), NOTHING) == refusal(None, NOTHING)
    assert refusal(None, NOTHING)[:2] == (Unauthenticated, "TOKEN_MISSING")


def test_with_garbage_every_page_and_no_page_are_the_same() -> None:
    assert refusal(a_page(), GARBAGE) == refusal(None, GARBAGE) == refusal(a_page(Visibility.PUBLIC), GARBAGE)


@pytest.mark.parametrize("visibility", Visibility)
def test_for_another_pages_partner_a_page_and_no_page_are_the_same(visibility: Visibility) -> None:
    stranger = PartnerCredential(a_token(a_partner(a_page())))
    assert refusal(a_page(visibility), stranger) == refusal(None, stranger)
    assert refusal(None, stranger)[:2] == (NotFound, "NOT_FOUND")


def test_for_another_pages_revoked_partner_too() -> None:
    partner = replace(a_partner(a_page()), revoked_at=NOW)
    stranger = PartnerCredential(a_token(partner))
    assert refusal(a_page(), stranger) == refusal(None, stranger)


def test_a_revoked_partner_or_token_is_refused() -> None:
    page = a_page()
    partner = a_partner(page)
    revoked_partner = a_token(replace(partner, revoked_at=NOW))
    revoked_token = replace(a_token(partner), revoked_at=NOW)
    for token in (revoked_partner, revoked_token):
        assert refusal(page, PartnerCredential(token))[:2] == (PermissionDenied, "PARTNER_REVOKED")


def test_access_ends_at_the_very_moment_it_expires() -> None:
    page = a_page()
    expiring = a_partner(page, expires_at=NOW)
    grace_over = replace(a_token(a_partner(page)), expires_at=NOW)
    for token in (a_token(expiring), grace_over):
        assert refusal(page, PartnerCredential(token))[:2] == (PermissionDenied, "PARTNER_EXPIRED")
        assert admit(page, PartnerCredential(token), CLIENT, NOW - timedelta(microseconds=1)).token is token


def test_an_address_that_is_not_on_the_list_is_refused() -> None:
    page = a_page()
    token = a_token(a_partner(page, ip_allowlist=("198.51.100.0/24",)))
    assert refusal(page, PartnerCredential(token))[:2] == (PermissionDenied, "IP_NOT_ALLOWED")
    assert admit(page, PartnerCredential(token), ip_address("198.51.100.3"), NOW).token is token


def test_revocation_is_said_before_expiry_and_address() -> None:
    page = a_page()
    partner = replace(a_partner(page, expires_at=NOW, ip_allowlist=("198.51.100.0/24",)), revoked_at=NOW)
    assert refusal(page, PartnerCredential(a_token(partner)))[1] == "PARTNER_REVOKED"


def test_the_pages_own_token_opens_that_page_and_no_other() -> None:
    right, wrong = bytes([1]) * 32, bytes([2]) * 32
    page = a_page(token_hash=right)
    assert admit(page, PageCredential(right), CLIENT, NOW).page is page
    refusals = {refusal(candidate, PageCredential(wrong)) for candidate in (page, a_page(), None)}
    assert {found[:2] for found in refusals} == {(Unauthenticated, "TOKEN_UNKNOWN")}
    assert len(refusals) == 1


def test_a_page_without_a_token_is_not_opened_by_the_hash_of_nothing() -> None:
    assert refusal(a_page(), PageCredential(bytes(32)))[1] == "TOKEN_UNKNOWN"


def test_a_token_carries_256_random_bits_and_is_kept_as_a_keyed_hash() -> None:
    made: list[int] = []

    def counted(count: int) -> bytes:
        made.append(count)
        return bytes(count)

    tokens = PartnerTokens(b"k" * 32, counted)
    token = tokens.issue()
    assert 32 in made
    assert token.token.startswith(token.prefix)
    assert token.prefix.startswith("ocp_")
    assert token.token_hash == tokens.hash(token.token)
    assert token.token_hash != PartnerTokens(b"l" * 32, counted).hash(token.token)
    assert token.token not in repr(token)
    page = a_page(token_hash=token.token_hash)
    partner = a_partner(page)
    assert token.token not in repr(Rotation(partner, token.token, None))
    assert str(token.token_hash) not in repr(page)
