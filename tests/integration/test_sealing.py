"""Every committed event gets its place in the chain, whoever seals, in whatever order they were committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from kernel.audit import AuditEntry, append
from kernel.database import Sessions, create_engine, sessions, transaction
from server.operations import seal_audit as sealing
from server.operations.seal_audit import seal_audit


@pytest.fixture
async def make_session(database_url: str) -> AsyncIterator[Sessions]:
    engine = create_engine(database_url)
    yield sessions(engine)
    await engine.dispose()


async def _note(make_session: Sessions, *names: str) -> None:
    async with transaction(make_session) as tx:
        for name in names:
            await append(tx.session, AuditEntry("test.noted", name))


async def _chain(make_session: Sessions) -> list[tuple[int, str]]:
    query = "SELECT position, resource_id FROM audit_seals JOIN audit_events ON id = event_id ORDER BY position"
    async with make_session() as session:
        return [(row.position, row.resource_id) for row in await session.execute(text(query))]


async def test_events_are_sealed_in_order_and_once(make_session: Sessions) -> None:
    await _note(make_session, "a", "b")
    assert await seal_audit(make_session) == 2
    assert await seal_audit(make_session) == 0
    await _note(make_session, "c")
    assert await seal_audit(make_session) == 1
    assert await _chain(make_session) == [(1, "a"), (2, "b"), (3, "c")]


async def test_a_late_commit_with_a_smaller_id_is_sealed_too(make_session: Sessions) -> None:
    async with transaction(make_session) as slow:
        await append(slow.session, AuditEntry("test.noted", "slow"))
        await _note(make_session, "fast")
        assert await seal_audit(make_session) == 1
    assert await seal_audit(make_session) == 1
    assert await _chain(make_session) == [(1, "fast"), (2, "slow")]


async def test_what_was_rolled_back_leaves_no_hole(make_session: Sessions) -> None:
    async with make_session() as session, session.begin() as tx:
        await append(session, AuditEntry("test.noted", "never"))
        await tx.rollback()
    await _note(make_session, "a")
    await seal_audit(make_session)
    assert await _chain(make_session) == [(1, "a")]


async def test_several_sealers_at_once_make_one_chain(make_session: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 7)
    stop = asyncio.Event()

    async def seal() -> int:
        sealed = 0
        while not stop.is_set():
            sealed += await seal_audit(make_session)
        return sealed

    sealers = [asyncio.create_task(seal()) for _ in range(3)]
    await asyncio.gather(*(_note(make_session, *(f"{n}-{m}" for m in range(5))) for n in range(40)))
    stop.set()
    sealed = sum(await asyncio.gather(*sealers)) + await seal_audit(make_session)
    chain = await _chain(make_session)
    assert sealed == len(chain) == len({name for _, name in chain}) == 200
    assert [position for position, _ in chain] == list(range(1, 201))
