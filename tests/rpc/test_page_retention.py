"""What is known of partners' accesses and of sessions that were ended goes once nobody needs it, and no sooner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from sqlalchemy import func, insert, select, update

from kernel.database import Sessions, transaction
from kernel.ids import new_id
from kernel.status_page_tables import (
    ended_page_sessions,
    partner_access_batches,
    partner_accesses,
    partner_sessions,
    partner_tokens,
)
from oncall.v1 import partner_service_pb2 as pb
from server.jobs import retention
from server.jobs.retention import forget_ended_sessions, forget_old_accesses, forget_old_tokens
from tests.builders import TeamWithPeople, a_person
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.status_pages import KnownPartner, StatusPageDesk
from tests.waiting import eventually

PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED
PARTNER_REVOKED = Refusal(PERMISSION_DENIED, "PARTNER_REVOKED")
TOKEN_UNKNOWN = Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")


@pytest.fixture
async def desk(running_server: RunningServer, team: TeamWithPeople) -> StatusPageDesk:
    gateway = await a_person(running_server.sessions, service_account="gateway")
    return StatusPageDesk(running_server.channel, running_server.sessions, team, gateway)


async def _let_end(make_session: Sessions, ago: timedelta) -> None:
    """Lets the sessions that were ended be over by the clock of the database, whatever that of the server says."""
    async with transaction(make_session) as tx:
        await tx.session.execute(update(ended_page_sessions).values(expires_at=func.now() - ago))


async def test_a_session_that_was_ended_is_forgotten_only_when_no_servers_clock_lets_it_in(
    desk: StatusPageDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 1)
    page = await desk.a_page()
    asked = pb.CreatePageSessionRequest(slug=page.slug, token=(await desk.a_partner(page)).token, client_ip="192.0.2.7")
    ended = (await desk.partners.CreatePageSession(asked, metadata=desk.gateway.metadata)).session_token
    asked.token = (await desk.a_partner(page)).token
    other = (await desk.partners.CreatePageSession(asked, metadata=desk.gateway.metadata)).session_token
    for session in (ended, other):
        await desk.partners.EndPageSession(
            pb.EndPageSessionRequest(session_token=session), metadata=desk.gateway.metadata
        )
    assert await forget_ended_sessions(desk.sessions) == 0
    await _let_end(desk.sessions, timedelta(hours=1))
    assert await forget_ended_sessions(desk.sessions) == 0
    assert await refusal_of(desk.read(page.slug, session_token=ended)) == TOKEN_UNKNOWN
    await _let_end(desk.sessions, timedelta(days=2))
    assert await forget_ended_sessions(desk.sessions) == 2
    async with desk.sessions() as database:
        assert await database.scalar(select(func.count()).select_from(ended_page_sessions)) == 0


async def test_old_accesses_go_in_batches_and_newer_ones_stay(
    desk: StatusPageDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    partner = await desk.a_partner(await desk.a_page())
    now = datetime.now(UTC)
    for days in (1, 399, *range(402, 407)):
        await _an_access(desk.sessions, partner.id, now - timedelta(days=days))
    assert await forget_old_accesses(desk.sessions) == 3 * 5 + 1  # a batch of accesses is known for two days
    assert await forget_old_accesses(desk.sessions) == 0
    async with desk.sessions() as database:
        kept = {
            column.table.name: (await database.scalars(select(func.count()).select_from(column.table))).one()
            for column in (partner_sessions.c.id, partner_accesses.c.date, partner_access_batches.c.batch_id)
        }
    assert kept == {"partner_sessions": 2, "partner_accesses": 2, "partner_access_batches": 1}


async def test_a_former_token_is_forgotten_long_after_its_end_and_the_newest_never(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    rotated, in_grace, revoked, lasting = [await desk.a_partner(page) for _ in range(4)]
    new = await desk.rotates(rotated)
    newest = await desk.rotates(KnownPartner(rotated.id, new.token), timedelta(days=1))
    await desk.rotates(in_grace, timedelta(days=30))
    await desk.revoke(revoked)
    ended = (await desk.read(page.slug, lasting.token)).audience.token_id
    assert ended
    assert await forget_old_tokens(desk.sessions, 30) == 0
    await _let_tokens_pass(desk.sessions, timedelta(days=29))
    assert await forget_old_tokens(desk.sessions, 30) == 0
    assert await refusal_of(desk.read(page.slug, rotated.token)) == PARTNER_REVOKED
    await _let_tokens_pass(desk.sessions, timedelta(days=1, minutes=1))
    assert await forget_old_tokens(desk.sessions, 0) == 0
    assert await forget_old_tokens(desk.sessions, 30) == 1  # the first of three; the second one's grace ended a day ago
    assert await refusal_of(desk.read(page.slug, rotated.token)) == TOKEN_UNKNOWN
    assert await refusal_of(desk.read(page.slug, new.token)) == Refusal(PERMISSION_DENIED, "PARTNER_EXPIRED")
    assert (await desk.read(page.slug, newest.token)).components == []

    await _let_tokens_pass(desk.sessions, timedelta(days=60))
    assert await forget_old_tokens(desk.sessions, 30) == 2
    assert await refusal_of(desk.read(page.slug, revoked.token)) == PARTNER_REVOKED  # the newest stays with its partner
    for partner in (rotated, in_grace, revoked, lasting):
        assert (await desk.kept(partner)).token_prefix


async def test_what_was_recorded_of_a_token_outlives_it(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    await desk.read(page.slug, partner.token)
    session = await _signed_in(desk, page.slug, partner.token)

    async def reported() -> bool:
        return sum(row.access_count for row in await _report(desk, partner)) == 1

    await eventually(reported)
    before = await _report(desk, partner)
    await desk.rotates(partner)
    await _let_tokens_pass(desk.sessions, timedelta(days=31))
    assert await forget_old_tokens(desk.sessions, 30) == 1
    assert await _report(desk, partner) == before
    assert before[0].token_prefix == partner.token[: len(before[0].token_prefix)]
    assert await refusal_of(desk.read(page.slug, session_token=session)) == TOKEN_UNKNOWN
    asked = pb.EndPageSessionRequest(session_token=session)
    await desk.partners.EndPageSession(asked, metadata=desk.gateway.metadata)  # of what nobody knows: nothing to end


async def _signed_in(desk: StatusPageDesk, slug: str, token: str) -> str:
    asked = pb.CreatePageSessionRequest(slug=slug, token=token, client_ip="192.0.2.7")
    return (await desk.partners.CreatePageSession(asked, metadata=desk.gateway.metadata)).session_token


async def _report(desk: StatusPageDesk, partner: KnownPartner) -> list[Any]:
    asked = pb.ListPartnerAccessRequest(partner_id=partner.id)
    return list((await desk.partners.ListPartnerAccess(asked, metadata=desk.team.observer.metadata)).accesses)


async def _let_tokens_pass(make_session: Sessions, by: timedelta) -> None:
    """Moves the ends of all tokens back."""
    async with transaction(make_session) as tx:
        moved = {name: partner_tokens.c[name] - by for name in ("revoked_at", "expires_at")}
        await tx.session.execute(update(partner_tokens).values(moved))


async def _an_access(make_session: Sessions, partner_id: str, at: datetime) -> None:
    who: dict[str, Any] = {"partner_id": partner_id, "token_prefix": "ocp_a", "address": "192.0.2.7"}
    async with transaction(make_session) as tx:
        session = {"id": new_id(), "user_agent": "curl", "started_at": at, "last_active_at": at}
        await tx.session.execute(insert(partner_sessions).values(**who, **session))
        day = {"date": at.date(), "first_at": at, "last_at": at, "access_count": 1}
        await tx.session.execute(insert(partner_accesses).values(**who, **day))
        await tx.session.execute(insert(partner_access_batches).values(batch_id=str(new_id()), recorded_at=at))
