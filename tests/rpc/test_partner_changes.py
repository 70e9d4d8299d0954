"""Partners change, get new tokens, are revoked and expire: what each of it leaves behind, and what it refuses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from sqlalchemy import update

from kernel.database import transaction
from kernel.status_page_tables import partner_tokens
from oncall.v1 import partner_service_pb2 as pb
from oncall.v1.partner_pb2 import Partner
from server.storage import status_pages
from tests.rpc.audited import audited
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.rpc.watching_gateway import still_waited_for
from tests.status_pages import KnownPartner, StatusPageDesk, names

STALE = Refusal(grpc.StatusCode.ABORTED, "STALE_ETAG")
NAME_TAKEN = Refusal(grpc.StatusCode.ALREADY_EXISTS, "PARTNER_NAME_TAKEN")
REVOKED_FOR_GOOD = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "PARTNER_REVOKED")
NOT_FOUND = Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
TOKEN_UNKNOWN = Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")
HOUR = timedelta(hours=1)


def denied(reason: str) -> Refusal:
    return Refusal(grpc.StatusCode.PERMISSION_DENIED, reason)


def invalid(*fields: str) -> Refusal:
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", fields)


async def end_of_grace(desk: StatusPageDesk, prefix: str, at: datetime) -> None:
    """Moves the end of a token's grace period, without waiting for it."""
    async with transaction(desk.sessions) as tx:
        await tx.session.execute(update(partner_tokens).where(partner_tokens.c.prefix == prefix).values(expires_at=at))


async def test_a_partner_is_changed_as_the_mask_says_and_nothing_else(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    api, web = await desk.a_component(page, "API"), await desk.a_component(page, "Web")
    partner = await desk.a_partner(page, name="Before", contact_email="a@example.org", requests_per_minute=7)
    before = await desk.kept(partner)
    request = pb.UpdatePartnerRequest(
        partner=Partner(id=partner.id, name="After", component_ids=[api.id], requests_per_minute=9, etag=before.etag)
    )
    request.update_mask.paths.extend(["name", "component_ids"])
    after = (await desk.partners.UpdatePartner(request, metadata=desk.team.author.metadata)).partner
    assert (after.name, after.component_ids, after.requests_per_minute) == ("After", [api.id], 7)
    assert (after.contact_email, after.token_prefix) == ("a@example.org", before.token_prefix)
    assert after.etag != before.etag
    assert after == await desk.kept(partner)
    assert names((await desk.read(page.slug, partner.token)).components) == ["API"]
    assert (await desk.changes_partner(partner, component_ids=[web.id])).component_ids == [web.id]
    assert names((await desk.read(page.slug, partner.token)).components) == ["Web"]


async def test_a_partner_of_a_page_that_is_deleted_meanwhile_finds_no_page(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    async with transaction(desk.sessions) as tx:
        await status_pages.remove(tx.session, UUID(page.id))
        creating = asyncio.ensure_future(refusal_of(desk.a_partner(page)))
        await still_waited_for([creating])  # it has read the page, and waits for what becomes of it
    assert await asyncio.wait_for(creating, 30) == NOT_FOUND


async def test_a_change_that_changes_nothing_leaves_the_etag(desk: StatusPageDesk) -> None:
    partner = await desk.a_partner(await desk.a_page(), name="Same")
    before = await desk.kept(partner)
    assert await desk.changes_partner(partner, name="Same", etag=before.etag) == before


async def test_what_a_change_cannot_be_is_refused_and_changes_nothing(
    desk: StatusPageDesk, running_server: RunningServer
) -> None:
    page, other = await desk.a_page(), await desk.a_page()
    foreign = await desk.a_component(other, "Foreign")
    partner = await desk.a_partner(page, name="One")
    await desk.a_partner(page, name="Two")
    past = datetime.now(UTC) - timedelta(seconds=1)
    before = await running_server.everything_stored()
    for expected, changes in (
        (STALE, {"name": "Other", "etag": "stale"}),
        (NAME_TAKEN, {"name": "Two"}),
        (invalid("update_mask"), {}),
        (invalid("update_mask"), {"token_prefix": "ocp_mine"}),
        (invalid("partner.name"), {"name": ""}),
        (invalid("partner.contact_email"), {"contact_email": "nobody"}),
        (invalid("partner.requests_per_minute"), {"requests_per_minute": -1}),
        (invalid("partner.requests_per_minute"), {"requests_per_minute": 1_000_001}),
        (invalid("partner.expires_at"), {"expires_at": past}),
        (invalid("partner.component_ids[0]"), {"component_ids": [foreign.id]}),
        (invalid("partner.component_ids[0]"), {"component_ids": ["no id"]}),
        (invalid("partner.ip_allowlist[1]"), {"ip_allowlist": ["2001:db8::/32", "192.0.2.1/8"]}),
        (invalid("partner.ip_allowlist"), {"ip_allowlist": [f"10.0.0.{n}" for n in range(101)]}),
    ):
        assert await refusal_of(desk.changes_partner(partner, **changes)) == expected, changes  # type: ignore[arg-type]
    unknown = KnownPartner("01890a5d-ac96-774b-bcce-b302099a8057", "")
    gone = Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert await refusal_of(desk.changes_partner(unknown, name="New")) == gone
    assert await running_server.everything_stored() == before


async def test_a_mask_may_name_what_exists_and_nothing_besides(desk: StatusPageDesk) -> None:
    partner = await desk.a_partner(await desk.a_page(), name="One")
    for paths in (["name", "nonsense"], ["*"], ["partner.name"], [""]):
        request = pb.UpdatePartnerRequest(partner=Partner(id=partner.id, name="Other"))
        request.update_mask.paths.extend(paths)
        call = desk.partners.UpdatePartner(request, metadata=desk.team.author.metadata)
        assert await refusal_of(call) == invalid("update_mask"), paths
    assert (await desk.kept(partner)).name == "One"


@pytest.mark.parametrize("rate", [0, 1, 1_000_000])
async def test_the_bounds_of_a_rate_are_rates(desk: StatusPageDesk, rate: int) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page, requests_per_minute=5)
    assert (await desk.changes_partner(partner, requests_per_minute=rate)).requests_per_minute == rate
    answer = await desk.read(page.slug, partner.token)
    assert (answer.rate_limit.limit, answer.HasField("rate_limit")) == (rate, rate > 0)


async def test_addresses_are_kept_in_one_spelling_and_hold_from_the_next_request_on(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    entries = ["::ffff:198.51.100.0/120", "198.51.100.0/24", "2001:DB8:0::/48", "203.0.113.9/32"]
    changed = await desk.changes_partner(partner, ip_allowlist=entries)
    assert changed.ip_allowlist == ["198.51.100.0/24", "2001:db8::/48", "203.0.113.9"]
    for client in ("198.51.100.255", "::ffff:198.51.100.1", "::ffff:c633:6401", "2001:db8:0:ffff::1", "203.0.113.9"):
        assert (await desk.read(page.slug, partner.token, client_ip=client)).audience.partner_id == partner.id
    for client in ("192.0.2.7", "198.51.101.0", "2001:db8:1::", "::198.51.100.1", "::ffff:203.0.113.8"):
        refused = await refusal_of(desk.read(page.slug, partner.token, client_ip=client))
        assert refused == denied("IP_NOT_ALLOWED"), client
    await desk.changes_partner(partner, ip_allowlist=[])
    assert (await desk.read(page.slug, partner.token)).audience.partner_id == partner.id


async def test_an_end_is_set_moved_and_taken_away(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    ends = datetime.now(UTC).replace(microsecond=0) + HOUR
    assert (await desk.changes_partner(partner, expires_at=ends)).expires_at.ToDatetime(UTC) == ends
    await desk.expire(partner)
    assert not (await desk.kept(partner)).is_active
    assert list((await desk.kept(partner)).tokens) == []
    assert await refusal_of(desk.read(page.slug, partner.token)) == denied("PARTNER_EXPIRED")
    request = pb.UpdatePartnerRequest(partner=Partner(id=partner.id))
    request.update_mask.paths.append("expires_at")
    endless = (await desk.partners.UpdatePartner(request, metadata=desk.team.author.metadata)).partner
    assert (endless.HasField("expires_at"), endless.is_active, len(endless.tokens)) == (False, True, 1)
    assert (await desk.read(page.slug, partner.token)).audience.partner_id == partner.id


async def test_revoked_is_for_good(desk: StatusPageDesk, running_server: RunningServer) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    newer = await desk.rotates(partner, HOUR)
    revoked = await desk.revoke(partner)
    assert await refusal_of(desk.changes_partner(partner, name="Back")) == REVOKED_FOR_GOOD
    assert await refusal_of(desk.rotates(partner)) == REVOKED_FOR_GOOD
    again = await desk.revoke(partner)
    assert (again.revoked_at, again.etag, again.updated_at) == (revoked.revoked_at, revoked.etag, revoked.updated_at)
    assert (list(again.tokens), again.is_active) == ([], False)
    for token in (partner.token, newer.token):
        assert await refusal_of(desk.read(page.slug, token)) == denied("PARTNER_REVOKED")


async def test_a_rotated_token_ends_at_once_unless_a_grace_is_given(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    rotated = await desk.rotates(partner)
    assert rotated.token.startswith(rotated.partner.token_prefix)
    assert [token.prefix for token in rotated.partner.tokens] == [rotated.partner.token_prefix]
    assert partner.token.startswith(rotated.old_token.prefix)
    assert await refusal_of(desk.read(page.slug, partner.token)) == denied("PARTNER_REVOKED")
    answer = await desk.read(page.slug, rotated.token)
    assert (answer.audience.partner_id, answer.audience.token_prefix) == (partner.id, rotated.partner.token_prefix)


async def test_the_old_token_works_until_the_deadline_that_the_server_keeps(
    desk: StatusPageDesk, running_server: RunningServer
) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    await desk.read(page.slug, partner.token)
    await running_server.platform.accesses.flush()
    used = (await desk.kept(partner)).tokens[0].last_used_at
    before = datetime.now(UTC)
    rotated = await desk.rotates(partner, HOUR)
    after = datetime.now(UTC)

    old = rotated.old_token
    assert (old.last_used_at, old.last_used_at.seconds > 0) == (used, True)
    assert before + HOUR <= old.expires_at.ToDatetime(UTC) <= after + HOUR
    assert [token.prefix for token in rotated.partner.tokens] == [rotated.partner.token_prefix, old.prefix]
    for token in (partner.token, rotated.token):
        assert (await desk.read(page.slug, token)).audience.partner_id == partner.id
    ends = datetime.now(UTC)
    await end_of_grace(desk, old.prefix, ends)
    assert await refusal_of(desk.read(page.slug, partner.token)) == denied("PARTNER_EXPIRED")
    assert [token.prefix for token in (await desk.kept(partner)).tokens] == [rotated.partner.token_prefix]


async def test_a_third_token_never_lives(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    first = await desk.a_partner(page)
    second = await desk.rotates(first, HOUR)
    third = await desk.rotates(first, HOUR)
    assert second.token.startswith(third.old_token.prefix)
    assert [token.prefix for token in third.partner.tokens] == [third.partner.token_prefix, third.old_token.prefix]
    assert await refusal_of(desk.read(page.slug, first.token)) == denied("PARTNER_REVOKED")
    for token in (second.token, third.token):
        assert (await desk.read(page.slug, token)).audience.partner_id == first.id


async def test_a_rotation_is_made_once_for_a_request_id_and_its_token_shown_once(
    desk: StatusPageDesk, running_server: RunningServer
) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    first = await desk.rotates(partner, HOUR, request_id="rotate-once")
    stored = await running_server.everything_stored()
    again = await desk.rotates(partner, HOUR, request_id="rotate-once")
    assert (again.token, again.old_token, again.partner) == ("", first.old_token, first.partner)
    same = {name: rows for name, rows in stored.items() if name != "status_pages"}  # whose number tells gateways again
    later = await running_server.everything_stored()
    assert {name: rows for name, rows in later.items() if name != "status_pages"} == same
    other = await refusal_of(desk.rotates(partner, 2 * HOUR, request_id="rotate-once"))
    assert other == Refusal(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert first.token not in str(later)
    assert (await desk.read(page.slug, first.token)).audience.partner_id == partner.id


@pytest.mark.parametrize("grace", [timedelta(seconds=-1), timedelta(days=30, seconds=1)])
async def test_a_grace_is_at_most_a_month_and_never_negative(desk: StatusPageDesk, grace: timedelta) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    assert await refusal_of(desk.rotates(partner, grace)) == invalid("grace_period")
    assert (await desk.read(page.slug, partner.token)).audience.partner_id == partner.id


async def test_what_was_rotated_away_stays_ended_when_an_expired_partner_is_let_in_again(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    leaked = await desk.a_partner(page)
    await desk.expire(leaked)
    fresh = await desk.rotates(leaked)
    assert fresh.old_token.prefix
    assert leaked.token.startswith(fresh.old_token.prefix)
    renewed = await desk.changes_partner(leaked, expires_at=datetime.now(UTC) + HOUR)
    assert [token.prefix for token in renewed.tokens] == [fresh.partner.token_prefix]
    assert await refusal_of(desk.read(page.slug, leaked.token)) == denied("PARTNER_REVOKED")
    assert (await desk.read(page.slug, fresh.token)).audience.partner_id == leaked.id


async def test_rotations_at_once_leave_two_tokens_that_work(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    rotations = await asyncio.gather(*(desk.rotates(partner, HOUR) for _ in range(6)))
    tokens = [partner.token, *(rotation.token for rotation in rotations)]
    outcomes: list[Any] = await asyncio.gather(
        *(desk.read(page.slug, token) for token in tokens), return_exceptions=True
    )
    working = [
        token for token, outcome in zip(tokens, outcomes, strict=True) if isinstance(outcome, pb.GetStatusPageResponse)
    ]
    kept = [token.prefix for token in (await desk.kept(partner)).tokens]
    assert sorted(kept) == sorted(prefix for prefix in kept for token in working if token.startswith(prefix))
    assert (len(kept), len(working)) == (2, 2)


async def test_changes_of_a_partner_are_in_the_audit_without_a_secret(
    desk: StatusPageDesk, running_server: RunningServer
) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page, name="Northwind")
    await desk.changes_partner(partner, contact_email="it@example.org")
    rotated = await desk.rotates(partner, HOUR)
    await desk.revoke(partner)
    rows = [row for row in await audited(desk.sessions) if row["resource_id"] == partner.id]
    assert [row["action"] for row in rows] == [
        "partner.created",
        "partner.updated",
        "partner.token_rotated",
        "partner.revoked",
    ]
    assert {row["team_id"] for row in rows} == {UUID(page.team_id)}
    assert rotated.token not in str(rows)
    assert "it@example.org" not in str(rows)
