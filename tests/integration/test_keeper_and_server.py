"""What a gateway keeps against a real server: access ends in what is kept when it ends in the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.asked import Asked, Credential, CredentialKind
from gateway.keep.calls import PartnerCalls
from gateway.keep.keeper import Keeper, keeping
from gateway.refusal import Refusal
from oncall.v1.status_page_service_pb2 import RotatePageTokenRequest
from tests.builders import a_person, a_team
from tests.rpc.conftest import RunningServer, a_server
from tests.status_pages import StatusPageDesk
from tests.waiting import eventually


@pytest.fixture
async def server(database_url: str, redis_url: str) -> AsyncIterator[RunningServer]:
    async with a_server(database_url, redis_url) as running:
        yield running


@pytest.fixture
async def desk(server: RunningServer) -> StatusPageDesk:
    gateway = await a_person(server.sessions, service_account="gateway")
    return StatusPageDesk(server.channel, server.sessions, await a_team(server.sessions), gateway)


@pytest.fixture
async def keeper(desk: StatusPageDesk) -> AsyncIterator[Keeper]:
    async with a_watching_keeper(desk) as running:
        yield running


@asynccontextmanager
async def a_watching_keeper(desk: StatusPageDesk) -> AsyncIterator[Keeper]:
    async with keeping(PartnerCalls(desk.channel, desk.gateway.token), None, 0.0) as running:

        async def watching() -> bool:
            return running.state().watching

        await eventually(watching, within=30)
        yield running


def asking(slug: str, token: str, client_ip: str = "192.0.2.7") -> Asked:
    return Asked(slug, Credential(CredentialKind.PARTNER_TOKEN, token), client_ip, "test/1.0")


async def refused(keeper: Keeper, asked: Asked) -> str:
    """Answers why somebody is not shown a page; empty where they are."""
    try:
        await keeper.show(asked)
    except Refusal as refusal:
        return refusal.reason
    return ""


async def test_an_admission_that_is_kept_ends_with_the_grace_of_its_token(desk: StatusPageDesk, keeper: Keeper) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    old = asking(page.slug, partner.token)
    assert await refused(keeper, old) == ""
    rotated = await desk.rotates(partner, timedelta(seconds=2))
    assert await refused(keeper, asking(page.slug, rotated.token)) == ""  # the content is theirs both

    async def ended() -> bool:
        return await refused(keeper, old) == "PARTNER_EXPIRED"

    await eventually(ended, within=30)


async def test_an_admission_that_is_kept_ends_with_the_rotation_that_ends_its_token(
    desk: StatusPageDesk, keeper: Keeper
) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    second = await desk.rotates(partner, timedelta(hours=1))
    first_asks, second_asks = asking(page.slug, partner.token), asking(page.slug, second.token)
    assert (await refused(keeper, first_asks), await refused(keeper, second_asks)) == ("", "")
    third = await desk.rotates(partner, timedelta(seconds=2))
    assert await refused(keeper, asking(page.slug, third.token)) == ""
    assert await refused(keeper, first_asks) == "PARTNER_REVOKED"

    async def ended() -> bool:
        return await refused(keeper, second_asks) == "PARTNER_EXPIRED"

    await eventually(ended, within=30)


async def test_a_session_that_was_ended_at_one_gateway_is_refused_by_all_of_them_at_once(
    desk: StatusPageDesk, keeper: Keeper
) -> None:
    page = await desk.a_page()
    partner = asking(page.slug, (await desk.a_partner(page)).token)
    rotated = await desk.pages.RotatePageToken(
        RotatePageTokenRequest(status_page_id=page.id), metadata=desk.team.author.metadata
    )
    async with a_watching_keeper(desk) as another:
        for token in (partner.credential.value, rotated.token):
            session = (await keeper.start_session(page.slug, token, "192.0.2.7", "test/1.0")).session_token
            signed_in = Asked(page.slug, Credential(CredentialKind.SESSION, session), "192.0.2.7", "test/1.0")
            copied = replace(signed_in, client_ip="198.51.100.9")
            assert [await refused(another, asked) for asked in (signed_in, copied, partner)] == ["", "", ""]
            kept = another.shelf.admissions.of_credential(another._clients.of(partner))[0]
            await keeper.end_session(signed_in)
            assert [await refused(another, asked) for asked in (signed_in, copied)] == ["TOKEN_UNKNOWN"] * 2
            assert await refused(another, partner) == ""
            now = another.shelf.admissions.of_credential(another._clients.of(partner))[0]
            assert now is kept, "others read on without being asked for"


async def test_what_is_kept_goes_by_a_narrower_allowlist_scope_and_end_at_once(
    desk: StatusPageDesk, keeper: Keeper
) -> None:
    page = await desk.a_page()
    api, _ = await desk.a_component(page, "API"), await desk.a_component(page, "Hidden soon")
    partner = await desk.a_partner(page)
    asked = asking(page.slug, partner.token)
    assert len((await keeper.show(asked)).content.components) == 2
    await desk.changes_partner(partner, component_ids=[api.id])
    assert [seen.name for seen in (await keeper.show(asked)).content.components] == ["API"]
    await desk.changes_partner(partner, ip_allowlist=["198.51.100.0/24"])
    assert await refused(keeper, asked) == "IP_NOT_ALLOWED"
    assert await refused(keeper, asking(page.slug, partner.token, "::ffff:198.51.100.4")) == ""
    await desk.revoke(partner)
    assert await refused(keeper, asking(page.slug, partner.token, "198.51.100.4")) == "PARTNER_REVOKED"
