"""A gateway that watches, and renews and confirms only when a test says so; and what the database has it owe."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from sqlalchemy import func, select, update

from kernel.database import Sessions, transaction
from kernel.status_page_tables import status_page_confirmations, status_page_watches
from oncall.v1 import partner_service_pb2 as pb
from oncall.v1 import partner_service_pb2_grpc
from tests.builders import a_person, a_team
from tests.rpc.conftest import Refusal, RunningServer, a_server, refusal_of
from tests.status_pages import StatusPageDesk
from tests.waiting import eventually

LONG = 60.0
MARK = "gateway-process-"


@dataclass
class Watching:
    """A gateway that reads its stream, and renews and confirms only when a test says so."""

    stub: Any
    metadata: Any
    name: str
    changes: list[pb.StatusPageChange] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    ended: Refusal | None = None

    async def read(self) -> None:
        async def drain() -> None:
            async for answer in self.stub.WatchStatusPages(
                pb.WatchStatusPagesRequest(watch_id=self.name), metadata=self.metadata
            ):
                self.opened.set()
                self.changes += answer.changes

        self.ended = await refusal_of(drain())

    async def renew(self, *confirmed: str) -> None:
        request = pb.RenewStatusPageWatchRequest(watch_id=self.name, confirmed_change_ids=confirmed)
        await self.stub.RenewStatusPageWatch(request, metadata=self.metadata)

    async def heard(self, number: int) -> pb.StatusPageChange:
        """Waits for so many changes, and answers the last."""

        async def there() -> bool:
            return len(self.changes) >= number

        await eventually(there, within=30)
        return self.changes[number - 1]

    async def confirm(self, number: int) -> None:
        await self.renew((await self.heard(number)).id)

    async def over(self) -> bool:
        return self.ended is not None


@contextlib.asynccontextmanager
async def watching(channel: grpc.aio.Channel, desk: StatusPageDesk, name: str) -> AsyncIterator[Watching]:
    stub = partner_service_pb2_grpc.PartnerServiceStub(channel)
    gateway = Watching(stub, desk.gateway.metadata, MARK + name)
    reading = asyncio.create_task(gateway.read())
    try:
        await asyncio.wait_for(gateway.opened.wait(), 30)
        yield gateway
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@contextlib.asynccontextmanager
async def a_desk(
    database_url: str, redis_url: str, lease: float = LONG
) -> AsyncIterator[tuple[RunningServer, StatusPageDesk]]:
    async with a_server(database_url, redis_url, watch_lease_seconds=lease) as server:
        gateway = await a_person(server.sessions, service_account="gateway")
        yield server, StatusPageDesk(server.channel, server.sessions, await a_team(server.sessions), gateway)


async def let_watches_expire(sessions: Sessions, name: str = "") -> None:
    """Lets watches have ended, without waiting for it."""
    async with transaction(sessions) as tx:
        ended = update(status_page_watches).where(status_page_watches.c.watch_id.startswith(MARK + name))
        await tx.session.execute(ended.values(expires_at=func.clock_timestamp()))


async def owed(sessions: Sessions) -> int:
    async with sessions() as session:
        query = select(func.count()).select_from(status_page_confirmations)
        return int(await session.scalar(query.where(status_page_confirmations.c.confirmed_at.is_(None))) or 0)


async def still_waited_for(calls: Sequence[asyncio.Future[Any]], seconds: float = 0.7) -> None:
    """Wants that none of these is answered yet, nor soon."""
    done, _ = await asyncio.wait(calls, timeout=seconds)
    assert not done
