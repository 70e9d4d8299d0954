"""PostgreSQL or Redis goes away or hangs while scripts run: what goes on, what is given up, how an executor ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from cli.launcher.embedded_postgres import EmbeddedPostgres
from cli.launcher.embedded_redis import EmbeddedRedis
from executor.registration import Registration
from executor.sandbox.monitor import readable
from executor.settings import ExecutorSettings
from executor.worker import Worker
from tests.conftest import away, frozen
from tests.executors import an_executor, an_executor_process
from tests.integration.conftest import Platform
from tests.integration.test_ends import gone_processes, sweeping
from tests.processes import cgroups, pids_of, processes_of
from tests.waiting import eventually

TICKS = "echo ready; for i in $(seq 60); do echo $i; sleep 0.05; done"
TICKED = "".join(f"{line}\n" for line in ("ready", *range(1, 61))).encode()

Outage = Callable[[EmbeddedPostgres], contextlib.AbstractContextManager[None]]


@pytest.fixture
def database_url(own_postgres: EmbeddedPostgres) -> str:
    return own_postgres.url


@pytest.fixture
def redis_url(own_redis: EmbeddedRedis) -> str:
    return own_redis.url


@pytest.mark.parametrize("outage", [away, frozen])
async def test_a_script_outlives_an_outage_of_postgresql_shorter_than_its_lease(
    platform: Platform, executor_settings: ExecutorSettings, own_postgres: EmbeddedPostgres, outage: Outage
) -> None:
    async with an_executor(executor_settings, lease_seconds=30.0):
        execution = await platform.an_execution(TICKS)
        await platform.doorbell.ring(execution)
        await platform.output_of(execution, b"ready")
        with outage(own_postgres):
            await gone_processes(execution, within=20)  # it went on, and has ended
        done = await platform.end_of(execution)
    assert (done.status, done.attempt, done.stdout) == ("COMPLETED", 1, TICKED)
    assert [event.sequence for event in done.events] == list(range(1, len(done.events) + 1))


@pytest.mark.parametrize("outage", [away, frozen])
async def test_a_script_dies_before_its_lease_ends_when_postgresql_is_away_for_longer(
    platform: Platform, own_postgres: EmbeddedPostgres, tmp_path: Path, outage: Outage
) -> None:
    async with a_long_run(platform, tmp_path) as (_, execution):
        with outage(own_postgres):
            gone_at = await end_of_all(pids_of(execution))
        assert gone_at < (await platform.row(execution)).lease_expires_at
        async with sweeping(platform):
            done = await platform.end_of(execution)
    assert (done.status, done.error_code, done.stdout) == ("FAILED", "EXECUTOR_LOST", b"ready\n")


async def test_a_script_dies_before_its_lease_ends_when_its_executor_stands_still(
    platform: Platform, tmp_path: Path
) -> None:
    async with a_long_run(platform, tmp_path) as (executor, execution):
        executor.send_signal(signal.SIGSTOP)
        try:
            gone_at = await end_of_all(pids_of(execution))
            assert gone_at < (await platform.row(execution)).lease_expires_at
        finally:
            executor.send_signal(signal.SIGCONT)  # and finds its script dead, which was not the script's doing
        async with sweeping(platform):
            done = await platform.end_of(execution)
    assert (done.status, done.error_code, done.stdout) == ("FAILED", "EXECUTOR_LOST", b"ready\n")


async def test_a_script_that_runs_for_longer_than_a_lease_is_left_alone_while_that_is_renewed(
    platform: Platform, tmp_path: Path
) -> None:
    async with a_long_run(platform, tmp_path) as (_, execution):
        pids = pids_of(execution)
        first = (await platform.row(execution)).lease_expires_at

        async def the_first_is_over() -> bool:
            return datetime.now(UTC) > first

        await eventually(the_first_is_over, within=60)
        assert pids_of(execution) & pids  # its shell; what that waits for is another one each second
        assert await platform.status(execution) == "RUNNING"


@asynccontextmanager
async def a_long_run(platform: Platform, folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, UUID]]:
    """An executor in a process of its own, so that nothing but what is tried delays it, and what it runs."""
    execution = await platform.an_execution("echo ready; while :; do sleep 1; done")
    lease = {"ONCALL_LEASE_SECONDS": "12"}
    async with an_executor_process(platform.database_url, platform.redis_url, folder, environment=lease) as executor:
        await platform.doorbell.ring(execution)
        await platform.output_of(execution, b"ready")
        yield executor, execution


async def end_of_all(pids: set[int]) -> datetime:
    """Answers when the last of these processes was seen to be gone."""
    assert pids
    async with asyncio.timeout(60):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                try:
                    await readable(descriptor)
                finally:
                    os.close(descriptor)
    return datetime.now(UTC)


async def test_scripts_go_on_without_redis_and_what_was_asked_for_meanwhile_runs_when_it_is_back(
    platform: Platform, executor_settings: ExecutorSettings, own_redis: EmbeddedRedis
) -> None:
    async with an_executor(executor_settings):
        running = await platform.an_execution(TICKS)
        await platform.doorbell.ring(running)
        await platform.output_of(running, b"ready")
        await asyncio.to_thread(own_redis.stop)
        waiting = await platform.an_execution("echo ran")  # nobody can ring for it
        done = await platform.end_of(running)
        assert (done.status, done.stdout, await platform.status(waiting)) == ("COMPLETED", TICKED, "PENDING")
        await asyncio.to_thread(own_redis.start)
        async with sweeping(platform):
            later = await platform.end_of(waiting)
    assert (later.status, later.attempt, later.stdout) == ("COMPLETED", 1, b"ran\n")


@pytest.mark.parametrize("outage", [away, frozen])
async def test_the_end_of_an_executor_is_bounded_while_postgresql_is_away(
    platform: Platform, own_postgres: EmbeddedPostgres, tmp_path: Path, outage: Outage
) -> None:
    execution = await platform.an_execution("echo ready; sleep 1000")
    async with an_executor_process(
        platform.database_url,
        platform.redis_url,
        tmp_path,
        environment={"ONCALL_LEASE_SECONDS": "3", "ONCALL_DRAIN_SECONDS": "1"},
        stderr=asyncio.subprocess.PIPE,
    ) as process:
        await platform.doorbell.ring(execution)
        await platform.output_of(execution, b"ready")
        with outage(own_postgres):
            process.terminate()
            async with asyncio.timeout(30):
                _, said = await process.communicate()
            assert processes_of(execution) == []
    # Whether the lease was lost first, or the end could not be recorded, is a matter of moments; so 0 or 1, and why.
    assert process.returncode == (1 if b"without having recorded" in said else 0)
    assert [line for line in said.decode().splitlines() if "Traceback" in line] == []


async def test_an_end_that_cannot_be_recorded_is_said_with_exit_code_1(
    platform: Platform, own_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    execution = await platform.an_execution("echo ready; sleep 1")
    async with an_executor_process(
        platform.database_url,
        platform.redis_url,
        tmp_path,
        environment={"ONCALL_LEASE_SECONDS": "4"},
        stderr=asyncio.subprocess.PIPE,
    ) as process:
        await platform.doorbell.ring(execution)
        await platform.output_of(execution, b"ready")
        with away(own_postgres):
            await gone_processes(execution, within=10)
            process.terminate()
            async with asyncio.timeout(30):
                _, said = await process.communicate()
    assert process.returncode == 1
    assert said.splitlines()[-1].decode() == (
        "ended without having recorded the end of 1 executions; their leases run out"
    )
    assert [line for line in said.decode().splitlines() if "Traceback" in line] == []


@pytest.mark.parametrize("step", [(Registration, "stop"), (Worker, "drain")])
async def test_whatever_fails_at_the_end_of_an_executor_no_sandbox_stays(
    executor_settings: ExecutorSettings, monkeypatch: pytest.MonkeyPatch, step: tuple[type, str]
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("not today")

    def standing() -> set[str]:
        return {folder.name for folder in cgroups() if f"-{os.getpid()}-" in folder.parent.name}

    async def stand() -> bool:
        return len(standing()) == 2

    async def live_and_fail() -> None:
        async with an_executor(executor_settings, warm_sandboxes=2):
            await eventually(stand)
            monkeypatch.setattr(*step, fail)

    with pytest.raises(RuntimeError, match="not today"):
        await live_and_fail()
    assert standing() == set()
