"""A gateway that watches while requests are fuzzed: changes wait for its word, and it renews and confirms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from oncall.v1.partner_service_pb2 import RenewStatusPageWatchRequest, WatchStatusPagesRequest
from oncall.v1.partner_service_pb2_grpc import PartnerServiceStub
from tests.fuzzing.callers import Metadata
from tests.fuzzing.values import WATCH_ID

RENEWAL_SECONDS = 0.3


@asynccontextmanager
async def a_gateway(channel: grpc.aio.Channel, metadata: Metadata) -> AsyncIterator[None]:
    """Keeps a watch alive, whose name plausible requests know; whatever ends its stream, it opens another."""
    stub = PartnerServiceStub(channel)
    opened = asyncio.Event()

    async def renew(*confirmed: str) -> None:
        request = RenewStatusPageWatchRequest(watch_id=WATCH_ID, confirmed_change_ids=confirmed)
        await stub.RenewStatusPageWatch(request, metadata=metadata)

    async def watch() -> None:
        async for answer in stub.WatchStatusPages(WatchStatusPagesRequest(watch_id=WATCH_ID), metadata=metadata):
            opened.set()
            await renew(*(change.id for change in answer.changes if change.confirm))

    async def prolong() -> None:
        while True:
            await opened.wait()
            await asyncio.sleep(RENEWAL_SECONDS)
            await renew()

    async def keep() -> None:
        while True:
            tasks = [asyncio.create_task(watch()), asyncio.create_task(prolong())]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    keeping = asyncio.create_task(keep())
    try:
        async with asyncio.timeout(30):
            await opened.wait()
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
