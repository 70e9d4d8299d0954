"""Many watchers of one execution: one read of its log for all of them, and nobody waits for the slowest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from uuid import UUID

import grpc
import pytest

from oncall.v1 import execution_pb2
from server.storage import executions
from tests.builders import TeamWithPeople
from tests.rpc.conftest import RunningServer
from tests.rpc.watched import Watched, a_watched_execution
from tests.statements import noted
from tests.waiting import eventually

WATCHERS = 500
CHUNK = b"0123456789abcdef" * 64


@pytest.fixture
async def watched(running_server: RunningServer, team: TeamWithPeople) -> Watched:
    return await a_watched_execution(running_server, team)


@contextlib.contextmanager
def reads_of_logs(server: RunningServer) -> Iterator[list[str]]:
    """Collects the statements with which the server reads events meanwhile, other than asking how far logs go."""
    statements: list[str] = []

    def note(statement: str) -> None:
        if statement.startswith("SELECT") and "execution_events.data" in statement:
            statements.append(statement)

    with noted(server.platform.engine, note):
        yield statements


async def _last_sequences(watched: Watched, after: list[int]) -> list[int]:
    """Follows to the end, once for each of `after`; answers the last sequences, having seen that nothing is missing.

    As the RPC does it, but without 500 streams of gRPC, which would take longer than all that is tested here.
    """
    async with watched.server.sessions() as session:
        execution = await executions.find(session, UUID(watched.id))
    assert execution is not None

    async def follow(start: int) -> int:
        last = start
        async for seen in watched.server.platform.logs.follow(execution, start):
            assert seen.sequence == last + 1
            last = seen.sequence
        return last

    return await asyncio.gather(*map(follow, after))


async def test_500_live_watchers_cost_no_read_of_the_log(watched: Watched) -> None:
    with reads_of_logs(watched.server) as reads:
        watching = asyncio.create_task(_last_sequences(watched, [1] * WATCHERS))
        await watched.being_watched(WATCHERS)
        await watched.executor.claim()
        for _ in range(10):
            await watched.executor.say(*[CHUNK] * 10)
        await watched.executor.finish()
        assert set(await watching) == {103}
    assert len(reads) <= 1


async def test_500_watchers_of_what_has_ended_cost_one_read_of_the_log(watched: Watched) -> None:
    await watched.executor.claim()
    for _ in range(10):
        await watched.executor.say(*[CHUNK] * 64)
    await watched.executor.finish()
    with reads_of_logs(watched.server) as reads:
        assert set(await _last_sequences(watched, [0] * WATCHERS)) == {643}
    assert len(reads) == 11  # pages of 64


async def test_500_watchers_that_attach_anywhere_in_a_long_live_log_cost_one_read_of_it(watched: Watched) -> None:
    await watched.executor.claim()
    for _ in range(10):
        await watched.executor.say(*[CHUNK] * 64)
    with reads_of_logs(watched.server) as reads:
        watching = asyncio.create_task(_last_sequences(watched, [(n * 97) % 640 for n in range(WATCHERS)]))
        await watched.being_watched(WATCHERS)
        await watched.executor.finish()
        assert set(await watching) == {643}
    assert len(reads) <= 2 * 11  # where a page begins depends on who asks first


async def test_watchers_that_never_read_delay_nobody(watched: Watched) -> None:
    stuck = [watched.watch() for _ in range(20)]
    for call in stuck:
        await call.read()
    reading = asyncio.create_task(watched.watched_to_the_end())
    await watched.being_watched(21)
    await watched.executor.claim()
    chunk = CHUNK * 64
    for _ in range(30):
        await watched.executor.say(*[chunk] * 10)  # 20 MiB: more than a ring and a channel hold
    await watched.executor.finish()
    async with asyncio.timeout(60):  # who had to wait for those that never read would wait for ever
        events = await reading
    assert sum(len(event.output.data) for event in events) == 300 * len(chunk)
    assert events[-1].execution.status == execution_pb2.EXECUTION_STATUS_COMPLETED
    assert not any(call.done() for call in stuck)
    for call in stuck:
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
            await call.read()

    async def left() -> bool:
        return watched.server.platform.logs.followed == 0

    await eventually(left)
