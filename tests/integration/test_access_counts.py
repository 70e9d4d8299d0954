"""Counts add up from a gateway's keep to the database, over a real server, also where answers are lost on the way."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, text

from gateway.asked import Asked, Credential, CredentialKind
from gateway.keep.calls import PartnerCalls, ServerAway
from gateway.keep.keeper import keeping
from gateway.refusal import Refusal
from gateway.server_client import CALL_SECONDS
from oncall.v1 import partner_service_pb2 as pb
from server.domain.partner_access import Visitor, Visits
from server.operations.record_access import store_accesses
from tests.builders import a_person, a_team
from tests.rpc.conftest import RunningServer, a_server
from tests.status_pages import KnownPartner, StatusPageDesk

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLIENTS = 1_000
"""As many as a gateway sends at once."""
MOST_STATEMENTS = 8
LOCKED_SECONDS = 3.0
"""Longer than two, which a stop once took at most, and shorter than a call may take."""
LOCK = text("SELECT FROM partners WHERE id = :id FOR UPDATE")
SUMS = text(
    "SELECT (SELECT sum(access_count) FROM partners), (SELECT sum(access_count) FROM partner_accesses),"
    " (SELECT sum(access_count) FROM partner_sessions)"
)
SESSIONS = text("SELECT count(*) FROM partner_sessions")


@pytest.fixture
async def server(database_url: str, redis_url: str) -> AsyncIterator[RunningServer]:
    async with a_server(database_url, redis_url) as running:
        yield running


@pytest.fixture
async def desk(server: RunningServer) -> StatusPageDesk:
    gateway = await a_person(server.sessions, service_account="gateway")
    return StatusPageDesk(server.channel, server.sessions, await a_team(server.sessions), gateway)


class Lossy(PartnerCalls):
    """A channel over which every other answer is lost after the server has given it."""

    calls = 0

    async def show(self, request: pb.GetStatusPageRequest, seconds: float = CALL_SECONDS) -> pb.GetStatusPageResponse:
        answer = await super().show(request, seconds)
        self._lose()
        return answer

    async def record(self, batch: object) -> None:
        await super().record(batch)  # type: ignore[arg-type]
        self._lose()

    def _lose(self) -> None:
        self.calls += 1
        if self.calls % 2:
            raise ServerAway("lost")


async def known_as(desk: StatusPageDesk, slug: str, partner: KnownPartner) -> tuple[UUID, UUID, str]:
    """Answers the ids of a partner and their token, and its prefix."""
    audience = (await desk.read(slug, partner.token, background=True)).audience
    return UUID(audience.partner_id), UUID(audience.token_id), audience.token_prefix


async def test_a_partner_is_counted_as_often_as_a_page_was_shown_however_many_answers_are_lost(
    desk: StatusPageDesk, server: RunningServer
) -> None:
    page = await desk.a_page()
    partners = [await desk.a_partner(page) for _ in range(3)]
    shown: Counter[str] = Counter()
    async with keeping(Lossy(desk.channel, desk.gateway.token), None, 0.0) as keeper:
        for number in range(60):
            partner = partners[number % 3]
            token = Credential(CredentialKind.PARTNER_TOKEN, partner.token)
            with suppress(Refusal):
                await keeper.show(Asked(page.slug, token, f"192.0.2.{number % 20}", "test/1.0"))
                shown[partner.id] += 1
    await server.platform.accesses.flush()
    assert {partner.id: (await desk.kept(partner)).access_count for partner in partners} == shown
    assert 0 < shown.total() < 60


async def test_a_stop_sends_what_is_counted_also_where_that_takes_longer_than_a_call(desk: StatusPageDesk) -> None:
    """As for a server whose rows are locked: the first call is given up with the stop, and the next one waits."""
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    partner_id, _, _ = await known_as(desk, page.slug, partner)
    asked = Asked(page.slug, Credential(CredentialKind.PARTNER_TOKEN, partner.token), "192.0.2.7", "test/1.0")
    async with desk.sessions() as session, keeping(PartnerCalls(desk.channel, desk.gateway.token), None, 0.0) as keeper:
        await session.execute(LOCK, {"id": partner_id})
        for _ in range(5):
            await keeper.show(asked)
        asyncio.get_running_loop().call_later(LOCKED_SECONDS, lambda: asyncio.ensure_future(session.rollback()))
    assert (await desk.kept(partner)).access_count == 5


async def test_a_batch_of_any_size_is_as_many_statements(desk: StatusPageDesk, server: RunningServer) -> None:
    page = await desk.a_page()
    partners = [await known_as(desk, page.slug, await desk.a_partner(page)) for _ in range(4)]
    small, large = ([_visits(*partners[n % 4], n) for n in range(size)] for size in (1, CLIENTS))
    engine, statements = server.platform.engine.sync_engine, []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    counts = []
    event.listen(engine, "before_cursor_execute", note)
    try:
        for name, batch in (("small", small), ("large", large), ("large again", large)):
            await store_accesses(server.platform.accesses._env, name, batch)
            counts.append(len(statements))
            statements.clear()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert max(counts) <= MOST_STATEMENTS
    async with desk.sessions() as session:
        found = (await session.execute(SUMS)).one()
    assert tuple(found) == (2 * CLIENTS + 1, 2 * CLIENTS + 1, 2 * CLIENTS + 1)


async def test_batches_at_the_same_time_in_any_order_count_once_each_and_begin_no_session_twice(
    desk: StatusPageDesk, server: RunningServer
) -> None:
    page = await desk.a_page()
    partners = [await known_as(desk, page.slug, await desk.a_partner(page)) for _ in range(12)]
    dice = random.Random(5)  # noqa: S311 # to come again
    batches = []
    for number in range(20):
        some = [_visits(*one, client) for one in partners for client in range(3)]
        dice.shuffle(some)
        batches += [(f"batch-{number}", some)] * 2  # each is sent twice
    env = server.platform.accesses._env
    await asyncio.gather(*(store_accesses(env, name, some) for name, some in batches))
    async with desk.sessions() as session:
        assert tuple((await session.execute(SUMS)).one()) == (720, 720, 720)
        assert (await session.execute(SESSIONS)).scalar_one() == 36


def _visits(partner_id: UUID, token_id: UUID, prefix: str, client: int) -> tuple[Visitor, Visits]:
    address = f"2001:db8::{client:x}"
    visitor = Visitor(partner_id, token_id, prefix, address, "feeds/1.0")
    return visitor, Visits(NOON, NOON + timedelta(seconds=client % 60), 1)
