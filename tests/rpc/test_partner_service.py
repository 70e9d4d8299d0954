"""PartnerService and StatusPageService over a real channel."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from sqlalchemy import select

from kernel.database import transaction
from kernel.status_page_tables import partner_sessions, partner_tokens
from oncall.v1 import incident_service_pb2, partner_service_pb2, status_page_pb2, status_page_service_pb2
from oncall.v1.partner_pb2 import HEADLINE_INDICATOR_MAJOR, HEADLINE_INDICATOR_NONE, Partner
from server.storage import incidents, partners
from tests.builders import Person, TeamWithPeople, a_person, a_team
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.status_pages import PRIVATE, PUBLIC, StatusPageDesk, names

MAJOR = status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE

TOKEN_UNKNOWN = Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")
TOKEN_MISSING = Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
NOT_FOUND = Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def denied(reason: str) -> Refusal:
    return Refusal(grpc.StatusCode.PERMISSION_DENIED, reason)


def invalid(*fields: str) -> Refusal:
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", fields)


@pytest.fixture
async def desk(running_server: RunningServer, team: TeamWithPeople) -> StatusPageDesk:
    gateway = await a_person(running_server.sessions, service_account="gateway")
    return StatusPageDesk(running_server.channel, running_server.sessions, team, gateway)


async def test_a_partner_reads_the_page_with_what_is_computed_for_them(desk: StatusPageDesk) -> None:
    page = await desk.a_page(slug="acme", name="Acme", time_zone="Europe/Berlin")
    group = await desk.a_component(page, "Checkout", group=True)
    await desk.a_component(page, "Cards", group_id=group.id, status=MAJOR, description="By card")
    await desk.a_component(page, "API", position=1)
    partner = await desk.a_partner(page, name="Northwind")

    answer = await desk.read("acme", partner.token)

    assert (answer.status_page.id, answer.status_page.slug, answer.status_page.name) == (page.id, "acme", "Acme")
    assert answer.status_page.time_zone == "Europe/Berlin"
    assert (answer.headline.indicator, answer.headline.description) == (
        HEADLINE_INDICATOR_MAJOR,
        "Partial System Outage",
    )
    assert [(seen.name, seen.group_id, seen.status) for seen in answer.components] == [
        ("Checkout", "", MAJOR),
        ("Cards", group.id, MAJOR),
        ("API", "", status_page_pb2.COMPONENT_STATUS_OPERATIONAL),
    ]
    assert (answer.audience.partner_id, answer.audience.partner_name) == (partner.id, "Northwind")
    assert answer.status_page.updated_at.ToDatetime() >= page.updated_at.ToDatetime()


async def test_a_narrower_scope_hides_the_rest_of_the_page_altogether(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    seen = await desk.a_component(page, "Seen")
    await desk.a_component(page, "Hidden", status=MAJOR)
    partner = await desk.a_partner(page, component_ids=[seen.id])
    answer = await desk.read(page.slug, partner.token)
    assert names(answer.components) == ["Seen"]
    assert answer.headline.indicator == HEADLINE_INDICATOR_NONE


async def test_everybody_reads_a_public_page_and_no_partner_is_named(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    answer = await desk.read(page.slug)
    assert (answer.audience.partner_id, answer.audience.partner_name) == ("", "")


async def test_every_wrong_credential_has_its_status(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    revoked, expired = await desk.a_partner(page), await desk.a_partner(page)
    elsewhere = await desk.a_partner(page, ip_allowlist=["198.51.100.0/24"])
    await desk.revoke(revoked)
    await desk.expire(expired)
    assert await refusal_of(desk.read(page.slug)) == TOKEN_MISSING
    for garbage in ("", "x", "ocp_" + "a" * 59, "é" * 200, elsewhere.token + "x", elsewhere.token[:-1]):
        assert await refusal_of(desk.read(page.slug, garbage)) == TOKEN_UNKNOWN
    assert await refusal_of(desk.read(page.slug, page_token="ocs_anything")) == TOKEN_UNKNOWN
    assert await refusal_of(desk.read(page.slug, revoked.token)) == denied("PARTNER_REVOKED")
    assert await refusal_of(desk.read(page.slug, expired.token)) == denied("PARTNER_EXPIRED")
    assert await refusal_of(desk.read(page.slug, elsewhere.token)) == denied("IP_NOT_ALLOWED")
    allowed = await desk.read(page.slug, elsewhere.token, client_ip="::ffff:198.51.100.9")
    assert allowed.audience.partner_id == elsewhere.id


async def test_nothing_tells_whether_a_page_exists(desk: StatusPageDesk) -> None:
    page, other = await desk.a_page(), await desk.a_page()
    stranger, former = await desk.a_partner(other), await desk.a_partner(other)
    await desk.revoke(former)
    for token in (None, "garbage", stranger.token, former.token):
        found = await refusal_of(desk.read(page.slug, token))
        missing = await refusal_of(desk.read("no-such-page", token))
        assert (found, found.message, found.metadata) == (missing, missing.message, missing.metadata)
    assert await refusal_of(desk.read(page.slug, stranger.token)) == NOT_FOUND


@pytest.mark.parametrize("slug", ["", "Page", "a\x00b", "../page", "é" * 300])
async def test_what_is_no_slug_is_an_unknown_page(desk: StatusPageDesk, slug: str) -> None:
    partner = await desk.a_partner(await desk.a_page())
    assert await refusal_of(desk.read(slug, partner.token)) == NOT_FOUND


async def test_a_revocation_holds_from_the_next_request_on_and_for_good(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    await desk.read(page.slug, partner.token)
    first = await desk.revoke(partner)
    assert not first.is_active
    assert await refusal_of(desk.read(page.slug, partner.token)) == denied("PARTNER_REVOKED")
    assert (await desk.revoke(partner)).revoked_at == first.revoked_at


async def test_who_asks_too_often_is_told_when_to_come_back(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page, requests_per_minute=1)
    await desk.read(page.slug, partner.token)
    refused = await refusal_of(desk.read(page.slug, partner.token))
    assert refused == Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED")
    assert refused.retries_after is not None
    assert 0 < refused.retries_after <= 60


async def test_only_the_gateway_is_believed_about_a_clients_address(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    admin = await a_person(desk.sessions, platform_admin=True)
    request = partner_service_pb2.GetStatusPageRequest(slug=page.slug, client_ip="192.0.2.7")
    for caller in (desk.team.author, desk.team.observer, admin):
        call = desk.partners.GetStatusPage(request, metadata=caller.metadata)
        assert await refusal_of(call) == denied("ROLE_MISSING")
    no_caller = await refusal_of(desk.partners.GetStatusPage(request))
    assert no_caller == Refusal(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_MISSING")


async def test_the_gateway_may_call_nothing_else(desk: StatusPageDesk) -> None:
    request = partner_service_pb2.GetPartnerRequest(partner_id=str(uuid4()))
    call = desk.partners.GetPartner(request, metadata=desk.gateway.metadata)
    assert await refusal_of(call) == denied("ROLE_MISSING")


@pytest.mark.parametrize("address", ["", "somewhere", "192.0.2.7:80"])
async def test_a_client_has_an_address(desk: StatusPageDesk, address: str) -> None:
    page = await desk.a_page(PUBLIC)
    assert await refusal_of(desk.read(page.slug, client_ip=address)) == invalid("client_ip")


async def test_accesses_are_counted_and_one_clients_make_one_session(
    desk: StatusPageDesk, running_server: RunningServer
) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    for agent in ("one", "one", "two", "nul\x00and" + "x" * 600):
        await desk.read(page.slug, partner.token, user_agent=agent)
    await running_server.platform.accesses.flush()

    request = partner_service_pb2.GetPartnerRequest(partner_id=partner.id)
    kept = (await desk.partners.GetPartner(request, metadata=desk.team.observer.metadata)).partner
    assert kept.access_count == 4
    assert kept.HasField("last_access_at")
    async with desk.sessions() as session:
        rows = (await session.execute(select(partner_sessions).order_by(partner_sessions.c.id))).mappings().all()
        used = await session.scalar(select(partner_tokens.c.last_used_at))
    assert {(row["user_agent"], row["access_count"]) for row in rows if len(row["user_agent"]) < 10} == {
        ("one", 2),
        ("two", 1),
    }
    assert max(len(row["user_agent"]) for row in rows) == 500
    assert {(row["address"], row["token_prefix"]) for row in rows} == {("192.0.2.7", kept.token_prefix)}
    assert used is not None


async def test_refused_accesses_are_not_counted(desk: StatusPageDesk, running_server: RunningServer) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page, ip_allowlist=["198.51.100.1"])
    before = await running_server.everything_stored()
    await refusal_of(desk.read(page.slug, partner.token))
    await running_server.platform.accesses.flush()
    assert await running_server.everything_stored() == before


async def test_a_token_is_shown_once_and_stored_as_a_hash(desk: StatusPageDesk, running_server: RunningServer) -> None:
    page = await desk.a_page()
    partner = Partner(status_page_id=page.id, name="Northwind")
    request = partner_service_pb2.CreatePartnerRequest(partner=partner, request_id="once")
    first = await desk.partners.CreatePartner(request, metadata=desk.team.author.metadata)
    again = await desk.partners.CreatePartner(request, metadata=desk.team.author.metadata)
    assert first.token.startswith(first.partner.token_prefix)
    assert (again.partner, again.token) == (first.partner, "")
    assert first.token not in str(await running_server.everything_stored())


async def test_a_name_is_taken_once_on_a_page_and_a_slug_once_everywhere(desk: StatusPageDesk) -> None:
    page, other = await desk.a_page(slug="taken"), await desk.a_page()
    await desk.a_partner(page, name="Northwind")
    await desk.a_partner(other, name="Northwind")
    taken = Refusal(grpc.StatusCode.ALREADY_EXISTS, "PARTNER_NAME_TAKEN")
    assert await refusal_of(desk.a_partner(page, name="Northwind")) == taken
    assert await refusal_of(desk.a_page(slug="taken")) == Refusal(grpc.StatusCode.ALREADY_EXISTS, "SLUG_TAKEN")


async def test_creating_needs_a_team_admin_and_outsiders_hear_of_nothing(
    desk: StatusPageDesk, running_server: RunningServer
) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    outsider = (await a_team(desk.sessions)).author
    before = await running_server.everything_stored()
    for caller, expected in ((desk.team.responder, denied("ROLE_MISSING")), (outsider, NOT_FOUND)):
        for call in writes(desk, page, partner.id, caller):
            assert await refusal_of(call) == expected
    assert await running_server.everything_stored() == before


async def test_who_may_not_change_something_does_not_wait_for_who_does(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner, incident = await desk.a_partner(page), await desk.an_incident(page, {})
    outsider = (await a_team(desk.sessions)).author
    revoke = partner_service_pb2.RevokePartnerRequest(partner_id=partner.id)
    acknowledge = incident_service_pb2.AcknowledgeIncidentRequest(incident_id=incident.id)
    async with transaction(desk.sessions) as tx:
        await partners.find(tx.session, UUID(partner.id), lock=True)
        await incidents.find(tx.session, UUID(incident.id), lock=True)
        for call in (
            desk.partners.RevokePartner(revoke, metadata=outsider.metadata),
            desk.incidents.AcknowledgeIncident(acknowledge, metadata=outsider.metadata),
        ):
            assert await asyncio.wait_for(refusal_of(call), 15) == NOT_FOUND


def writes(desk: StatusPageDesk, page: status_page_pb2.StatusPage, partner_id: str, caller: Person) -> list[Any]:
    draft = status_page_pb2.StatusPage(team_id=page.team_id, slug="new", name="New", visibility=PRIVATE)
    return [
        desk.pages.CreateStatusPage(
            status_page_service_pb2.CreateStatusPageRequest(status_page=draft), metadata=caller.metadata
        ),
        desk.pages.CreateComponent(
            status_page_service_pb2.CreateComponentRequest(component={"status_page_id": page.id, "name": "New"}),  # type: ignore[arg-type]
            metadata=caller.metadata,
        ),
        desk.partners.CreatePartner(
            partner_service_pb2.CreatePartnerRequest(partner=Partner(status_page_id=page.id, name="New")),
            metadata=caller.metadata,
        ),
        desk.partners.RevokePartner(
            partner_service_pb2.RevokePartnerRequest(partner_id=partner_id), metadata=caller.metadata
        ),
    ]


async def test_observers_read_their_teams_page_and_partner(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    request = status_page_service_pb2.StatusPageServiceGetStatusPageRequest(status_page_id=page.id)
    assert (await desk.pages.GetStatusPage(request, metadata=desk.team.observer.metadata)).status_page == page
    outsider = (await a_team(desk.sessions)).observer
    assert await refusal_of(desk.pages.GetStatusPage(request, metadata=outsider.metadata)) == NOT_FOUND


async def test_everything_wrong_with_a_page_is_said_at_once(desk: StatusPageDesk) -> None:
    bad = desk.a_page(status_page_pb2.STATUS_PAGE_VISIBILITY_UNSPECIFIED, slug="Not a slug", name="", time_zone="Moon")
    assert await refusal_of(bad) == invalid(
        "status_page.visibility", "status_page.slug", "status_page.name", "status_page.time_zone"
    )


async def test_everything_wrong_with_a_partner_is_said_at_once(desk: StatusPageDesk) -> None:
    past = datetime.now(UTC) - timedelta(minutes=1)
    bad = desk.a_partner(
        await desk.a_page(),
        name="",
        contact_email="nobody",
        ip_allowlist=["192.0.2.1", "192.0.2.1/8"],
        component_ids=["x"],
        requests_per_minute=-1,
        expires_at=past,
    )
    assert set((await refusal_of(bad)).fields) == {
        "partner.name",
        "partner.contact_email",
        "partner.ip_allowlist[1]",
        "partner.component_ids[0]",
        "partner.requests_per_minute",
        "partner.expires_at",
    }


async def test_a_scope_names_components_of_the_page(desk: StatusPageDesk) -> None:
    page, other = await desk.a_page(), await desk.a_page()
    foreign = await desk.a_component(other, "Foreign")
    assert await refusal_of(desk.a_partner(page, component_ids=[foreign.id])) == invalid("partner.component_ids[0]")


async def test_a_component_belongs_to_a_group_of_its_own_page(desk: StatusPageDesk) -> None:
    page, other = await desk.a_page(), await desk.a_page()
    foreign = await desk.a_component(other, "Foreign", group=True)
    leaf = await desk.a_component(page, "Leaf")
    for group_id in (foreign.id, leaf.id, str(UUID(int=0))):
        assert await refusal_of(desk.a_component(page, "New", group_id=group_id)) == invalid("component.group_id")


async def test_a_group_has_no_status_of_its_own(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    assert await refusal_of(desk.a_component(page, "Group", group=True, status=MAJOR)) == invalid("component.status")
    assert await refusal_of(desk.a_component(page, "Odd", status=99)) == invalid("component.status")


async def test_a_preview_is_what_the_audience_sees_and_counts_as_nobodys_access(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    seen = await desk.a_component(page, "API")
    hidden = await desk.a_component(page, "Reports")
    await desk.an_incident(page, {hidden.id: MAJOR})
    partner = await desk.a_partner(page, component_ids=[seen.id], requests_per_minute=1)
    request = partner_service_pb2.GetStatusPagePreviewRequest(status_page_id=page.id, partner_id=partner.id)

    for _ in range(2):
        preview = await desk.partners.GetStatusPagePreview(request, metadata=desk.team.observer.metadata)
    told = await desk.read(page.slug, partner.token)

    assert (names(preview.shown.components), list(preview.shown.incidents)) == (["API"], [])
    assert (preview.shown.content_tag, preview.shown.page_version) == (told.content_tag, told.page_version)
    assert preview.shown.audience.partner_id == partner.id
    assert not preview.shown.HasField("admitted_until")
    request.partner_id = ""
    everybody = await desk.partners.GetStatusPagePreview(request, metadata=desk.team.observer.metadata)
    assert (names(everybody.shown.components), len(everybody.shown.incidents)) == (["API", "Reports"], 1)


async def test_a_session_that_was_ended_is_not_known_any_more_and_another_one_still_is(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    sessions = []
    for _ in range(2):
        token = (await desk.a_partner(page)).token
        request = partner_service_pb2.CreatePageSessionRequest(slug=page.slug, token=token, client_ip="192.0.2.7")
        answer = await desk.partners.CreatePageSession(request, metadata=desk.gateway.metadata)
        sessions.append(answer.session_token)
    for ended in (sessions[0], sessions[0], "ocs_nobody-made-this"):
        end = partner_service_pb2.EndPageSessionRequest(session_token=ended)
        await desk.partners.EndPageSession(end, metadata=desk.gateway.metadata)
    assert await refusal_of(desk.read(page.slug, session_token=sessions[0])) == TOKEN_UNKNOWN
    assert (await desk.read(page.slug, session_token=sessions[1])).status_page.id == page.id


async def test_a_partner_of_another_page_has_no_preview_of_this_one(desk: StatusPageDesk) -> None:
    page, another = await desk.a_page(), await desk.a_page()
    partner = await desk.a_partner(another)
    request = partner_service_pb2.GetStatusPagePreviewRequest(status_page_id=page.id, partner_id=partner.id)
    assert (
        await refusal_of(desk.partners.GetStatusPagePreview(request, metadata=desk.team.author.metadata)) == NOT_FOUND
    )
