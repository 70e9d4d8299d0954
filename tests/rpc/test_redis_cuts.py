"""Redis cuts the subscription off in the middle of a flood, and keeps nothing of it; the watcher sees every byte."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from kernel.execution.content import ScriptLanguage, VersionContent
from oncall.v1 import execution_pb2 as pb
from oncall.v1.runbook_service_pb2 import ExecuteRequest
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.executors import an_executor, settings_of
from tests.rpc.conftest import RunningServer
from tests.waiting import eventually

MIB = 1024 * 1024
LINE = b"0123456789abcdef0123456789abcde\n"
FLOOD = LINE * (16 * MIB // len(LINE))
SCRIPT = f"yes {LINE.decode().strip()} | head -c {len(FLOOD)}"
LIMIT = "client-output-buffer-limit"


@pytest.fixture(autouse=True)
async def executor(database_url: str, redis_url: str) -> AsyncIterator[None]:
    async with an_executor(settings_of(database_url, redis_url)):
        yield


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


async def _watched_flood(server: RunningServer, team: TeamWithPeople) -> None:
    """Executes a flood and follows it: every byte once and in order, and all that the record counts."""
    runbook = await an_approved_runbook(server.sessions, team, VersionContent(SCRIPT, ScriptLanguage.BASH))
    call = server.runbooks.Execute(
        ExecuteRequest(runbook_id=str(runbook.id)), metadata=team.responder.metadata, timeout=60
    )
    events = [answer.event async for answer in call]

    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert b"".join(event.output.data for event in events) == FLOOD
    last = events[-1].execution
    assert (last.status, last.stdout_sha256) == (pb.EXECUTION_STATUS_COMPLETED, hashlib.sha256(FLOOD).hexdigest())


async def test_killed_subscriptions_cost_no_byte(
    running_server: RunningServer, team: TeamWithPeople, redis: Redis
) -> None:
    killed = 0

    async def kill() -> None:
        nonlocal killed
        while True:
            killed += await redis.client_kill_filter(_type="pubsub")
            await asyncio.sleep(0.05)  # how often, not until when

    killing = asyncio.create_task(kill())
    try:
        await _watched_flood(running_server, team)
    finally:
        killing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await killing
    assert killed >= 3


async def test_a_subscription_that_redis_finds_too_slow_costs_no_byte(
    running_server: RunningServer, team: TeamWithPeople, redis: Redis
) -> None:
    usual = (await redis.config_get(LIMIT))[LIMIT]
    before = (await redis.info("stats"))["total_connections_received"]
    await redis.config_set(LIMIT, "pubsub 65536 65536 1")  # less than a batch of a flood
    try:
        await _watched_flood(running_server, team)
    finally:
        await redis.config_set(LIMIT, usual)
    after = (await redis.info("stats"))["total_connections_received"]
    assert after - before >= 5


async def test_redis_keeps_nothing_of_a_flood(
    running_server: RunningServer, team: TeamWithPeople, redis: Redis
) -> None:
    await _watched_flood(running_server, team)  # whatever is kept once and for all
    before = await _used(redis)
    for _ in range(3):
        await _watched_flood(running_server, team)

    async def as_before() -> bool:
        return await _used(redis) - before < MIB

    await eventually(as_before)  # it gives back the buffers of its connections after a while


async def _used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])
