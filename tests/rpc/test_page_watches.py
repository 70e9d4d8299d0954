"""Revocations against gateways that keep pages, over two real servers: after the answer, nothing kept is answered."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
import pytest

from oncall.v1 import partner_service_pb2 as pb
from oncall.v1 import partner_service_pb2_grpc
from tests.builders import TeamWithPeople, a_person
from tests.rpc.conftest import Refusal, RunningServer, a_server, refusal_of
from tests.status_pages import KnownPartner, StatusPageDesk
from tests.waiting import eventually

PARTNERS = 40
READERS = 4


@dataclass
class KeepingGateway:
    """The least gateway that keeps to the rules: what it kept counts while its watch lasts, never below a floor."""

    server: RunningServer
    desk: StatusPageDesk
    name: str
    kept: dict[str, int] = field(default_factory=dict)
    floor: int = 0
    lasts_until: float = 0.0
    lease: float = 0.0
    answered_from_keep: int = 0
    confirms: bool = True
    takes_seconds: float = 0.03
    """How long it answers by what was before after it has heard of a change: nothing forbids it, until it confirms."""

    @property
    def partners(self) -> partner_service_pb2_grpc.PartnerServiceAsyncStub:
        return partner_service_pb2_grpc.PartnerServiceStub(self.server.channel)

    async def run(self, ready: asyncio.Event) -> None:
        stream = self.partners.WatchStatusPages(
            pb.WatchStatusPagesRequest(watch_id=self.name), metadata=self.desk.gateway.metadata
        )
        renewing = None
        try:
            async for answer in stream:
                if not ready.is_set():
                    self.kept.clear()
                    self.lease = answer.lease.ToTimedelta().total_seconds()
                    await self.renew([])
                    renewing = asyncio.create_task(self.keep_renewing())
                    ready.set()
                await asyncio.sleep(self.takes_seconds if answer.changes else 0)
                for change in answer.changes:
                    self.floor = max(self.floor, change.page_version)
                    self.kept = {token: version for token, version in self.kept.items() if version >= self.floor}
                if self.confirms and (confirmed := [change.id for change in answer.changes if change.confirm]):
                    await self.renew(confirmed)
        finally:
            self.lasts_until = 0.0
            if renewing is not None:
                renewing.cancel()

    async def keep_renewing(self) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError):
            while True:
                await asyncio.sleep(self.lease / 4)
                await self.renew([])

    async def renew(self, confirmed: list[str]) -> None:
        before = time.monotonic()
        request = pb.RenewStatusPageWatchRequest(watch_id=self.name, confirmed_change_ids=confirmed)
        await self.partners.RenewStatusPageWatch(request, metadata=self.desk.gateway.metadata)
        self.lasts_until = before + self.lease

    async def is_let_in(self, slug: str, partner: KnownPartner) -> bool:
        if time.monotonic() < self.lasts_until and partner.token in self.kept:
            self.answered_from_keep += 1
            return True
        request = pb.GetStatusPageRequest(slug=slug, client_ip="192.0.2.7", partner_token=partner.token)
        try:
            answer = await self.partners.GetStatusPage(request, metadata=self.desk.gateway.metadata)
        except grpc.aio.AioRpcError:
            self.kept.pop(partner.token, None)
            return False
        await asyncio.sleep(0)
        if answer.page_version >= self.floor:
            self.kept[partner.token] = answer.page_version
        return True


@pytest.fixture
async def desk(running_server: RunningServer, team: TeamWithPeople) -> StatusPageDesk:
    gateway = await a_person(running_server.sessions, service_account="gateway")
    return StatusPageDesk(running_server.channel, running_server.sessions, team, gateway)


@contextlib.asynccontextmanager
async def watching(*gateways: KeepingGateway) -> AsyncIterator[None]:
    tasks = []
    for gateway in gateways:
        ready = asyncio.Event()
        tasks.append(asyncio.create_task(gateway.run(ready)))
        await asyncio.wait_for(ready.wait(), 10)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_nothing_is_answered_to_a_partner_after_their_revocation_is(
    running_server: RunningServer, desk: StatusPageDesk, database_url: str, redis_url: str
) -> None:
    page = await desk.a_page()
    partners = [await desk.a_partner(page) for _ in range(PARTNERS)]
    revoked: set[str] = set()
    wrong: list[str] = []
    asked = 0
    async with a_server(database_url, redis_url) as other:
        gateways = [
            KeepingGateway(running_server, desk, "gateway-process-one"),
            KeepingGateway(other, desk, "gateway-process-two"),
        ]
        over = asyncio.Event()

        async def read(gateway: KeepingGateway) -> None:
            nonlocal asked
            while not over.is_set():
                partner = random.choice(partners)  # noqa: S311 - which one guards nothing
                was_revoked = partner.id in revoked
                if await gateway.is_let_in(page.slug, partner) and was_revoked:
                    wrong.append(partner.id)
                asked += 1
                await asyncio.sleep(0)

        async def all_answer_from_their_keep() -> bool:
            return all(gateway.answered_from_keep > 20 for gateway in gateways)

        async with watching(*gateways), asyncio.TaskGroup() as group:
            for gateway in gateways:
                for _ in range(READERS):
                    group.create_task(read(gateway))
            try:
                await eventually(all_answer_from_their_keep, within=60)
                for partner in partners:
                    await desk.revoke(partner)
                    revoked.add(partner.id)
            finally:
                over.set()
    assert wrong == []
    assert asked > 500


async def test_a_gateway_that_never_confirms_holds_up_a_revocation_no_longer_than_its_watch_lasts(
    running_server: RunningServer, desk: StatusPageDesk
) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    silent = KeepingGateway(running_server, desk, "gateway-that-is-silent", confirms=False)
    async with watching(silent):
        assert await silent.is_let_in(page.slug, partner)
        await desk.revoke(partner)
        assert time.monotonic() > silent.lasts_until
        renewal = pb.RenewStatusPageWatchRequest(watch_id=silent.name)
        gone = await refusal_of(desk.partners.RenewStatusPageWatch(renewal, metadata=desk.gateway.metadata))
        assert gone == Refusal(grpc.StatusCode.NOT_FOUND, "WATCH_UNKNOWN")


async def test_an_unknown_watch_is_not_renewed(desk: StatusPageDesk) -> None:
    request = pb.RenewStatusPageWatchRequest(watch_id="nobody-ever-opened-it")
    refused = await refusal_of(desk.partners.RenewStatusPageWatch(request, metadata=desk.gateway.metadata))
    assert refused == Refusal(grpc.StatusCode.NOT_FOUND, "WATCH_UNKNOWN")
