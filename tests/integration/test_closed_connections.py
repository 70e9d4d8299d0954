"""A client that leaves cancels its call at any moment, also while a connection to PostgreSQL is being closed for it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.database import create_engine
from tests.waiting import eventually

MOMENTS = range(1, 9)
"""After so many turns of the loop a closing is cut short, or has come to its end."""


async def test_a_connection_whose_closing_is_cut_short_is_closed_all_the_same(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = create_engine(database_url, pool_size=1)
    for moment in MOMENTS:
        kept, surplus = await engine.connect(), await engine.connect()
        backend = (await surplus.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        await surplus.rollback()  # nothing is left to do but to close it
        await kept.close()  # fills the pool, so that the other is not kept
        closing = asyncio.create_task(surplus.close())
        for _ in range(moment):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await _until_gone(engine, backend)
    await engine.dispose()
    assert [record for record in caplog.records if record.getMessage().startswith("Exception closing connection")]


async def _until_gone(engine: AsyncEngine, backend: int) -> None:
    query = text("SELECT 1 FROM pg_stat_activity WHERE pid = :backend")

    async def it_is() -> bool:
        async with engine.connect() as connection:
            return (await connection.execute(query, {"backend": backend})).first() is None

    await eventually(it_is)
