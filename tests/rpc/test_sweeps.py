"""The recovery sweeps: what a lost executor or a lost ring leaves behind is found, and those who watch are told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, update

from kernel.database import transaction
from kernel.log_stream import connect
from kernel.queue import Doorbell, execution_queue
from kernel.tables import executions
from oncall.v1 import execution_pb2
from server.jobs.rounds import repeat
from server.jobs.sweep import end_lost_attempts, ring_again
from server.operations.announce import Announcer
from tests.builders import TeamWithPeople
from tests.rpc.conftest import RunningServer
from tests.rpc.watched import a_watched_execution


def _announcer(url: str) -> Announcer:
    return Announcer(connect(url), Doorbell(execution_queue(url)))


async def _let_lease_run_out(server: RunningServer) -> None:
    async with transaction(server.sessions) as tx:
        past = func.now() - timedelta(seconds=1)
        await tx.session.execute(update(executions).values(lease_expires_at=past))


async def test_a_lost_executor_ends_its_execution_and_its_watchers_see_why(
    running_server: RunningServer, team: TeamWithPeople, redis_url: str
) -> None:
    watched = await a_watched_execution(running_server, team)
    watching = asyncio.create_task(watched.watched_to_the_end())
    await watched.being_watched()
    await watched.executor.claim()
    await watched.executor.say(b"last words")
    await _let_lease_run_out(running_server)
    announcer = Announcer(running_server.platform.redis, Doorbell(running_server.platform.broker))
    assert await end_lost_attempts(running_server.sessions, announcer) == 1
    assert await end_lost_attempts(running_server.sessions, announcer) == 0
    last = (await watching)[-1].execution
    assert last.status == execution_pb2.EXECUTION_STATUS_FAILED
    assert last.error.code == "EXECUTOR_LOST"
    assert last.stdout_size == len(b"last words")


async def test_what_nobody_claimed_is_rung_for_again(running_server: RunningServer, team: TeamWithPeople) -> None:
    await a_watched_execution(running_server, team)
    redis = running_server.platform.redis
    announcer = Announcer(redis, Doorbell(running_server.platform.broker))
    assert await redis.llen("oncall:executions") == 1
    assert await ring_again(running_server.sessions, announcer) == 0
    async with transaction(running_server.sessions) as tx:
        await tx.session.execute(update(executions).values(rung_at=func.now() - timedelta(seconds=60)))
    assert await ring_again(running_server.sessions, announcer) == 1
    assert await redis.llen("oncall:executions") == 2


async def test_without_redis_a_sweep_ends_its_round_and_does_not_fail(
    running_server: RunningServer, team: TeamWithPeople, tmp_path: Path
) -> None:
    await a_watched_execution(running_server, team)
    async with transaction(running_server.sessions) as tx:
        await tx.session.execute(update(executions).values(rung_at=None))
    assert await ring_again(running_server.sessions, _announcer(f"unix://{tmp_path}/nobody.sock")) == 0


async def test_a_job_outlives_its_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = asyncio.Event()
    rounds = 0

    async def job() -> None:
        nonlocal rounds
        rounds += 1
        if rounds < 3:
            raise ConnectionError
        stop.set()

    async with asyncio.timeout(20):
        await repeat("job", job, every=0.01, stop=stop)
    assert rounds == 3
