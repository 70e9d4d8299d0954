"""Ends that are not the script's own: time limit, cancel, lost lease, lost executor. Nothing of it may live on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import update

from executor.sandbox.monitor import readable
from executor.settings import ExecutorSettings
from kernel import lifecycle
from kernel.database import transaction
from kernel.execution.event import StateChanged
from kernel.execution.status import ExecutionStatus
from kernel.log_stream import connect, publish_cancel
from kernel.tables import executions
from tests.executors import an_executor, an_executor_process
from tests.integration.conftest import Platform
from tests.processes import cgroups_of, processes_of, used_cgroups_of
from tests.waiting import eventually

NOTICED_WITHIN = 15.0
STUBBORN = 'trap "" TERM; (trap "" TERM; setsid sleep 1000) & echo ready; while :; do sleep 1000; done'


async def gone(execution: UUID) -> None:
    async def nothing_left() -> bool:
        return not processes_of(execution) and not cgroups_of(execution) + used_cgroups_of(os.getpid())

    await eventually(nothing_left)


@pytest.mark.usefixtures("executor")
async def test_the_time_limit_ends_the_whole_process_tree(platform: Platform) -> None:
    execution = await platform.an_execution("echo ready; sleep 1000 & sleep 1000", timeout_seconds=4)
    await platform.doorbell.ring(execution)
    await platform.output_of(execution, b"ready")
    assert len(processes_of(execution)) >= 3

    done = await platform.end_of(execution)

    await gone(execution)
    assert (done.status, done.error_code, done.exit_code) == ("TIMEOUT", "TIME_LIMIT", None)
    assert done.stdout == b"ready\n"
    assert 3.9 < (done.completed_at - done.started_at).total_seconds() < 60


async def test_two_may_wait_for_the_same_end_and_one_of_them_leave() -> None:
    read, write = os.pipe()
    leaving, staying = (asyncio.create_task(readable(read)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    os.write(write, b"1")
    async with asyncio.timeout(20):
        await staying
    os.close(read)
    os.close(write)


@pytest.mark.usefixtures("executor")
async def test_who_ignores_the_request_to_end_is_killed_after_the_grace(platform: Platform) -> None:
    execution = await platform.an_execution(STUBBORN, timeout_seconds=1)
    await platform.doorbell.ring(execution)

    done = await platform.end_of(execution)

    await gone(execution)
    assert done.status == ExecutionStatus.TIMEOUT


@pytest.mark.usefixtures("executor")
async def test_cancelled_is_said_only_when_every_process_is_gone(platform: Platform) -> None:
    execution = await platform.an_execution(STUBBORN, max_retries=3)
    await platform.doorbell.ring(execution)
    await platform.output_of(execution, b"ready")

    async with transaction(platform.sessions) as tx:
        asked = await lifecycle.request_cancel(tx.session, execution)
    assert asked.executor_id is not None
    redis = connect(platform.redis_url)
    await publish_cancel(redis, asked.executor_id, execution)
    await redis.aclose()

    async def ended() -> bool:
        status = await platform.status(execution)
        if status.ended:
            assert not processes_of(execution)
        return status.ended

    await eventually(ended)
    done = await platform.row(execution)
    assert (done.status, done.attempt, done.error_code) == ("CANCELLED", 1, "CANCELLED")
    assert done.stdout == b"ready\n"


async def test_a_cancel_that_nobody_told_comes_with_the_next_renewal(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    async with an_executor(executor_settings, lease_seconds=6.0):
        execution = await platform.an_execution("echo ready; sleep 1000")
        await platform.doorbell.ring(execution)
        await platform.output_of(execution, b"ready")
        async with transaction(platform.sessions) as tx:
            await lifecycle.request_cancel(tx.session, execution)

        done = await platform.end_of(execution)

    assert done.status == ExecutionStatus.CANCELLED


async def test_who_lost_its_lease_is_killed_and_writes_nothing_more(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    async with an_executor(executor_settings, lease_seconds=6.0):
        execution = await platform.an_execution("while :; do echo on; sleep 0.05; done")
        await platform.doorbell.ring(execution)
        await platform.output_of(execution, b"on")
        # Somebody else has taken it: the epoch has moved on.
        async with transaction(platform.sessions) as tx:
            await tx.session.execute(
                update(executions).where(executions.c.id == execution).values(epoch=executions.c.epoch + 1)
            )
        known = len(await platform.events(execution))

        await gone(execution)

    after = await platform.events(execution)
    assert len(after) == known
    assert await platform.status(execution) == ExecutionStatus.RUNNING


async def test_an_executor_that_is_stopped_tells_that_its_attempts_are_lost(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    async with an_executor(executor_settings, drain_seconds=0.2):
        execution = await platform.an_execution("echo ready; sleep 1000")
        await platform.doorbell.ring(execution)
        await platform.output_of(execution, b"ready")

    done = await platform.row(execution)
    assert (done.status, done.error_code) == ("FAILED", "EXECUTOR_LOST")
    await gone(execution)


async def test_on_sigterm_running_scripts_end_by_themselves_and_nothing_new_begins(
    platform: Platform, tmp_path: Path
) -> None:
    drained = {"ONCALL_DRAIN_SECONDS": "20", "ONCALL_EXECUTOR_CONCURRENCY": "1"}
    first = await platform.an_execution("echo ready; sleep 2; echo done")
    second = await platform.an_execution("echo ready")
    async with an_executor_process(platform.database_url, platform.redis_url, tmp_path, environment=drained) as process:
        await platform.doorbell.ring(first)
        await platform.output_of(first, b"ready")
        await platform.doorbell.ring(second)  # the only slot is taken
        process.terminate()
        assert await process.wait() == 0

    done, waiting = await platform.row(first), await platform.row(second)
    assert (done.status, done.stdout) == ("COMPLETED", b"ready\ndone\n")
    assert (waiting.status, waiting.attempt) == ("PENDING", 0)
    async with an_executor_process(platform.database_url, platform.redis_url, tmp_path):
        await platform.doorbell.ring(second)
        await platform.end_of(second)


@pytest.mark.parametrize(("max_retries", "status"), [(0, "FAILED"), (1, "PENDING")])
async def test_scripts_that_outlast_the_drain_are_lost_with_their_executor_which_ends_well(
    platform: Platform, tmp_path: Path, max_retries: int, status: str
) -> None:
    execution = await platform.an_execution("echo ready; sleep 1000", max_retries=max_retries)
    async with an_executor_process(
        platform.database_url, platform.redis_url, tmp_path, environment={"ONCALL_DRAIN_SECONDS": "0.2"}
    ) as process:
        await platform.doorbell.ring(execution)
        await platform.output_of(execution, b"ready")
        process.terminate()
        assert await process.wait() == 0

    done = await platform.row(execution)
    assert (done.status, done.error_code, done.stdout) == (status, "EXECUTOR_LOST", b"ready\n")
    await gone(execution)


async def test_an_executor_that_had_no_work_stops_at_once(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    for _ in range(3):
        async with asyncio.timeout(30), an_executor(executor_settings):
            pass


@pytest.mark.parametrize("max_retries", [0, 1])
async def test_a_killed_executor_is_noticed_and_its_script_dies_with_it(
    platform: Platform, tmp_path: Path, max_retries: int
) -> None:
    execution = await platform.an_execution("echo attempt $ONCALL_ATTEMPT; sleep 1000", max_retries=max_retries)
    short = {"ONCALL_LEASE_SECONDS": "5"}
    async with an_executor_process(platform.database_url, platform.redis_url, tmp_path, environment=short) as process:
        await platform.doorbell.ring(execution)
        await platform.output_of(execution, b"attempt 1\n")
        process.send_signal(signal.SIGKILL)
        await process.wait()
        killed_at = time.monotonic()

        await gone_processes(execution)
        async with sweeping(platform):

            async def noticed() -> bool:
                return await platform.status(execution) != ExecutionStatus.RUNNING

            await eventually(noticed, within=NOTICED_WITHIN)
            assert time.monotonic() - killed_at < NOTICED_WITHIN
            if max_retries:
                async with an_executor_process(platform.database_url, platform.redis_url, tmp_path):
                    await platform.output_of(execution, b"attempt 2\n", within=40)
                    attempts = [
                        e.payload.state["attempt"]
                        for e in await platform.events(execution)
                        if isinstance(e.payload, StateChanged) and e.payload.state["status"] == "RUNNING"
                    ]
                    assert attempts == [1, 2]
                return
            done = await platform.end_of(execution)

    assert (done.status, done.error_code, done.stdout) == ("FAILED", "EXECUTOR_LOST", b"attempt 1\n")
    assert done.stdout_size == len(b"attempt 1\n")
    assert done._row.stdout == "attempt 1\n"


async def gone_processes(execution: UUID, *, within: float = 10.0) -> None:
    async def nothing_left() -> bool:
        return not processes_of(execution)

    await eventually(nothing_left, within=within)


@asynccontextmanager
async def sweeping(platform: Platform) -> AsyncIterator[None]:
    """What `jobs` does about leases and lost rings, as fast as it can."""

    async def sweep() -> None:
        while True:
            async with transaction(platform.sessions) as tx:
                await lifecycle.expire(tx.session, jitter=0.0)
            async with transaction(platform.sessions) as tx:
                due = await lifecycle.to_ring_again(tx.session)
            for waiting in due:
                await platform.doorbell.ring(*waiting)
            await asyncio.sleep(0.2)

    task = asyncio.create_task(sweep())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
