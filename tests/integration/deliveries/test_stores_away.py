"""PostgreSQL may be killed and come back: the doorbell is heard again, and what waits is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.launcher.embedded_postgres import EmbeddedPostgres
from kernel.database import create_engine, sessions, transaction
from server.domain.delivery import DELIVERED
from server.jobs.doorbell import hear
from server.storage import deliveries
from tests.builders import a_team
from tests.conftest import killed
from tests.receivers import WebhookReceiver, a_channel, a_delivery
from tests.sending import a_sender, ended
from tests.waiting import eventually


@pytest.fixture
async def own_engine(own_postgres: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(own_postgres.url, pool_size=4)
    yield engine
    await engine.dispose()


async def test_what_waits_is_sent_once_postgresql_is_back(
    own_postgres: EmbeddedPostgres, own_engine: AsyncEngine, receiver: WebhookReceiver
) -> None:
    db = sessions(own_engine)
    team = await a_team(db)
    channel = await a_channel(db, team, receiver.url)
    async with a_sender(db, []):
        assert (await ended(db, await a_delivery(db, team, channel))).status is DELIVERED
        await asyncio.to_thread(killed, own_postgres)
        await asyncio.to_thread(own_postgres.start)
        assert (await ended(db, await a_delivery(db, team, channel))).status is DELIVERED
    assert len(receiver.requests) == 2


async def test_the_doorbell_is_heard_with_the_commit_and_again_after_postgresql_was_away(
    own_postgres: EmbeddedPostgres, own_engine: AsyncEngine
) -> None:
    db, stop, told = sessions(own_engine), asyncio.Event(), asyncio.Event()
    hearing = asyncio.create_task(hear(own_engine, deliveries.CHANNEL, told.set, stop))

    async def rings_and_is_heard(within: float = 0.5) -> bool:
        told.clear()
        with suppress(DBAPIError, OSError):
            async with transaction(db) as tx:
                await deliveries.ring(tx.session)
        with suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), within)
        return told.is_set()

    await asyncio.wait_for(told.wait(), 20)  # it listens from now on, and whoever looks may have missed something
    assert await rings_and_is_heard(within=20)
    async with db() as session:
        told.clear()
        await deliveries.ring(session)
        await session.rollback()
    assert not told.is_set()
    await asyncio.to_thread(killed, own_postgres)
    await asyncio.to_thread(own_postgres.start)
    await eventually(rings_and_is_heard)
    stop.set()
    await asyncio.wait_for(hearing, 20)
