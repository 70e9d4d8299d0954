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
)
from oncall.v1 import partner_service_pb2 as pb
from server.jobs import retention
from server.jobs.retention import forget_ended_sessions, forget_old_accesses
from tests.builders import TeamWithPeople, a_person
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.status_pages import StatusPageDesk

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


async def _an_access(make_session: Sessions, partner_id: str, at: datetime) -> None:
    who: dict[str, Any] = {"partner_id": partner_id, "token_prefix": "ocp_a", "address": "192.0.2.7"}
    async with transaction(make_session) as tx:
        session = {"id": new_id(), "user_agent": "curl", "started_at": at, "last_active_at": at}
        await tx.session.execute(insert(partner_sessions).values(**who, **session))
        day = {"date": at.date(), "first_at": at, "last_at": at, "access_count": 1}
        await tx.session.execute(insert(partner_accesses).values(**who, **day))
        await tx.session.execute(insert(partner_access_batches).values(batch_id=str(new_id()), recorded_at=at))
