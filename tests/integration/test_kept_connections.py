"""Single statements hand on their connections to one another, and to nobody what is no good or not theirs any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text

from kernel.database import KEPT_CONNECTIONS, Sessions, create_engine, sessions, single_statements
from kernel.statement import Driver
from tests.waiting import eventually

BACKEND = "SELECT pg_backend_pid()"


@pytest.fixture
async def made(database_url: str) -> AsyncIterator[Sessions]:
    engine = create_engine(database_url, pool_size=2)
    yield sessions(engine)
    await engine.dispose()


async def backend_of(driver: Driver) -> int:
    [[pid]] = await driver.fetch(BACKEND)
    return int(pid)


async def a_backend(made: Sessions) -> int:
    async with single_statements(made) as driver:
        return await backend_of(driver)


async def living(made: Sessions, pids: set[int]) -> set[int]:
    async with made() as session:
        found = await session.execute(text("SELECT pid FROM pg_stat_activity"))
        return set(found.scalars()) & pids


async def test_the_next_has_the_same_connection_also_where_a_statement_was_refused(made: Sessions) -> None:
    first = await a_backend(made)
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with single_statements(made) as driver:
            await driver.fetch("SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with single_statements(made) as driver, driver.transaction():
            await driver.fetch("SELECT 1 / 0")
    assert {await a_backend(made) for _ in range(5)} == {first}
    assert await a_backend(sessions(made.engine)) == first, "another maker of sessions shares the engine, and so these"


async def test_who_uses_one_has_it_alone_and_no_more_are_kept_than_the_pool_can_spare(made: Sessions) -> None:
    async def used(all_have_one: asyncio.Barrier) -> int:
        async with single_statements(made) as driver:
            pid = await backend_of(driver)
            await all_have_one.wait()
            return pid

    everybody = asyncio.Barrier(4)  # as many as the pool has
    for _ in range(3):
        assert len({*await asyncio.gather(*(used(everybody) for _ in range(4)))}) == 4
        assert len(made.kept) == KEPT_CONNECTIONS
    async with made() as one, made() as other:
        await one.execute(text(BACKEND))
        await other.execute(text(BACKEND))


async def test_one_that_was_lost_meanwhile_is_given_to_nobody(made: Sessions) -> None:
    first = await a_backend(made)
    async with made() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})

    async def the_driver_knows() -> bool:
        return all(each.driver_connection.is_closed() for each in made.kept)  # type: ignore[union-attr]  # asyncpg's

    await eventually(the_driver_knows)
    assert await a_backend(made) != first


async def test_one_whose_user_was_cancelled_is_given_to_nobody(made: Sessions) -> None:
    began = asyncio.Event()
    pids: list[int] = []

    async def wait_long() -> None:
        async with single_statements(made) as driver:
            pids.append(await backend_of(driver))
            began.set()
            await driver.fetch("SELECT pg_sleep(1000)")

    waiting = asyncio.create_task(wait_long())
    await began.wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await a_backend(made) not in pids


async def test_the_end_of_the_engine_closes_them_and_it_can_be_used_again(made: Sessions, database_url: str) -> None:
    first = await a_backend(made)
    await made.engine.dispose()
    assert made.kept == []
    other = create_engine(database_url)

    async def it_is_gone() -> bool:
        return not await living(sessions(other), {first})

    await eventually(it_is_gone)
    await other.dispose()
    assert await a_backend(made) != first
